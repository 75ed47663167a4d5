import { type Charge, type Entry, overdrawn, type RuleRefusal } from './entry.js'
import { type Intent, memoryIntents } from './intents.js'
import { isFreed, KEPT_SLOTS, type Note, type PaymentRecord, type Purse, STOPPED, stoppedBy } from './purse.js'

/**
 * A purse in memory: its budgets hold for the calls of this process and are forgotten with it. Of the last 10 000 payments it keeps records.
 *
 * @example
 * const buyer = createBuyer({ schemes, policy: { perDay: '$10' }, purse: memoryPurse() })
 */
export function memoryPurse(): Purse {
  const intents = memoryIntents()
  const facts = new Map<string, string>()
  const counters = new Map<string, Map<number, bigint>>()
  const records = new Map<string, Row>()

  const taken = ({ counter, since }: Pick<Charge, 'counter' | 'since'>) => {
    let sum = 0n
    for (const [slot, units] of counters.get(counter) ?? []) if (slot >= since) sum += units
    return sum
  }

  return {
    ...intents,

    async create(intent, owner, entry, sign) {
      if (entry === undefined) return intents.create(intent, owner, undefined, sign)
      // Nothing is awaited between the checks and the bookings: no other call comes between them.
      const refusal = refusalOf(entry)
      if (refusal !== undefined) return refusal
      const row: Row = { intent, entry, note: {} }
      const signInto =
        sign &&
        (async () => {
          const payment = await sign()
          row.intent = { ...intent, state: 'signed', payment }
          return payment
        })
      const creating = intents.create(intent, owner, undefined, signInto)
      records.set(intent.id, row)
      for (const charge of entry.charges) book(charge, charge.units)
      for (const { key, value } of entry.facts) facts.set(key, value)
      const undo = () => {
        free(row)
        records.delete(intent.id)
      }
      const created = await creating.catch((error: unknown) => {
        undo()
        throw error
      })
      if (created === true) forgetOldest()
      else undo()
      return created
    },

    async sign(id, owner, payment, pid) {
      const signed = await intents.sign(id, owner, payment, pid)
      const row = records.get(id)
      if (signed && row) row.intent = { ...row.intent, pid, state: 'signed', payment }
      return signed
    },

    async release(id, owner, end, transaction) {
      await intents.release(id, owner, end, transaction)
      const row = records.get(id)
      if (row === undefined) return
      if (isFreed(end)) free(row)
      row.intent = {
        ...row.intent,
        ...(end !== undefined && { state: end }),
        ...(transaction !== undefined && { transaction }),
      }
    },

    async recall(keys, charges) {
      const known = keys.flatMap((key): [string, string][] => {
        const value = facts.get(key)
        return value === undefined ? [] : [[key, value]]
      })
      return { facts: new Map(known), taken: charges.map(taken) }
    },

    async remember(key, value) {
      if (value === undefined) facts.delete(key)
      else facts.set(key, value)
    },

    async note(id, note) {
      const row = records.get(id)
      if (row !== undefined) row.note = { ...row.note, ...note }
    },

    async records({ id, state, since = 0, limit = 100 } = {}) {
      const found: PaymentRecord[] = []
      for (const row of [...records.values()].reverse()) {
        const { intent, entry, note } = row
        const fits = (id === undefined || intent.id === id) && (state === undefined || state.includes(intent.state))
        if (fits && intent.createdAt >= since)
          found.push({ intent, terms: entry.terms, metadata: entry.metadata, note })
        if (found.length === limit) break
      }
      return found
    },
  }

  function refusalOf({ charges, facts: wanted }: Entry): RuleRefusal | undefined {
    const stopped = facts.get(STOPPED)
    if (stopped !== undefined) return stoppedBy(stopped)
    for (const { key, value, fixed } of wanted) {
      const known = facts.get(key)
      if (fixed !== undefined && known !== undefined && known !== value) return { ok: false, ...fixed }
    }
    for (const charge of charges) {
      const refusal = overdrawn(charge, taken(charge))
      if (refusal !== undefined) return refusal
    }
    return undefined
  }

  function book({ counter, slot, since }: Charge, units: bigint): void {
    const slots = counters.get(counter) ?? new Map<number, bigint>()
    counters.set(counter, slots)
    if (!slots.has(slot)) for (const old of slots.keys()) if (old < since - KEPT_SLOTS) slots.delete(old)
    slots.set(slot, (slots.get(slot) ?? 0n) + units)
  }

  /** Once: a payment that was freed has no charges any more. */
  function free(row: Row): void {
    for (const { counter, slot, units } of row.entry.charges) {
      const slots = counters.get(counter)
      const booked = slots?.get(slot)
      if (booked !== undefined) slots?.set(slot, booked - units)
    }
    row.entry = { ...row.entry, charges: [] }
  }

  function forgetOldest(): void {
    if (records.size <= MAX_RECORDS) return
    for (const [id, { intent }] of records) {
      if (intent.state === 'open' || intent.state === 'signed') continue
      records.delete(id)
      return
    }
  }
}

const MAX_RECORDS = 10_000

type Row = { intent: Intent; entry: Entry; note: Note }
