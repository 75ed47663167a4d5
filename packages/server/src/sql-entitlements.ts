import type { AnyStore, Store } from '@groat/store'
import type { Kysely } from 'kysely'
import { type Balance, type Entitlements, takenFrom } from './entitlements.js'
import { type Book, withBook } from './ledger/book.js'

/** The tables of entitlements, beside those of claims. */
export type EntitlementTables = {
  readonly server_entitlement: Row
  /** One row: the key that bearers are made with. */
  readonly server_key: { readonly one: 1; readonly key: Uint8Array }
}

/** Entitlements in a database: a use is one conditional update, so processes cannot take the same one. */
export async function sqlEntitlements(shared: AnyStore, book: Book | undefined): Promise<Entitlements> {
  const store = shared.withTables<EntitlementTables>()
  return {
    key: await keyOf(store),
    grant: ({ pid, scope, uses, seconds, credit, proof }) =>
      store.transaction(async (trx) => {
        const expires_at = seconds === undefined ? null : (await store.now(trx)) + seconds * 1000
        await trx
          .insertInto('server_entitlement')
          .values({ pid, scope, proof, left_uses: uses ?? null, expires_at, credit: credit?.toString() ?? null })
          .onConflict((conflict) => conflict.column('pid').doNothing())
          .execute()
        const row = trx.selectFrom('server_entitlement').selectAll().where('pid', '=', pid)
        return balanceOf(await row.executeTakeFirstOrThrow())
      }),
    // The update takes hold of the row and looks at it again when it has: uses of one bundle wait for one another, and none has to begin anew.
    redeem: (pid, scope, { most, ...use } = {}) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
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
        if (row === undefined || (row.credit !== null && BigInt(row.credit) <= 0n)) return undefined
        await book?.used(withBook(trx), { pid, at: now, left: row.left_uses ?? undefined, ...use })
        if (row.credit === null) return { ...balanceOf(row), proof: row.proof }
        const whole = BigInt(row.credit)
        const taken = takenFrom(whole, most) ?? 0n
        const credit = whole - taken
        // The row is ours: it was written to above.
        await trx.updateTable('server_entitlement').set({ credit: credit.toString() }).where('pid', '=', pid).execute()
        return { ...balanceOf(row), credit, taken, proof: row.proof }
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
}

function balanceOf({ left_uses, credit, expires_at }: Row): Balance {
  return {
    ...(credit === null ? {} : { credit: BigInt(credit) > 0n ? BigInt(credit) : 0n }),
    ...(left_uses === null ? {} : { left: left_uses }),
    ...(expires_at === null ? {} : { expiresAt: expires_at }),
  }
}
