import type { Clock, Network } from '@groat/core'

/** In which blocks payers' money has moved of late, or a transaction of theirs has failed: a node that is asked may not show it yet. */
export interface Moves {
  note(payer: Payer, block: bigint): void
  /** The newest of a payer's, and of these; `undefined`: every node shows all of them by now. */
  latest(payer: Payer, others?: readonly bigint[]): bigint | undefined
}

/** Whose money, on which network. */
export type Payer = { readonly network: Network; readonly payer: string }

/**
 * Makes what is known of payers' moves, as long as a node may be late.
 *
 * @example
 * const moves = createMoves(clock, () => 5000)
 * moves.note(record, 7n)
 * moves.latest(record) // 7n
 */
export function createMoves(clock: Clock, lag: (network: Network) => number): Moves {
  const known = new Map<string, { readonly block: bigint; readonly until: number }>()
  const keyOf = ({ network, payer }: Payer) => `${network} ${payer}`

  function latest(payer: Payer, others: readonly bigint[] = []): bigint | undefined {
    const move = known.get(keyOf(payer))
    const blocks = move !== undefined && clock() < move.until ? [move.block, ...others] : others
    return blocks.toSorted((a, b) => Number(a - b)).at(-1)
  }

  return {
    latest,
    note(payer, block) {
      const newest = latest(payer, [block]) ?? block
      const now = clock()
      // The oldest stand first.
      for (const [key, { until }] of known) {
        if (now < until) break
        known.delete(key)
      }
      known.delete(keyOf(payer))
      known.set(keyOf(payer), { block: newest, until: now + lag(payer.network) })
    },
  }
}
