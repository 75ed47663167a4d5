import type { Clock, Network, SignedTransaction } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import { slotOf } from '../journal/record.js'
import { createSerial } from './serial.js'

/** What transactions of a network may cost in an hour, all replicas together. */
export interface Budget {
  /**
   * Signs within what is left right now, in the chain's own coin, for a transaction that outbids one or none; `undefined` when there is no limit. What is signed
   * counts from then on, with the most that it may cost, and the next is signed after that. Of those that outbid each other one lands: the dearest counts.
   */
  within(
    sign: (left: bigint | undefined) => Promise<SignedTransaction>,
    outbid?: SignedTransaction,
  ): Promise<SignedTransaction>
}

/**
 * Makes a budget. What others spend is read from the journal now and then; what is signed here counts at once, and no longer than a minute when it is not written
 * down.
 *
 * @example
 * const budget = createBudget({ journal, network, perHour: 10n ** 17n, clock })
 * const transaction = await budget.within((left) => signFor(left))
 */
export function createBudget(options: {
  readonly journal: Pick<Journal, 'spending'>
  readonly network: Network
  readonly perHour: bigint | undefined
  readonly clock: Clock
}): Budget {
  const { journal, network, perHour, clock } = options
  const inTurn = createSerial()
  let spent = new Map<string, Spent>()
  let readAt: number | undefined

  /** What was signed here of late may still be on its way into the journal. */
  async function read(now: number): Promise<void> {
    const known = await journal.spending(network, now - HOUR)
    const fresh = new Map<string, Spent>(known.map(({ slot, cost }) => [slot, { cost }]))
    for (const [slot, { cost, signedAt }] of spent) {
      const isLate = signedAt === undefined || now - signedAt > WRITTEN_BY
      if (!isLate) fresh.set(slot, { cost: dearer(cost, fresh.get(slot)), signedAt })
    }
    spent = fresh
    readAt = now
  }

  async function left(limit: bigint, outbid: SignedTransaction | undefined): Promise<bigint> {
    const now = clock()
    if (readAt === undefined || now - readAt > FRESH) await read(now)
    const replaced = outbid && slotOf(network, outbid)
    let rest = limit
    for (const [slot, { cost }] of spent) if (slot !== replaced) rest -= cost
    return rest > 0n ? rest : 0n
  }

  function spend(transaction: SignedTransaction): void {
    const slot = slotOf(network, transaction)
    spent.set(slot, { cost: dearer(transaction.maxCost ?? 0n, spent.get(slot)), signedAt: clock() })
  }

  return {
    within(sign, outbid) {
      if (perHour === undefined) return sign(undefined)
      return inTurn(async () => {
        const transaction = await sign(await left(perHour, outbid))
        spend(transaction)
        return transaction
      })
    },
  }
}

/** What a slot has cost, or may; `signedAt`: when it was signed here. */
type Spent = { readonly cost: bigint; readonly signedAt?: number }

function dearer(cost: bigint, other: Spent | undefined): bigint {
  return other !== undefined && other.cost > cost ? other.cost : cost
}

const HOUR = 3_600_000

/** Milliseconds for which what others spent is taken to be so. */
const FRESH = 10_000

/** Milliseconds after which what is signed here is in the journal, or never will be. */
const WRITTEN_BY = 60_000
