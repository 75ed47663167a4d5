import type { ClaimRun } from '@groat/evm/batch-settlement/manager'
import type { ShopChannels } from './shop-channels.js'

/** What is told of claims. */
export type ClaimTelling = {
  readonly onRun: (run: ClaimRun) => void
  readonly onFailure: (error: unknown) => void
}

/** Claims under way. */
export type Claiming = { stop(): Promise<void> }

/**
 * Claims what the channels of a shop owe: at once where a payer is on its way out, else every `claimSeconds`, and once more at the end, since while nobody
 * watches a payer can take out what was not claimed. `channels` says which ones, each time anew. What fails is tried again with the next look.
 */
export function startClaiming(channels: () => ShopChannels | undefined, { onRun, onFailure }: ClaimTelling): Claiming {
  let [stopped, claimedAt] = [false, Date.now()]
  let timer: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()

  async function told(work: (() => Promise<readonly ClaimRun[]>) | undefined): Promise<void> {
    try {
      for (const run of (await work?.()) ?? []) if (run.claimed.length + run.refused.length > 0) onRun(run)
    } catch (error) {
      onFailure(error)
    }
  }

  async function look(): Promise<void> {
    const open = channels()
    await told(open?.watch)
    if (open === undefined || Date.now() - claimedAt < open.claimSeconds * 1000) return
    claimedAt = Date.now()
    await told(open.claim)
  }

  function later(): void {
    if (stopped) return
    const every = Math.min(LOOK_MS, (channels()?.claimSeconds ?? LOOK_MS) * 1000)
    timer = setTimeout(() => {
      last = look().finally(later)
    }, every).unref()
  }
  later()

  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await last
      let end: NodeJS.Timeout | undefined
      const patience = new Promise<void>((resolve) => {
        end = setTimeout(resolve, LAST_CLAIM_MS)
      })
      await Promise.race([told(channels()?.claim), patience])
      clearTimeout(end)
    },
  }
}

/** Milliseconds between two looks for payers on their way out: a small part of the shortest withdraw delay. */
const LOOK_MS = 60_000

/** Milliseconds that the last claim may keep a shop that is told to stop. */
const LAST_CLAIM_MS = 20_000
