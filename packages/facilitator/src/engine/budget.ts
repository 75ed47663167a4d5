import type { Clock, Network } from '@groat/core'
import type { Journal } from '../journal/journal.js'

/** What transactions of a network may cost in an hour, all replicas together. */
export interface Budget {
  /** What is left right now, in the chain's own coin; `undefined` when there is no limit. */
  left(): Promise<bigint | undefined>
  /** Counts a transaction with the most that it may cost. */
  spend(hash: string, cost: bigint | undefined): void
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
    async left() {
      if (perHour === undefined) return undefined
      const now = clock()
      if (readAt === undefined || now - readAt > FRESH) {
        const known = await journal.spending(network, now - HOUR)
        spent = new Map([...spent, ...known.map(({ hash, at, cost }) => [hash, { at, cost }] as const)])
        readAt = now
      }
      let left = perHour
      for (const [hash, { at, cost }] of spent) {
        if (now - at > HOUR) spent.delete(hash)
        else left -= cost
      }
      return left > 0n ? left : 0n
    },
    spend(hash, cost = 0n) {
      if (perHour !== undefined) spent.set(hash, { at: clock(), cost })
    },
  }
}

const HOUR = 3_600_000

/** Milliseconds for which what others spent is taken to be so. */
const FRESH = 10_000
