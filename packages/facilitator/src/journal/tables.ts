import type { Migrations } from '@groat/store'
import { type Kysely, sql } from 'kysely'
import type { AttemptStatus, SettlementState } from './state.js'

/** The tables of the journal. Amounts are decimal text, `valid_before` is in seconds, every other time in milliseconds. */
export type JournalTables = {
  settlement: {
    pid: string
    rid: string
    network: string
    scheme: string
    payer: string
    pay_to: string
    asset: string
    amount: string
    valid_before: number
    state: SettlementState
    /** Registry code of a refusal. */
    reason: string | null
    /** Words of a refusal that are safe to show. */
    detail: string | null
    /** The request as JSON, so that a restart can go on. It holds the payer's signature: it never leaves the process. */
    request: string
    created_at: number
    updated_at: number
  }
  attempt: {
    hash: string
    pid: string
    network: string
    signer: string
    nonce: number | null
    raw: string
    status: AttemptStatus
    /** What the chain's driver decided for it (fees, gas), as JSON. */
    details: string | null
    signed_at: number
    sent_at: number | null
  }
  signer_nonce: { network: string; signer: string; next: number }
  evidence: {
    network: string
    transaction: string
    log_index: number
    pid: string
    block_number: number
    block_hash: string
    amount: string
    fee: string | null
    found_at: number
  }
  event: {
    pid: string
    seq: number
    from_state: SettlementState | null
    to_state: SettlementState
    at: number
    code: string | null
  }
}

/** How the tables come to be. A step that is released never changes. */
export const journalMigrations: Migrations = { namespace: 'facilitator', steps: { '001_journal': createTables } }

async function createTables(db: Kysely<unknown>): Promise<void> {
  const live = sql<boolean>`status in ('signed', 'sent')`
  await db.schema
    .createTable('settlement')
    .addColumn('pid', 'text', (c) => c.primaryKey())
    .addColumn('rid', 'text', (c) => c.notNull())
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('scheme', 'text', (c) => c.notNull())
    .addColumn('payer', 'text', (c) => c.notNull())
    .addColumn('pay_to', 'text', (c) => c.notNull())
    .addColumn('asset', 'text', (c) => c.notNull())
    .addColumn('amount', 'text', (c) => c.notNull())
    .addColumn('valid_before', 'bigint', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addColumn('detail', 'text')
    .addColumn('request', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute()
  await db.schema
    .createIndex('settlement_open')
    .on('settlement')
    .column('state')
    .where(sql<boolean>`state in ('claimed', 'signed', 'sent')`)
    .execute()
  await db.schema
    .createTable('attempt')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('pid', 'text', (c) => c.notNull().references('settlement.pid'))
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('signer', 'text', (c) => c.notNull())
    .addColumn('nonce', 'bigint')
    .addColumn('raw', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('details', 'text')
    .addColumn('signed_at', 'bigint', (c) => c.notNull())
    .addColumn('sent_at', 'bigint')
    .execute()
  // The law itself, not only the code that keeps it: one payment, one transaction that can land.
  await db.schema.createIndex('attempt_live').on('attempt').column('pid').unique().where(live).execute()
  await db.schema.createIndex('attempt_pid').on('attempt').column('pid').execute()
  await db.schema
    .createIndex('attempt_lane')
    .on('attempt')
    .columns(['network', 'signer', 'nonce'])
    .where(live)
    .execute()
  await db.schema
    .createTable('signer_nonce')
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('signer', 'text', (c) => c.notNull())
    .addColumn('next', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('signer_nonce_key', ['network', 'signer'])
    .execute()
  await db.schema
    .createTable('evidence')
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('transaction', 'text', (c) => c.notNull())
    .addColumn('log_index', 'bigint', (c) => c.notNull())
    .addColumn('pid', 'text', (c) => c.notNull().unique().references('settlement.pid'))
    .addColumn('block_number', 'bigint', (c) => c.notNull())
    .addColumn('block_hash', 'text', (c) => c.notNull())
    .addColumn('amount', 'text', (c) => c.notNull())
    .addColumn('fee', 'text')
    .addColumn('found_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('evidence_key', ['network', 'transaction', 'log_index'])
    .execute()
  await db.schema
    .createTable('event')
    .addColumn('pid', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('from_state', 'text')
    .addColumn('to_state', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('code', 'text')
    .addPrimaryKeyConstraint('event_key', ['pid', 'seq'])
    .execute()
}
