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
  const known = new Map<string, readonly Move[]>()
  const keyOf = ({ network, payer }: Payer) => `${network} ${payer}`
  const movesOf = (payer: Payer) => (known.get(keyOf(payer)) ?? []).filter(({ until }) => clock() < until)

  return {
    latest(payer, others = []) {
      const blocks = [...movesOf(payer).map(({ block }) => block), ...others]
      return blocks.toSorted((a, b) => Number(a - b)).at(-1)
    },
    note(payer, block) {
      const now = clock()
      // The oldest stand first.
      for (const [key, moves] of known) {
        if (moves.some(({ until }) => now < until)) break
        known.delete(key)
      }
      // One that a node made up is above all others, and goes when its own time is over.
      const above = movesOf(payer).filter((move) => move.block > block)
      known.delete(keyOf(payer))
      known.set(keyOf(payer), [...above, { block, until: now + lag(payer.network) }])
    },
  }
}

type Move = { readonly block: bigint; readonly until: number }
