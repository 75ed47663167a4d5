import type { Pid } from '@groat/core'
import type { AnyStore, Migrations, Store } from '@groat/store'
import { MAX_TRIED, type SignIns } from './sign-ins.js'

/**
 * Sign-ins in a database, shared by every process that serves the routes, and kept over crashes. Brings its own tables.
 * Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const extensions = [signIns({ store: await sqlSignIns(store) })]
 */
export async function sqlSignIns(anyStore: AnyStore): Promise<SignIns> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)
  let sweptAt = 0
  return {
    key: await keyOf(store),
    consume: (nonce, until) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
        if (now - sweptAt >= SWEEP_EVERY_MS) {
          sweptAt = now
          await trx.deleteFrom('ext_sign_in_nonce').where('until', '<=', now).execute()
          await trx.deleteFrom('ext_sign_in_paid').where('expires_at', '<=', now).execute()
        }
        const taken = await trx
          .insertInto('ext_sign_in_nonce')
          .values({ nonce, until })
          .onConflict((conflict) => conflict.column('nonce').doNothing())
          .returning('nonce')
          .executeTakeFirst()
        return taken !== undefined
      }),
    record: (account, scope, { pid, network, expiresAt }) =>
      store.transaction(async (trx) => {
        const row = { pid, account, scope, network, expires_at: expiresAt ?? null, granted_at: await store.now(trx) }
        await trx
          .insertInto('ext_sign_in_paid')
          .values(row)
          .onConflict((conflict) => conflict.column('pid').doNothing())
          .execute()
      }),
    paid: async (account, scope) => {
      const now = await store.now()
      const rows = await store.db
        .selectFrom('ext_sign_in_paid')
        .select(['pid', 'network'])
        .where('account', '=', account)
        .where('scope', '=', scope)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
        .orderBy('granted_at', 'desc')
        .limit(MAX_TRIED)
        .execute()
      // What was written here is what a gate had named.
      return rows.map(({ pid, network }) => ({ pid: pid as Pid, network }))
    },
  }
}

async function keyOf(store: Store<Tables>): Promise<Uint8Array<ArrayBuffer>> {
  const row = await store.transaction(async (trx) => {
    const key = globalThis.crypto.getRandomValues(new Uint8Array(32))
    await trx
      .insertInto('ext_sign_in_key')
      .values({ one: 1, key })
      .onConflict((conflict) => conflict.column('one').doNothing())
      .execute()
    return trx.selectFrom('ext_sign_in_key').select('key').executeTakeFirstOrThrow()
  })
  return Uint8Array.from(row.key)
}

type Tables = {
  /** One row: the key that challenges are made with. */
  readonly ext_sign_in_key: { readonly one: 1; readonly key: Uint8Array }
  readonly ext_sign_in_nonce: { readonly nonce: string; readonly until: number }
  readonly ext_sign_in_paid: {
    readonly pid: string
    readonly account: string
    readonly scope: string
    readonly network: string
    readonly granted_at: number
    readonly expires_at: number | null
  }
}

const SWEEP_EVERY_MS = 600_000

const migrations: Migrations = {
  namespace: 'ext_sign_in',
  steps: {
    '001_sign_in': async (db) => {
      await db.schema
        .createTable('ext_sign_in_key')
        .addColumn('one', 'integer', (column) => column.primaryKey())
        .addColumn('key', 'bytea', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('ext_sign_in_nonce')
        .addColumn('nonce', 'text', (column) => column.primaryKey())
        .addColumn('until', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('ext_sign_in_nonce_until').on('ext_sign_in_nonce').column('until').execute()
      await db.schema
        .createTable('ext_sign_in_paid')
        .addColumn('pid', 'text', (column) => column.primaryKey())
        .addColumn('account', 'text', (column) => column.notNull())
        .addColumn('scope', 'text', (column) => column.notNull())
        .addColumn('network', 'text', (column) => column.notNull())
        .addColumn('granted_at', 'bigint', (column) => column.notNull())
        .addColumn('expires_at', 'bigint')
        .execute()
      await db.schema
        .createIndex('ext_sign_in_paid_account')
        .on('ext_sign_in_paid')
        .columns(['account', 'scope', 'granted_at'])
        .execute()
    },
  },
}
