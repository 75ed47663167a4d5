import type { Pid } from '@groat/core'
import type { AnyStore, Store } from '@groat/store'
import type { ColumnType, Generated, Kysely, Transaction } from 'kysely'
import { type Balance, type Entitlements, sumOf, takenFrom } from './entitlements.js'
import { type Book, withBook } from './ledger/book.js'

/** The tables of entitlements, beside those of claims. */
export type EntitlementTables = {
  readonly server_entitlement: Omit<Row, 'tops' | 'topped'> & {
    readonly tops: ColumnType<string | null, string | null | undefined>
    readonly topped: Generated<number>
  }
  /** One row: the key that bearers are made with. */
  readonly server_key: { readonly one: 1; readonly key: Uint8Array }
}

/** Entitlements in a database: a use is one conditional update, so processes cannot take the same one. */
export async function sqlEntitlements(shared: AnyStore, book: Book | undefined): Promise<Entitlements> {
  const store = shared.withTables<EntitlementTables>()
  return {
    key: await keyOf(store),
    grant: ({ pid, scope, uses, seconds, credit, proof, tops }) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
        const expires_at = seconds === undefined ? null : now + seconds * 1000
        const root = tops === undefined ? null : await rootOf(trx, tops, scope)
        await trx
          .insertInto('server_entitlement')
          .values({
            ...{ pid, scope, proof, left_uses: uses ?? null, expires_at, tops: root },
            credit: credit?.toString() ?? null,
          })
          .onConflict((conflict) => conflict.column('pid').doNothing())
          .execute()
        const rows = trx.selectFrom('server_entitlement').selectAll().where('pid', '=', pid)
        const row = await rows.executeTakeFirstOrThrow()
        const balance = await balanceAt(trx, row, now)
        // Our own column: what tops an entitlement up was granted for a payment.
        return row.tops === null ? balance : { ...balance, of: row.tops as Pid }
      }),
    redeem: (asked, scope, { most, ...use } = {}) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
        const row = await takeOne(trx, asked, scope, now)
        if (row === undefined) return undefined
        const pid = row.pid as Pid
        const other = pid === asked ? {} : { pid }
        await book?.used(withBook(trx), { pid, at: now, left: row.left_uses ?? undefined, ...use })
        if (row.credit === null) return { ...(await balanceAt(trx, row, now)), proof: row.proof, ...other }
        const whole = BigInt(row.credit)
        const taken = takenFrom(whole, most) ?? 0n
        const credit = (whole - taken).toString()
        // The row is ours: it was written to above.
        await trx.updateTable('server_entitlement').set({ credit }).where('pid', '=', pid).execute()
        return { ...(await balanceAt(trx, { ...row, credit }, now)), taken, proof: row.proof, ...other }
      }, ROW_LOCKED),
    revoke: (pid) =>
      store.transaction(async (trx) => {
        const gone = { left_uses: 0, expires_at: 0 }
        await trx.updateTable('server_entitlement').set(gone).where('pid', '=', pid).execute()
      }),
    giveBack: (pid, { credit, ...use } = {}) =>
      store.transaction(async (trx) => {
        if (credit !== undefined) {
          const row = trx.updateTable('server_entitlement').set((eb) => ({ credit: eb.ref('credit') }))
          const held = await row.where('pid', '=', pid).returning('credit').executeTakeFirst()
          if (held?.credit == null) return
          await trx
            .updateTable('server_entitlement')
            .set({ credit: (BigInt(held.credit) + credit).toString() })
            .where('pid', '=', pid)
            .execute()
          return
        }
        const row = await trx
          .updateTable('server_entitlement')
          .set((eb) => ({ left_uses: eb('left_uses', '+', 1) }))
          .where('pid', '=', pid)
          .where('left_uses', 'is not', null)
          .returning('left_uses')
          .executeTakeFirst()
        const left = row?.left_uses === null || row === undefined ? undefined : row.left_uses - 1
        if (book !== undefined)
          await book.used(withBook(trx), { pid, at: await store.now(trx), left, back: true, ...use })
      }),
  }
}

const ROW_LOCKED = { isolation: 'read committed' } as const

type Trx = Transaction<EntitlementTables>

