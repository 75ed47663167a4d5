import type { Pid } from '@groat/core'
import type { Migrations } from '@groat/store'
import type { Account, Entry, EntryKind } from './entry.js'
import type { LedgerEventType } from './event.js'

/** The tables of the books. */
export type LedgerTables = { readonly ledger_entry: EntryRow; readonly ledger_event: EventRow }

/** An entry as it is stored. */
export type EntryRow = {
  readonly id: string
  readonly kind: EntryKind
  readonly pid: string
  readonly at: number
  readonly debit: Account
  readonly credit: Account
  readonly network: string
  readonly asset: string
  /** Decimal text. */
  readonly amount: string
  readonly from_account: string
  readonly to_account: string
  readonly transaction_id: string
  readonly resource: string
  readonly route: string
  readonly scheme: string
  readonly group_name: string | null
  readonly description: string | null
  readonly uses: number | null
  readonly fiat_currency: string | null
  readonly fiat_value: string | null
}

/** An event as it is stored. */
export type EventRow = {
  readonly id: string
  /** Given when it is first read: so that what was written later never stands before what was read. */
  readonly seq: number | null
  readonly type: LedgerEventType
  readonly at: number
  readonly pid: string
  /** JSON. */
  readonly data: string
  /** When it has to be sent next; nothing: it has been, or need not be. */
  readonly due_at: number | null
  readonly failures: number
}

/** Makes the tables. */
export const ledgerMigrations: Migrations = {
  namespace: 'ledger',
  steps: {
    '001_entry': async (db) => {
      await db.schema
        .createTable('ledger_entry')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('debit', 'text', (column) => column.notNull())
        .addColumn('credit', 'text', (column) => column.notNull())
        .addColumn('network', 'text', (column) => column.notNull())
        .addColumn('asset', 'text', (column) => column.notNull())
        .addColumn('amount', 'text', (column) => column.notNull())
        .addColumn('from_account', 'text', (column) => column.notNull())
        .addColumn('to_account', 'text', (column) => column.notNull())
        .addColumn('transaction_id', 'text', (column) => column.notNull())
        .addColumn('resource', 'text', (column) => column.notNull())
        .addColumn('route', 'text', (column) => column.notNull())
        .addColumn('scheme', 'text', (column) => column.notNull())
        .addColumn('group_name', 'text')
        .addColumn('description', 'text')
        .addColumn('uses', 'integer')
        .addColumn('fiat_currency', 'text')
        .addColumn('fiat_value', 'text')
        .execute()
      await db.schema.createIndex('ledger_entry_at').on('ledger_entry').columns(['at', 'id']).execute()
      await db.schema.createIndex('ledger_entry_pid').on('ledger_entry').column('pid').execute()
    },
    '002_event': async (db) => {
      await db.schema
        .createTable('ledger_event')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('seq', 'bigint', (column) => column.unique())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .addColumn('due_at', 'bigint')
        .addColumn('failures', 'integer', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('ledger_event_due').on('ledger_event').column('due_at').execute()
    },
    '003_transaction': async (db) => {
      await db.schema.createIndex('ledger_entry_transaction').on('ledger_entry').column('transaction_id').execute()
    },
  },
}

/** Writes an entry as a row. */
export function rowOf(entry: Entry): EntryRow {
  const { from, to, transaction, group, fiat, amount, ...same } = entry
  const { id, kind, pid, at, debit, credit, network, asset, resource, route, scheme } = same
  return {
    ...{ id, kind, pid, at, debit, credit, network, asset, resource, route, scheme },
    amount: amount.toString(),
    from_account: from,
    to_account: to,
    transaction_id: transaction,
    group_name: group ?? null,
    description: entry.description ?? null,
    uses: entry.uses ?? null,
    fiat_currency: fiat?.currency ?? null,
    fiat_value: fiat?.value ?? null,
  }
}

/** Reads a row. */
export function entryOf(row: EntryRow): Entry {
  const { id, kind, at, debit, credit, network, asset, resource, route, scheme } = row
  return {
    ...{ id, kind, at, debit, credit, network, asset, resource, route, scheme },
    // A codec: nothing else was written.
    pid: row.pid as Pid,
    amount: BigInt(row.amount),
    from: row.from_account,
    to: row.to_account,
    transaction: row.transaction_id,
    ...(row.group_name === null ? {} : { group: row.group_name }),
    ...(row.description === null ? {} : { description: row.description }),
    ...(row.uses === null ? {} : { uses: row.uses }),
    ...(row.fiat_currency === null || row.fiat_value === null
      ? {}
      : { fiat: { currency: row.fiat_currency, value: row.fiat_value } }),
  }
}
