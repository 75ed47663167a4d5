import type { Pid } from '@groat/core'
import type { AnyStore, Migrations } from '@groat/store'
import type { Identifiers } from './identifiers.js'

/**
 * Names of payments in a database, shared by every process that serves the routes, and kept over crashes. Brings its own table.
 * Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const extensions = [paymentIdentifiers({ store: await sqlIdentifiers(store) })]
 */
export async function sqlIdentifiers(anyStore: AnyStore): Promise<Identifiers> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)
  let sweptAt = 0
  return {
    bind: ({ keepUntil, ...row }) =>
      store.transaction(async (trx) => {
        const now = await store.now(trx)
        if (now - sweptAt >= SWEEP_EVERY_MS) {
          sweptAt = now
          await trx.deleteFrom('ext_payment_identifier').where('keep_until', '<=', now).execute()
        }
        const { payer, id } = row
        await trx
          .deleteFrom('ext_payment_identifier')
          .where('payer', '=', payer)
          .where('id', '=', id)
          .where('keep_until', '<=', now)
          .execute()
        await trx
          .insertInto('ext_payment_identifier')
          .values({ ...row, keep_until: keepUntil })
          .onConflict((conflict) => conflict.columns(['payer', 'id']).doNothing())
          .execute()
        const found = await trx
          .selectFrom('ext_payment_identifier')
          .selectAll()
          .where('payer', '=', payer)
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
        const { keep_until, pid, ...known } = found
        // What was written here is what a gate had named.
        return { ...known, pid: pid as Pid, keepUntil: keep_until }
      }),
    replace: ({ payer, id, keepUntil, ...row }, former) =>
      store.transaction(async (trx) => {
        const taken = await trx
          .updateTable('ext_payment_identifier')
          .set({ ...row, keep_until: keepUntil })
          .where('payer', '=', payer)
          .where('id', '=', id)
          .where('pid', '=', former)
          .returning('pid')
          .executeTakeFirst()
        return taken !== undefined
      }),
  }
}

type Tables = {
  readonly ext_payment_identifier: {
    readonly payer: string
    readonly id: string
    readonly fingerprint: string
    readonly pid: string
    readonly payment: string
    readonly keep_until: number
  }
}

const SWEEP_EVERY_MS = 3_600_000

const migrations: Migrations = {
  namespace: 'ext_payment_identifier',
  steps: {
    '001_identifier': async (db) => {
      await db.schema
        .createTable('ext_payment_identifier')
        .addColumn('payer', 'text', (column) => column.notNull())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull())
        .addColumn('payment', 'text', (column) => column.notNull())
        .addColumn('keep_until', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('ext_payment_identifier_key', ['payer', 'id'])
        .execute()
      await db.schema
        .createIndex('ext_payment_identifier_keep_until')
        .on('ext_payment_identifier')
        .column('keep_until')
        .execute()
    },
  },
}
