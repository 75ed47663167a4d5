import type { Clock } from '@groat/core'

/** The lowest nonce that nothing has, below one that something has, and for how long it has been seen to be that. */
export interface Gap {
  /** It is seen once more, or that there is none. `due`: it has been there for so long that it is no node that is late. */
  see(nonce: bigint | undefined): 'none' | 'new' | 'known' | 'due'
  /** Everything below is in a block: what is there is missing no more, and should that block be undone it is missing anew. */
  pass(mined: bigint): void
}

/**
 * Makes who remembers it. `lag`: milliseconds after which every node shows what has taken a nonce, or that it is free.
 *
 * @example
 * const gap = createGap(clock, 5000)
 * if (gap.see(lowest) === 'due') fill(lowest)
 */
export function createGap(clock: Clock, lag: number): Gap {
  let gap: { readonly nonce: bigint; readonly since: number; readonly seenAt: number } | undefined

  return {
    see(nonce) {
      const now = clock()
      const before = gap
      gap = undefined
      if (nonce === undefined) return 'none'
      // What was not looked at for a while may have been filled meanwhile.
      const isKnown = before?.nonce === nonce && now - before.seenAt < Math.max(2 * lag, UNSEEN)
      const since = isKnown ? before.since : now
      gap = { nonce, since, seenAt: now }
      if (!isKnown) return 'new'
      return now - since >= lag ? 'due' : 'known'
    },
    pass(mined) {
      if (gap !== undefined && gap.nonce < mined) gap = undefined
    },
  }
}

/** Milliseconds after which a gap that nobody looked at is another, for all that is known; one look at a slow node takes less. */
const UNSEEN = 60_000
