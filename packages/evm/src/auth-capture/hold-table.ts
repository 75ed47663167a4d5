import type { JsonObject } from '@groat/core'
import type { Migrations } from '@groat/store'

/** A hold in the database. Amounts are decimal text. */
export type HoldRow = {
  readonly pid: string
  readonly network: string
  readonly payer: string
  /** The request with which it is collected, as the facilitator gets it. */
  readonly request: string
  readonly state: 'asked' | 'collected'
  readonly capturable: string
  readonly refundable: string
  /** Seconds since 1970. */
  readonly capture_deadline: number
  /** What was asked of the facilitator and is not answered: a `PendingAction`. */
  readonly pending: string | null
}

/** Something that was signed and asked for. */
export type PendingAction = {
  readonly kind: 'capture' | 'void' | 'refund'
  /** Atomic units, as decimal text. */
  readonly amount: string
  readonly payload: JsonObject
}

/** The table of holds. */
export type HoldTables = { readonly evm_hold: HoldRow }

/** Makes the table. */
export const migrations: Migrations = {
  namespace: 'evm_holds',
  steps: {
    '001_hold': async (db) => {
      let table = db.schema.createTable('evm_hold').addColumn('pid', 'text', (column) => column.primaryKey())
      for (const name of ['network', 'payer', 'request', 'state', 'capturable', 'refundable']) {
        table = table.addColumn(name, 'text', (column) => column.notNull())
      }
      await table
        .addColumn('capture_deadline', 'bigint', (column) => column.notNull())
        .addColumn('pending', 'text')
        .execute()
      await db.schema.createIndex('evm_hold_deadline').on('evm_hold').column('capture_deadline').execute()
    },
  },
}
