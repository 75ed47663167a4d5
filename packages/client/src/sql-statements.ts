import type { Builds, Runs, Store } from '@groat/store'
import type { Compilable, ExpressionBuilder } from 'kysely'
import type { Entry } from './entry.js'
import type { Intent, IntentEnd } from './intents.js'
import type { Counter } from './purse.js'
import { columns, type Row, rowFrom, rowOfEntry, type Tables } from './sql-rows.js'

/** What is remembered: facts by their keys, and the slices of counters. */
export type Remembered = { readonly facts: ReadonlyMap<string, string>; readonly slots: readonly Slot[] }

/** What was taken of a counter within one slice of time. */
export type Slot = Tables['client_counter']

/** The statements of every payment: each is compiled once for a purse. */
export type Statements = ReturnType<typeof createStatements>

/** Makes the statements of one purse. */
export function createStatements(store: Store<Tables>) {
  const living = store.statement<{ key: string }, { readonly id: string }>((db, value) =>
    db
      .selectFrom('client_intent')
      .select('id')
      .where(livingUnder(value('key')))
      .limit(1),
  )
  const insert = store.statement<Row>((db, value) => db.insertInto('client_intent').values(columns(value)))
  const note = store.statement<{ id: string; note: string }>((db, value) =>
    db
      .updateTable('client_intent')
      .set({ note: value('note') })
      .where('id', '=', value('id'))
      .where('note', 'is', null),
  )
  const end = store.statement<{ id: string; owner: string; state: IntentEnd; tx: string }>((db, value) =>
    db
      .updateTable('client_intent')
      .set({ state: value('state'), tx: value('tx'), owner: null, claimed_until: 0 })
      .where('id', '=', value('id'))
      .where('owner', '=', value('owner'))
      .where('state', 'in', ['open', 'signed']),
  )
  const remembered = byCounts(store, rememberedBy)
  const book = byCounts(store, bookAll)
  const write = byCounts(store, writeAll)

  return {
    /** Whether anything may be presented under a key. */
    isLiving: async (on: Runs, key: string): Promise<boolean> => (await living(on, { key })).rows.length > 0,

    /** Writes an intent with its entry and its claim. */
    async insert(on: Runs, intent: Intent, entry: Entry | undefined, claim: Pick<Row, 'owner' | 'claimed_until'>) {
      await insert(on, { ...rowFrom(intent), ...rowOfEntry(entry), ...claim, note: null })
    },

    /** Ends an intent that its owner still has and gives the claim back; `false` when it is not so. */
    async end(on: Runs, id: string, owner: string, state: IntentEnd, tx: string): Promise<boolean> {
      return (await end(on, { id, owner, state, tx })).numAffectedRows === 1n
    },

    /** Writes the first note of a payment; `false` when it has one. */
    async noteFirst(on: Runs, id: string, text: string): Promise<boolean> {
      return (await note(on, { id, note: text })).numAffectedRows === 1n
    },

    /** Facts and counters in one look. */
    async recall(on: Runs, facts: readonly string[], counters: readonly Counter[]): Promise<Remembered> {
      if (facts.length + counters.length === 0) return { facts: new Map(), slots: [] }
      const wanted = [...facts, ...counters.flatMap(({ counter, since }) => [counter, since])]
      const { rows } = await remembered(facts.length, counters.length)(on, wanted)
      const known = new Map<string, string>()
      const slots: Slot[] = []
      for (const { name, slot, value } of rows) {
        if (slot === null) known.set(name, value)
        else slots.push({ counter: name, slot, units: value })
      }
      return { facts: known, slots }
    },

    /** Sets what is taken within slices. */
    async book(on: Runs, slots: readonly Slot[]): Promise<void> {
      if (slots.length === 0) return
      await book(slots.length)(
        on,
        slots.flatMap(({ counter, slot, units }) => [counter, slot, units]),
      )
    },

    async writeFacts(on: Runs, facts: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
      if (facts.length === 0) return
      await write(facts.length)(
        on,
        facts.flatMap(({ key, value }) => [key, value]),
      )
    },
  }
}

/** What may be presented under a key, and what is only decided yet. */
export function livingUnder(key: string) {
  return (row: ExpressionBuilder<Tables, 'client_intent'>) =>
    row.or([
      row.and([row('request_key', '=', key), row('state', 'in', ['open', 'signed'])]),
      row.and([
        row('request_key', '=', key),
        row('state', 'in', ['settled', 'answered', 'disputed']),
        row('exclusive', '=', 1),
      ]),
    ])
}

type Found = { readonly name: string; readonly slot: number | null; readonly value: string }
type Place = (at: number) => never

function rememberedBy(db: Builds<Tables>, value: Place, facts: number, counters: number): Compilable<Found> {
  const known = db
    .selectFrom('client_fact')
    .select(['key as name', (row) => row.cast<number | null>(row.val(null), 'bigint').as('slot'), 'value'])
    .where('key', 'in', places(value, 0, facts))
  const taken = db
    .selectFrom('client_counter')
    .select(['counter as name', (row) => row.ref('slot').$castTo<number | null>().as('slot'), 'units as value'])
    .where((row) =>
      row.or(
        Array.from({ length: counters }, (_, at) =>
          row.and([
            row('counter', '=', value(facts + at * 2)),
            // Slices that count no more are kept for a while, and stay where they are.
            row('slot', '>=', value(facts + at * 2 + 1)),
          ]),
        ),
      ),
    )
  if (counters === 0) return known
  return facts === 0 ? taken : known.unionAll(taken)
}

function bookAll(db: Builds<Tables>, value: Place, count: number): Compilable<unknown> {
  const rows = Array.from({ length: count }, (_, at) => ({
    counter: value(at * 3),
    slot: value(at * 3 + 1),
    units: value(at * 3 + 2),
  }))
  return db
    .insertInto('client_counter')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['counter', 'slot']).doUpdateSet((row) => ({ units: row.ref('excluded.units') })),
    )
}

function writeAll(db: Builds<Tables>, value: Place, count: number): Compilable<unknown> {
  return db
    .insertInto('client_fact')
    .values(Array.from({ length: count }, (_, at) => ({ key: value(at * 2), value: value(at * 2 + 1) })))
    .onConflict((conflict) => conflict.column('key').doUpdateSet((row) => ({ value: row.ref('excluded.value') })))
}

const places = (value: Place, from: number, count: number) => Array.from({ length: count }, (_, at) => value(from + at))

/** A statement for each number of values: policies and challenges ask for few different numbers. */
function byCounts<Found>(
  store: Store<Tables>,
  build: (db: Builds<Tables>, value: Place, first: number, second: number) => Compilable<Found>,
) {
  const known = new Map<string, ReturnType<typeof made>>()
  const made = (first: number, second: number) =>
    store.statement<readonly (string | number)[], Found>((db, value) =>
      // A place fits wherever a value does.
      build(db, (at) => value(at) as never, first, second),
    )
  return (first: number, second = 0) => {
    const name = `${first} ${second}`
    const before = known.get(name)
    if (before !== undefined) return before
    const fresh = made(first, second)
    known.set(name, fresh)
    return fresh
  }
}
