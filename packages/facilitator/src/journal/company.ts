import type { Clock, Network } from '@groat/core'

/** From when on others may have moved payers' money, on a network, that this process has not seen. */
export interface Company {
  /** So many replicas are alive, this one among them. */
  note(alive: number): void
  /** Milliseconds since 1970; `undefined`: nobody else has for so long that every node shows it. */
  since(network: Network): number | undefined
}

/**
 * Makes who remembers others. Before anybody has looked there may be some; and when this process begins, one has been there before it. `lag`: milliseconds after
 * which every node of a network shows what is in a block; `undefined`: nobody asks.
 *
 * @example
 * const company = createCompany(clock, () => 5000)
 * company.note(1)
 */
export function createCompany(clock: Clock, lag: ((network: Network) => number) | undefined): Company {
  /** Since when there has been nobody else, as far as was looked. */
  let alone = Number.POSITIVE_INFINITY
  return {
    note(alive) {
      if (alive > 1) alone = Number.POSITIVE_INFINITY
      else if (alone === Number.POSITIVE_INFINITY) alone = clock()
    },
    since(network) {
      if (lag === undefined) return undefined
      const from = clock() - lag(network)
      return alone > from ? from : undefined
    },
  }
}
