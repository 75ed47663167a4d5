import type { Clock, Network, SignedTransaction } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import { slotOf } from '../journal/record.js'

/** What transactions of a network may cost in an hour, all replicas together. */
export interface Budget {
  /** What is left right now, in the chain's own coin, for a transaction that outbids one or none; `undefined` when there is no limit. */
  left(outbid?: SignedTransaction): Promise<bigint | undefined>
  /** Counts a transaction with the most that it may cost. Of those that outbid each other one lands: the dearest counts. */
  spend(transaction: SignedTransaction): void
}

/**
 * Makes a budget. What others spend is read from the journal now and then; what is spent here counts at once.
 *
 * @example
 * const budget = createBudget({ journal, network, perHour: 10n ** 17n, clock })
 */
export function createBudget(options: {
  readonly journal: Pick<Journal, 'spending'>
  readonly network: Network
  readonly perHour: bigint | undefined
  readonly clock: Clock
}): Budget {
  const { journal, network, perHour, clock } = options
  let spent = new Map<string, { readonly at: number; readonly cost: bigint }>()
  let readAt: number | undefined

  return {
    async left(outbid) {
      if (perHour === undefined) return undefined
      const now = clock()
      if (readAt === undefined || now - readAt > FRESH) {
        const known = await journal.spending(network, now - HOUR)
        spent = new Map([...spent, ...known.map(({ slot, at, cost }) => [slot, { at, cost }] as const)])
        readAt = now
      }
      const replaced = outbid && slotOf(network, outbid)
      let left = perHour
      for (const [slot, { at, cost }] of spent) {
        if (now - at > HOUR) spent.delete(slot)
        else if (slot !== replaced) left -= cost
      }
      return left > 0n ? left : 0n
    },
    spend(transaction) {
      if (perHour === undefined) return
      const slot = slotOf(network, transaction)
      const before = spent.get(slot)?.cost ?? 0n
      let { maxCost: cost = 0n } = transaction
      if (before > cost) cost = before
      spent.set(slot, { at: clock(), cost })
    },
  }
}

const HOUR = 3_600_000

/** Milliseconds for which what others spent is taken to be so. */
const FRESH = 10_000