/** Takes one use of an entitlement, or of what tops it up: of whatever is not used up first. */
async function takeOne(trx: Trx, pid: Pid, scope: string, now: number): Promise<Row | undefined> {
  const row = await takeOf(trx, pid, scope, now)
  if (row !== undefined) return row
  const more = trx.selectFrom('server_entitlement').select('pid').where('tops', '=', pid).where('scope', '=', scope)
  for (const other of await more.orderBy('expires_at').orderBy('pid').execute()) {
    const found = await takeOf(trx, other.pid, scope, now)
    if (found !== undefined) return found
  }
  return undefined
}

/** The update takes hold of the row and looks at it again when it has: uses of one bundle wait for one another, and none has to begin anew. */
async function takeOf(trx: Trx, pid: string, scope: string, now: number): Promise<Row | undefined> {
  const row = await trx
    .updateTable('server_entitlement')
    .set((eb) => ({ left_uses: eb('left_uses', '-', 1) }))
    .where('pid', '=', pid)
    .where('scope', '=', scope)
    .where((eb) => eb.or([eb('left_uses', 'is', null), eb('left_uses', '>', 0)]))
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .returningAll()
    .executeTakeFirst()
  // Below nothing it is where more was given back than was left.
  return row === undefined || (row.credit !== null && BigInt(row.credit) <= 0n) ? undefined : row
}

/** The first entitlement of those that one belongs to, marked as topped up; null where there is none of that scope. */
async function rootOf(trx: Trx, pid: Pid, scope: string): Promise<string | null> {
  const mark = trx.updateTable('server_entitlement').set({ topped: 1 }).where('scope', '=', scope)
  const row = await mark.where('pid', '=', pid).returning(['pid', 'tops']).executeTakeFirst()
  if (row === undefined || row.tops === null) return row?.pid ?? null
  await mark.where('pid', '=', row.tops).execute()
  return row.tops
}

/** What is left of an entitlement, and of what tops it up. */
async function balanceAt(trx: Trx, row: Row, now: number): Promise<Balance> {
  if (row.topped === 0 && row.tops === null) return balanceOf(row)
  const root = row.tops ?? row.pid
  const rows = trx.selectFrom('server_entitlement').selectAll()
  const all = await rows.where((eb) => eb.or([eb('pid', '=', root), eb('tops', '=', root)])).execute()
  const left = all.filter((each) => each.left_uses !== 0 && (each.expires_at === null || each.expires_at > now))
  return sumOf(left.map(balanceOf), balanceOf(row))
}

/** Makes the tables; a step of the server's migrations. */
export async function createEntitlementTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('server_entitlement')
    .addColumn('pid', 'text', (column) => column.primaryKey())
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('left_uses', 'integer')
    .addColumn('expires_at', 'bigint')
    .addColumn('proof', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('server_key')
    .addColumn('one', 'integer', (column) => column.primaryKey())
    .addColumn('key', 'bytea', (column) => column.notNull())
    .execute()
}

/** What adds to what was bought before; a step of the server's migrations. */
export async function addTopUps(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('server_entitlement').addColumn('tops', 'text').execute()
  await db.schema
    .alterTable('server_entitlement')
    .addColumn('topped', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.createIndex('server_entitlement_tops').on('server_entitlement').column('tops').execute()
}

async function keyOf(store: Store<EntitlementTables>): Promise<Uint8Array<ArrayBuffer>> {
  const key = globalThis.crypto.getRandomValues(new Uint8Array(32))
  return store.transaction(async (trx) => {
    await trx
      .insertInto('server_key')
      .values({ one: 1, key })
      .onConflict((conflict) => conflict.column('one').doNothing())
      .execute()
    const row = await trx.selectFrom('server_key').select('key').executeTakeFirstOrThrow()
    return new Uint8Array(row.key)
  })
}

type Row = {
  readonly pid: string
  readonly scope: string
  readonly left_uses: number | null
  /** Milliseconds since 1970. */
  readonly expires_at: number | null
  readonly proof: string
  /** Atomic units, as decimal text. */
  readonly credit: string | null
  /** The payment whose entitlement it adds to. */
  readonly tops: string | null
  /** 1 where something adds to it. */
  readonly topped: number
}

function balanceOf({ left_uses, credit, expires_at }: Pick<Row, 'left_uses' | 'credit' | 'expires_at'>): Balance {
  return {
    ...(credit === null ? {} : { credit: BigInt(credit) > 0n ? BigInt(credit) : 0n }),
    ...(left_uses === null ? {} : { left: left_uses }),
    ...(expires_at === null ? {} : { expiresAt: expires_at }),
  }
}
