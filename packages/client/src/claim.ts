import { X402Error } from '@groat/core'
import type { Intent, Intents } from './intents.js'
import type { Sleep } from './time.js'

/** Who asks for a claim, and how long it may wait. */
export type Claimant = {
  readonly intents: Intents
  /** Every claim of this process starts with it. */
  readonly process: string
  readonly owner: string
  readonly sleep: Sleep
  readonly signal: AbortSignal | undefined
  /** Milliseconds that may be waited for another call. */
  readonly patience: number
}

/** Milliseconds between two looks at the claims of others. */
const LOOK_AGAIN = 50

/**
 * Claims the unresolved payment of a logical request, if there is one that nobody works on.
 *
 * A claim of another process may belong to a call that runs or to one that died. It is watched: a call that runs renews it, and then
 * this is another logical request; a claim that lapses is taken over. When the caller named the request (`exclusive`), the running call
 * is waited for instead, for it is the same logical request. Throws `X402Error` `payment_in_flight` when that takes too long.
 */
export async function claimUnresolved(
  key: string,
  exclusive: boolean,
  { intents, process, owner, sleep, signal, patience }: Claimant,
): Promise<Intent | undefined> {
  const firstSeen = new Map<string, number>()
  for (let waited = 0; ; waited += LOOK_AGAIN) {
    const { intent, claims } = await intents.take(key, owner)
    if (intent !== undefined) return intent
    const undecided = claims.filter((claim) => {
      const before = firstSeen.get(claim.owner)
      firstSeen.set(claim.owner, before ?? claim.until)
      const runs = claim.owner.startsWith(process) || (before !== undefined && claim.until > before)
      return exclusive || !runs
    })
    if (undecided.length === 0) return undefined
    if (waited >= patience) throw new X402Error('payment_in_flight', { waitedMs: waited })
    await sleep(LOOK_AGAIN, signal)
  }
}

/** Renews a claim while `work` runs. A renewal that fails lets the claim lapse, which costs a second presentation and never a payment. */
export async function whileClaimed<T>(
  { id }: Pick<Intent, 'id'>,
  { intents, owner }: Pick<Claimant, 'intents' | 'owner'>,
  work: () => Promise<T>,
): Promise<T> {
  if (intents.claimMs === undefined) return work()
  const timer = setInterval(() => void intents.renew(id, owner).catch(() => {}), intents.claimMs / 3)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
