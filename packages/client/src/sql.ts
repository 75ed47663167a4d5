import type { AnyStore } from '@groat/store'
import type { Transaction } from 'kysely'
import { type Charge, type Entry, overdrawn, type RuleRefusal } from './entry.js'
import type { Claim, Intent } from './intents.js'
import { type Counter, isFreed, KEPT_SLOTS, type Memory, type Note, type Purse, STOPPED, stoppedBy } from './purse.js'
import { intentFrom, migrations, parseObject, recordFrom, type Tables } from './sql-rows.js'
import { createStatements, livingUnder, type Slot, type Statements } from './sql-statements.js'

/** How intents are kept in a database. */
export type SqlIntentsOptions = {
  /**
   * Milliseconds for which a running call claims its intent at a time. After a crash, the next call waits that long before it takes the
   * payment over. Default 3000.
   */
  readonly claimMs?: number
}

/**
 * A purse in a database: a payment that was signed is presented again after a crash and by other processes, and is never signed anew
 * while it can be settled; and budgets hold for all processes that share the database. Brings its own tables. The rows stay, as the log
 * of what was paid. It serves `createPayer` as its store of intents, and `createBuyer` as its purse.
 * Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const payer = createPayer({ schemes, store: await sqlIntents(await openStore('purse.db')) })
 */
export async function sqlIntents(anyStore: AnyStore, { claimMs = 3_000 }: SqlIntentsOptions = {}): Promise<Purse> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)
  const run = createStatements(store)

  return {
    claimMs,

    async take(key, owner) {
      // The usual answer is "nothing", and that costs no write.
      if (!(await run.isLiving(store.db, key))) return { claims: [] }
      return store.transaction(async (trx) => {
        const now = await store.now(trx)
        const rows = await trx
          .selectFrom('client_intent')
          .selectAll()
          .where(livingUnder(key))
          .orderBy('created_at')
          .execute()
        const claims: Claim[] = []
        for (const row of rows) {
          if (row.owner !== null && row.claimed_until > now) {
            claims.push({ owner: row.owner, until: row.claimed_until })
            continue
          }
          const change =
            row.state === 'open'
              ? { state: 'unsent' as const, owner: null, claimed_until: 0 }
              : { owner, claimed_until: now + claimMs }
          await trx.updateTable('client_intent').set(change).where('id', '=', row.id).execute()
          if (row.state !== 'open') return { intent: intentFrom(row), claims }
          await free(trx, row.id, row.charges)
        }
        return { claims }
      }, LAZY)
    },

    create: (intent, owner, entry, sign) =>
      store.transaction(async (trx) => {
        if (intent.exclusive && (await run.isLiving(trx, intent.key))) return false
        const refusal = entry && (await enter(trx, entry, run))
        if (refusal !== undefined) return refusal
        const claimed_until = (await store.now(trx)) + claimMs
        const written: Intent = sign === undefined ? intent : { ...intent, state: 'signed', payment: await sign() }
        await run.insert(trx, written, entry, { owner, claimed_until })
        return true
      }),

    sign: (id, owner, { name, value }, pid) =>
      store.transaction(async (trx) => {
        const [row] = await trx
          .updateTable('client_intent')
          .set({ state: 'signed', pid, header_name: name, header_value: value })
          .where('id', '=', id)
          .where('owner', '=', owner)
          .returning('id')
          .execute()
        return row !== undefined
      }),

    renew: (id, owner) =>
      store.transaction(async (trx) => {
        const claimed_until = (await store.now(trx)) + claimMs
        await trx
          .updateTable('client_intent')
          .set({ claimed_until })
          .where('id', '=', id)
          .where('owner', '=', owner)
          .execute()
      }, LAZY),

    release: (id, owner, end, transaction) =>
      store.transaction(async (trx) => {
        // What nearly always holds is one statement: the claim is still the caller's, and the intent has not ended.
        if (end !== undefined && transaction !== undefined && !isFreed(end)) {
          if (await run.end(trx, id, owner, end, transaction)) return
        }
        const change = {
          ...(end !== undefined && { state: end }),
          ...(transaction !== undefined && { tx: transaction }),
          // A signature that never left is not worth the risk of keeping it.
          ...(end === 'unsent' && { header_name: null, header_value: null }),
        }
        const unclaimed = { owner: null, claimed_until: 0 }
        const own = trx.updateTable('client_intent').where('id', '=', id).where('owner', '=', owner)
        const [ended] = await own
          .where('state', 'in', ['open', 'signed'])
          .set({ ...change, ...unclaimed })
          .returning('charges')
          .execute()
        if (ended !== undefined) {
          if (isFreed(end)) await free(trx, id, ended.charges)
          return
        }
        const byProof = end === 'settled' || end === 'answered' || end === 'disputed' || end === 'void'
        if (byProof || (end === undefined && transaction !== undefined)) {
          const [proven] = await trx
            .updateTable('client_intent')
            .set(change)
            .where('id', '=', id)
            .where('state', 'in', ['open', 'signed'])
            .returning('charges')
            .execute()
          if (proven !== undefined && isFreed(end)) await free(trx, id, proven.charges)
        }
        await own.set(unclaimed).execute()
      }, LAZY),

    async recall(facts, charges): Promise<Memory> {
      const found = await run.recall(store.db, facts, charges)
      return { facts: found.facts, taken: charges.map((charge) => sumOf(found.slots, charge)) }
    },

    remember: (key, value) =>
      store.transaction(async (trx) => {
        if (value === undefined) await trx.deleteFrom('client_fact').where('key', '=', key).execute()
        else await run.writeFacts(trx, [{ key, value }])
      }),

    note: (id, note) =>
      store.transaction(async (trx) => {
        // The first note of a payment has nothing to be added to.
        if (await run.noteFirst(trx, id, JSON.stringify(note))) return
        const row = await trx.selectFrom('client_intent').select('note').where('id', '=', id).executeTakeFirst()
        if (row === undefined) return
        const all = JSON.stringify({ ...parseObject<Note>(row.note), ...note })
        await trx.updateTable('client_intent').set({ note: all }).where('id', '=', id).execute()
      }, LAZY),

    async records({ id, state, since, limit = 100 } = {}) {
      let query = store.db
        .selectFrom('client_intent')
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(limit)
      if (id !== undefined) query = query.where('id', '=', id)
      if (state !== undefined) query = query.where('state', 'in', [...state])
      if (since !== undefined) query = query.where('created_at', '>=', since)
      return (await query.execute()).map(recordFrom)
    },
  }
}

