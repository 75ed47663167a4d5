import type { ChainDriver, Clock, SignedTransaction } from '@groat/core'

/** Which numbers of a signer are gone for good, whatever they went to. */
export interface Taken {
  /**
   * Whether a number has been in a block, by every answer, for so long that every node must show by now what it went to: what was signed under it and is not
   * shown then can not land. Never throws; false where that cannot be known.
   */
  isGone(transaction: Pick<SignedTransaction, 'nonce'>): Promise<boolean>
  /** The first number that is in no block, as somebody else was answered: one that is lower than before says that blocks were undone. */
  saw(mined: bigint): void
}

/**
 * Makes who knows. A chain is asked at least twice, `lag` apart, for one node may lie once, and blocks may be undone.
 *
 * @example
 * const taken = createTaken({ chain, signer, clock, lag: 5000 })
 * await taken.isGone(transaction)
 */
export function createTaken({
  chain,
  signer,
  clock,
  lag,
}: {
  readonly chain: Pick<ChainDriver, 'minedNonce'>
  readonly signer: string
  readonly clock: Clock
  /** Milliseconds after which every node shows what has taken a number, or that it is free. */
  readonly lag: number
}): Taken {
  /** Since when every answer has been so high or higher, the lowest first. */
  let seen: readonly Seen[] = []
  let askedAt = 0
  let asking: Promise<number | undefined> | undefined

  /** Answers when the chain was asked; `undefined`: it says nothing. */
  async function ask(): Promise<number | undefined> {
    const at = clock()
    askedAt = at
    const mined = await chain.minedNonce?.(signer).catch(() => undefined)
    if (mined !== undefined) saw(mined)
    return mined === undefined ? undefined : at
  }

  function saw(mined: bigint): void {
    const lower = seen.filter((each) => each.mined < mined)
    const now = clock()
    const since = seen[lower.length]?.since ?? now
    // Of what has stood for long enough the highest says it all.
    const old = lower.findLast((each) => isLong(each, now))
    seen = [...lower.filter((each) => each === old || !isLong(each, now)), { mined, since }]
  }

  /** Those that ask soon after one another share an answer. */
  function hear(): Promise<number | undefined> {
    if (asking === undefined || Math.abs(clock() - askedAt) >= ASK_AGAIN) asking = ask()
    return asking
  }

  function isLong({ since }: Seen, at: number): boolean {
    return at - since >= lag
  }

  return {
    saw,
    async isGone({ nonce }) {
      if (nonce === undefined || chain.minedNonce === undefined) return false
      const at = await hear()
      const first = seen.find(({ mined }) => nonce < mined)
      return first !== undefined && at !== undefined && isLong(first, at)
    },
  }
}

type Seen = { readonly mined: bigint; readonly since: number }

/** Milliseconds between two questions, at the least. */
const ASK_AGAIN = 1000
