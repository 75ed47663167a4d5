import type { Clock, Refusal } from '@groat/core'
import type { WalletVerifier } from './account-signature.js'

/** How many questions to chains may go without a good answer: whoever makes one pays nothing for it. */
export type WalletQuestions = {
  /** About one account, in a minute. Default 10. */
  readonly perAccount?: number
  /** In all, in a minute. Default 300. */
  readonly total?: number
}

/** A question that is not asked: a guard that throws this says when it may be asked again. */
export class TooManyQuestions extends Error {
  override readonly name = 'TooManyQuestions'
  /** `quota_exceeded`, with the seconds to wait. */
  readonly refusal: Refusal

  constructor(retryAfter: number) {
    super('too many signatures of contract wallets to look at')
    this.refusal = { ok: false, code: 'quota_exceeded', detail: 'signatures of contract wallets', retryAfter }
  }
}

/**
 * A verifier that asks its chain so many times only: a question that ends well gives its place back, so that wallets which sign rightly do not wait. Throws `TooManyQuestions`, and what the verifier
 * throws. It counts in this process.
 */
export function boundedWallets(
  wallets: WalletVerifier,
  { perAccount = 10, total = 300 }: WalletQuestions,
  clock: Clock,
): WalletVerifier {
  const all = createBuckets(total, clock)
  const accounts = createBuckets(perAccount, clock)
  return {
    async accepts(claim) {
      const account = `${claim.network}:${claim.address.toLowerCase()}`
      const wait = Math.max(all.wait(''), accounts.wait(account))
      if (wait > 0) throw new TooManyQuestions(wait)
      all.move('', -1)
      accounts.move(account, -1)
      const isGood = await wallets.accepts(claim)
      if (isGood) {
        all.move('', 1)
        accounts.move(account, 1)
      }
      return isGood
    },
  }
}

/** Accounts that are remembered. Whoever is forgotten begins anew; the bound in all stays. */
const MOST = 10_000

/** Buckets that fill up within a minute. */
function createBuckets(most: number, clock: Clock) {
  const buckets = new Map<string, { readonly left: number; readonly at: number }>()
  const leftOf = (key: string): number => {
    const known = buckets.get(key)
    return known === undefined ? most : Math.min(most, known.left + ((clock() - known.at) * most) / 60_000)
  }
  return {
    /** Seconds until there is one; 0: now. */
    wait(key: string): number {
      const left = leftOf(key)
      return left >= 1 ? 0 : Math.max(1, Math.ceil(((1 - left) * 60) / most))
    },
    move(key: string, by: number): void {
      const left = Math.min(most, leftOf(key) + by)
      // The one that was asked about last stands last: those at the front are the oldest.
      buckets.delete(key)
      for (const oldest of buckets.keys()) {
        if (buckets.size < MOST) break
        buckets.delete(oldest)
      }
      buckets.set(key, { left, at: clock() })
    },
  }
}