/**
 * Claims, ends and notes wait for no disk. When a loss of power takes them back, a payment is presented once more, or counted for longer: never made
 * twice. What keeps it from being made twice, the intent and its signature, waits.
 */
const LAZY = { durable: false } as const

/** Checks and books an entry, all of it or nothing. */
async function enter(
  trx: Transaction<Tables>,
  { charges, facts }: Entry,
  run: Statements,
): Promise<RuleRefusal | undefined> {
  const keys = [STOPPED, ...facts.filter(({ fixed }) => fixed !== undefined).map(({ key }) => key)]
  const { facts: values, slots } = await run.recall(trx, keys, charges)
  const stopped = values.get(STOPPED)
  if (stopped !== undefined) return stoppedBy(stopped)
  for (const { key, value, fixed } of facts) {
    if (fixed !== undefined && values.has(key) && values.get(key) !== value) return { ok: false, ...fixed }
  }
  for (const charge of charges) {
    const refusal = overdrawn(charge, sumOf(slots, charge))
    if (refusal !== undefined) return refusal
  }
  await book(trx, charges, slots, run)
  await run.writeFacts(trx, facts)
  return undefined
}

function sumOf(slots: readonly Slot[], { counter, since }: Counter): bigint {
  let sum = 0n
  for (const slot of slots) if (slot.counter === counter && Number(slot.slot) >= since) sum += BigInt(slot.units)
  return sum
}

async function book(
  trx: Transaction<Tables>,
  charges: readonly Charge[],
  slots: readonly Slot[],
  run: Statements,
): Promise<void> {
  const same = (charge: Charge) => (slot: Slot) => slot.counter === charge.counter && Number(slot.slot) === charge.slot
  const rows = charges.map((charge) => {
    const booked = slots.find(same(charge))
    return { counter: charge.counter, slot: charge.slot, units: (BigInt(booked?.units ?? 0) + charge.units).toString() }
  })
  await run.book(trx, rows)
  // Slices that count no more go when a new one begins, so that a counter stays small.
  for (const charge of charges) {
    if (slots.some(same(charge))) continue
    const old = trx.deleteFrom('client_counter').where('counter', '=', charge.counter)
    await old.where('slot', '<', charge.since - KEPT_SLOTS).execute()
  }
}

/** Gives back what a payment was charged; its charges go with it, so that this happens once. */
async function free(trx: Transaction<Tables>, id: string, charges: string | null): Promise<void> {
  const booked: readonly (readonly [string, number, string])[] = JSON.parse(charges ?? '[]')
  for (const [counter, slot, units] of booked) {
    const at = trx.selectFrom('client_counter').select('units').where('counter', '=', counter).where('slot', '=', slot)
    const row = await at.executeTakeFirst()
    if (row === undefined) continue
    const left = (BigInt(row.units) - BigInt(units)).toString()
    await trx
      .updateTable('client_counter')
      .set({ units: left })
      .where('counter', '=', counter)
      .where('slot', '=', slot)
      .execute()
  }
  await trx.updateTable('client_intent').set({ charges: null }).where('id', '=', id).execute()
}
