import { type Pid, X402Error } from '@groat/core'
import type { AnyStore, Store } from '@groat/store'
import type { ColumnType, Generated, Kysely, Transaction } from 'kysely'
import {
  type Balance,
  type Entitlements,
  type EntitlementUse,
  lotFor,
  type Redeemed,
  sumOf,
  takeUse,
} from './entitlements.js'
import { type Book, type BookedUse, withBook } from './ledger/book.js'
import { together } from './together.js'

/** The tables of entitlements, beside those of claims. */
export type EntitlementTables = {
  readonly server_entitlement: Omit<Row, 'tops' | 'topped' | 'granted_at'> & {
    readonly tops: ColumnType<string | null, string | null | undefined>
    readonly topped: Generated<number>
    readonly granted_at: Generated<number>
  }
  /** One row: the key that bearers are made with. */
  readonly server_key: { readonly one: 1; readonly key: Uint8Array }
}

/**
 * Entitlements in a database. Who takes uses holds the rows of what was bought, so processes cannot take the same one; those that wait for one entitlement in this
 * process are taken together, in one transaction.
 */
export async function sqlEntitlements(shared: AnyStore, book: Book | undefined): Promise<Entitlements> {
  const store = shared.withTables<EntitlementTables>()
  const held = store.statement<{ pid: string }, Row>((db, value) => {
    const row = db.selectFrom('server_entitlement').selectAll().where('pid', '=', value('pid'))
    // On SQLite there is one transaction at a time.
    return store.kind === 'postgres' ? row.forUpdate() : row
  })
  const write = store.statement<Pick<Row, 'pid' | 'left_uses' | 'credit'>>((db, value) =>
    db
      .updateTable('server_entitlement')
      .set({ left_uses: value('left_uses'), credit: value('credit') })
      .where('pid', '=', value('pid')),
  )
  /** What tops an entitlement up, held as well, by all in the same order. */
  const heldToppingUp = (trx: Trx, pid: string) => {
    const rows = trx.selectFrom('server_entitlement').selectAll().where('tops', '=', pid)
    const ordered = rows.orderBy('pid')
    return (store.kind === 'postgres' ? ordered.forUpdate() : ordered).execute()
  }

  const redeemAll = async (
    trx: Trx,
    asked: string,
    wanted: readonly Wanted[],
  ): Promise<readonly (Redeemed | undefined)[]> => {
    const [first] = (await held(trx, { pid: asked })).rows
    if (first === undefined) return wanted.map(() => undefined)
    const at = await store.now(trx)
    const lots = [first, ...(first.topped === 1 ? await heldToppingUp(trx, asked) : [])].map(lotOf)
    // What it adds to itself is only counted.
    const beside = first.tops === null ? [] : (await familyOf(trx, first)).filter(({ pid }) => pid !== asked)
    const all = [...lots, ...beside.map(lotOf)]
    const redeemOne = ({ scope, most, ...use }: Wanted): Redeemed | undefined => {
      const lot = scope === first.scope ? lotFor(lots, at, most) : undefined
      const after = lot && takeUse(lot.balance, at, most)
      if (lot === undefined || after === undefined) return undefined
      lot.balance = after.balance
      lot.uses.push({ at, left: after.balance.left, ...use })
      const { row, balance } = lot
      const { taken } = after
      return {
        ...(all.length === 1 ? balance : sumAt(all, balance, at)),
        proof: row.proof,
        ...(taken === undefined ? {} : { taken }),
        // Our own column: what tops an entitlement up was granted for a payment.
        ...(row.pid === asked ? {} : { pid: row.pid as Pid }),
      }
    }
    const answers = wanted.map(redeemOne)
    for (const { row, balance, uses } of lots) {
      if (uses.length === 0) continue
      const { left = null, credit } = balance
      await write(trx, { pid: row.pid, left_uses: left, credit: credit?.toString() ?? null })
      await book?.used(withBook(trx), row.pid, uses)
    }
    return answers
  }
  const redeem = together(
    (pid, wanted: readonly Wanted[]) => store.transaction((trx) => redeemAll(trx, pid, wanted), ROW_LOCKED),
    // The store is down for all of them.
    X402Error.is,
  )
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
            ...{ pid, scope, proof, left_uses: uses ?? null, expires_at, tops: root, granted_at: now },
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
    redeem: (asked, scope, use = {}) => redeem(asked, { ...use, scope }),
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
          await book.used(withBook(trx), pid, [{ at: await store.now(trx), left, back: true, ...use }])
      }),
  }
}

/** A use that is asked for. */
type Wanted = EntitlementUse & { readonly scope: string; readonly most?: bigint }

/** What one payment bought, while uses are taken of it. */
type Lot = { readonly row: Row; balance: Balance; readonly since: number; readonly uses: BookedUse[] }

const lotOf = (row: Row): Lot => ({ row, balance: balanceOf(row), since: row.granted_at, uses: [] })

/** What is left of several together. */
const sumAt = (all: readonly Pick<Lot, 'balance'>[], kind: Balance, now: number): Balance =>
  sumOf(
    all.flatMap(({ balance }) =>
      balance.left === 0 || (balance.expiresAt !== undefined && balance.expiresAt <= now) ? [] : [balance],
    ),
    kind,
  )

const ROW_LOCKED = { isolation: 'read committed' } as const

type Trx = Transaction<EntitlementTables>

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
  return sumAt((await familyOf(trx, row)).map(lotOf), balanceOf(row), now)
}

/** An entitlement and all that tops it up, of any of them. */
function familyOf(trx: Trx, { pid, tops }: Row): Promise<Row[]> {
  const root = tops ?? pid
  const rows = trx.selectFrom('server_entitlement').selectAll()
  return rows.where((eb) => eb.or([eb('pid', '=', root), eb('tops', '=', root)])).execute()
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

/** When each was bought; a step of the server's migrations. */
export async function addAge(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('server_entitlement')
    .addColumn('granted_at', 'bigint', (column) => column.notNull().defaultTo(0))
    .execute()
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
  /** Milliseconds since 1970; 0 where nobody wrote it down. */
  readonly granted_at: number
}

function balanceOf({ left_uses, credit, expires_at }: Pick<Row, 'left_uses' | 'credit' | 'expires_at'>): Balance {
  return {
    ...(credit === null ? {} : { credit: BigInt(credit) > 0n ? BigInt(credit) : 0n }),
    ...(left_uses === null ? {} : { left: left_uses }),
    ...(expires_at === null ? {} : { expiresAt: expires_at }),
  }
}
