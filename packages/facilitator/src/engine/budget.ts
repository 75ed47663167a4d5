import { type Clock, type Network, type SignedTransaction, X402Error } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { Spending } from '../journal/reads.js'
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
  /** What there is right now; `undefined` when there is no limit. Throws what the journal throws. */
  room(): Promise<Room | undefined>
}

/** What an hour has, in the chain's own coin. `pending`: reserved for what was signed in the last minute and has not landed; some of it may come back. */
export type Room = { readonly left: bigint; readonly pending: bigint }

/**
 * Makes a budget. What others spend is read from the journal now and then; what is signed here counts at once with the most that it may cost: until the
 * journal has what it did cost, and no longer than a minute when it is not written down. Before something is refused for too little left, the journal is read again.
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
  /** What the journal knows of each slot, and what was signed here of late. */
  let known: ReadonlyMap<string, Spending> = new Map()
  const signed = new Map<string, Signed>()
  let readAt: number | undefined

  async function readAfter(age: number): Promise<void> {
    const now = clock()
    if (readAt !== undefined && now - readAt <= age) return
    const read = await journal.spending(network, now - HOUR)
    known = new Map(read.map((each) => [each.slot, each]))
    for (const [slot, { at }] of signed) if (now - at > WRITTEN_BY) signed.delete(slot)
    readAt = now
  }

  const slots = () => new Set([...known.keys(), ...signed.keys()])

  function left(limit: bigint, outbid: SignedTransaction | undefined): bigint {
    const replaced = outbid && slotOf(network, outbid)
    let rest = limit
    for (const slot of slots()) if (slot !== replaced) rest -= costOf(slot)
    return rest > 0n ? rest : 0n
  }

  function pending(): bigint {
    const now = clock()
    let sum = 0n
    for (const slot of slots()) {
      const written = known.get(slot)
      const begun = Math.min(written?.at ?? now, signed.get(slot)?.since ?? now)
      if (written?.isLanded !== true && begun > now - WRITTEN_BY) sum += costOf(slot)
    }
    return sum
  }

  /** Of what has landed the journal knows the price. What outbids another may still be on its way there. */
  function costOf(slot: string): bigint {
    const written = known.get(slot)
    const here = signed.get(slot)?.cost ?? 0n
    return written !== undefined && (written.isLanded || written.cost > here) ? written.cost : here
  }

  function spend(transaction: SignedTransaction): void {
    const slot = slotOf(network, transaction)
    const cost = transaction.maxCost ?? 0n
    const before = signed.get(slot)
    const at = clock()
    signed.set(slot, {
      cost: before !== undefined && before.cost > cost ? before.cost : cost,
      at,
      since: before?.since ?? at,
    })
  }

  /** What is too little may have become more: some has landed, and cost less than it might have. */
  async function signWithin(limit: bigint, sign: SignWithin, outbid: SignedTransaction | undefined) {
    await readAfter(FRESH)
    const most = left(limit, outbid)
    try {
      return await sign(most)
    } catch (error) {
      if (!X402Error.is(error) || error.code !== 'fee_above_limit') throw error
      await readAfter(AGAIN)
      const now = left(limit, outbid)
      if (now <= most) throw error
      return sign(now)
    }
  }

  return {
    within(sign, outbid) {
      if (perHour === undefined) return sign(undefined)
      return inTurn(async () => {
        const transaction = await signWithin(perHour, sign, outbid)
        spend(transaction)
        return transaction
      })
    },
    async room() {
      if (perHour === undefined) return undefined
      await inTurn(() => readAfter(RECENT))
      return { left: left(perHour, undefined), pending: pending() }
    },
  }
}

type SignWithin = Parameters<Budget['within']>[0]

/** The most that something signed here may cost, when it was signed, and when the first of those that outbid each other was. */
type Signed = { readonly cost: bigint; readonly at: number; readonly since: number }

const HOUR = 3_600_000

/** Milliseconds for which what others spent is taken to be so. */
const FRESH = 10_000

/** Milliseconds for which it is, where it decides whether anything new is taken. */
const RECENT = 2000

/** Milliseconds between two readings for something that there is too little left for, at the least. */
const AGAIN = 500

/** Milliseconds after which what is signed here is in the journal, or never will be. */
const WRITTEN_BY = 60_000
