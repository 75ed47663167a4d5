import { type ChainDriver, type Network, X402Error } from '@groat/core'
import { readyChain } from './chain-ready.js'
import type { Timers } from './timers.js'

/** Which chains have been checked, and may be settled on. One whose nodes are away keeps none of the others waiting. */
export interface Opening {
  /** Once it has started: whether payments of a network can be judged. */
  isOpen(network: Network): boolean
  /**
   * Resolves when each chain is open or its nodes are known not to answer; those are asked again until they do. Rejects when none can be opened, and when one answers
   * what no waiting mends: another chain's id, an asset that is none.
   */
  start(): Promise<void>
  stop(): void
}

/** What an opening works with. */
export type OpeningOptions = {
  readonly chains: readonly ChainDriver[]
  readonly timers: Pick<Timers, 'background'>
  /** A chain is open from now on. Where this rejects, it is not, and is asked again. */
  readonly onOpen: (chain: ChainDriver) => Promise<void>
  readonly onError: (error: unknown, network: Network) => void
}

/**
 * Makes an opening.
 *
 * @example
 * const opening = createOpening({ chains, timers, onOpen: takeLanes, onError: report })
 * await opening.start()
 */
export function createOpening({ chains, timers, onOpen, onError }: OpeningOptions): Opening {
  const waits = new Map<Network, () => void>()
  let stopped = false

  async function open(chain: ChainDriver): Promise<void> {
    await readyChain(chain)
    if (stopped) return
    await onOpen(chain)
    waits.delete(chain.network)
  }

  /** Why is told when it is known, and when it changes. */
  function openLater(chain: ChainDriver, why: unknown): void {
    if (stopped) return
    const again = async () => {
      try {
        await open(chain)
      } catch (error) {
        if (codeOf(error) !== codeOf(why)) onError(error, chain.network)
        openLater(chain, error)
      }
    }
    waits.set(
      chain.network,
      timers.background(ASK_AGAIN, () => void again()),
    )
  }

  return {
    isOpen: (network) => !waits.has(network),
    async start() {
      const tries = chains.map((chain) =>
        open(chain).then(
          () => [],
          (error: unknown) => [{ chain, error }],
        ),
      )
      const failed = (await Promise.all(tries)).flat()
      const fatal =
        failed.find(({ error }) => !isAway(error)) ?? (failed.length === chains.length ? failed[0] : undefined)
      if (fatal !== undefined) throw fatal.error
      for (const { chain, error } of failed) {
        onError(error, chain.network)
        openLater(chain, error)
      }
    },
    stop() {
      stopped = true
      for (const cancel of waits.values()) cancel()
    },
  }
}

/** Waiting may mend it. */
function isAway(error: unknown): boolean {
  return codeOf(error) === 'rpc_unreachable' || codeOf(error) === 'rpc_invalid_answer'
}

function codeOf(error: unknown): string {
  return X402Error.is(error) ? error.code : String(error)
}

/** Milliseconds between two questions to nodes that did not answer. */
const ASK_AGAIN = 1000
