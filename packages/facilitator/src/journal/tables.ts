import type { Migrations } from '@groat/store'
import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely'
import {
  type AttemptStatus,
  carriedStates,
  liveStatuses,
  openStates,
  type RideStatus,
  type SettlementState,
  watchedStates,
} from './state.js'

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
    /** The replica that carries it; nobody yet while it is null. */
    owner: string | null
    /** The signer that the payment itself names. */
    signer: string | null
    /** Its place among the payer's claims: a payer's means go to the earlier ones first. */
    place: number
    /** The request as JSON, so that a restart can go on. It holds the payer's signature: it never leaves the process. */
    request: string
    created_at: number
    updated_at: number
  }
  /** Bytes that were signed. Those that outbid each other share a slot. */
  attempt: {
    hash: string
    slot: string
    network: string
    signer: string
    nonce: number | null
    raw: string
    status: AttemptStatus
    /** What the chain's driver decided for it (fees, gas), as JSON. */
    details: string | null
    /** What it may cost at the most, in the chain's own coin. */
    max_cost: string | null
    /** What it did cost. */
    fee: string | null
    signed_at: number
    sent_at: number | null
  }
  /** Which payments a slot carries. */
  ride: { slot: string; pid: string; status: RideStatus }
  /** A signer on a chain: its next nonce, and which replica may use it. Every holder has a higher fence than the one before. */
  lane: {
    network: string
    signer: string
    next: number
    owner: string | null
    fence: number
    lease_until: number
  }
  /** Processes that share this journal, and where they run. */
  replica: { id: string; host: string; process: number; lease_until: number }
  /** What is kept of a payer to protect from it: how many claims there were, and lately how many transactions that failed. */
  payer: { network: string; payer: string; claims: number; failures: number; failing_since: number }
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
  /** What happened, in chains: each entry has the hash of the one before it by the same writer. */
  event: {
    writer: string
    seq: number
    pid: string
    from_state: SettlementState | null
    to_state: SettlementState
    at: number
    code: string | null
    prev_hash: string
    hash: string
  }
  /** What others have to be told; written with the change itself. */
  outbox: {
    id: string
    topic: string
    pid: string
    payload: string
    created_at: number
    published_at: number | null
  }
}

/** How the tables come to be. A step that is released never changes. */
export const journalMigrations: Migrations = {
  namespace: 'facilitator',
  steps: { '001_journal': createTables, '002_growth': createGrowthIndexes },
}

/**
 * A row's state is one of these, written out: an index over some states serves a query only that names the same ones as constants.
 *
 * @example
 * db.selectFrom('settlement').selectAll().where(inStates(openStates))
 */
export function inStates(states: readonly SettlementState[]): RawBuilder<SqlBool> {
  return sql<SqlBool>`state in (${sql.join(states.map((state) => sql.lit(state)))})`
}

/** The same of an attempt: it may still land. */
export const isLiveAttempt: RawBuilder<SqlBool> = sql<SqlBool>`status in (${sql.join(liveStatuses.map((status) => sql.lit(status)))})`

async function createTables(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
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
    .addColumn('owner', 'text')
    .addColumn('signer', 'text')
    .addColumn('place', 'bigint', (c) => c.notNull())
    .addColumn('request', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute()
  await schema.createIndex('settlement_open').on('settlement').column('payer').where(inStates(openStates)).execute()
  await schema
    .createIndex('settlement_watched')
    .on('settlement')
    .column('owner')
    .where(inStates(watchedStates))
    .execute()
  await schema
    .createIndex('settlement_free')
    .on('settlement')
    .column('network')
    .where(inStates(['claimed']))
    .execute()
  await schema
    .createTable('attempt')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('slot', 'text', (c) => c.notNull())
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('signer', 'text', (c) => c.notNull())
    .addColumn('nonce', 'bigint')
    .addColumn('raw', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('details', 'text')
    .addColumn('max_cost', 'text')
    .addColumn('fee', 'text')
    .addColumn('signed_at', 'bigint', (c) => c.notNull())
    .addColumn('sent_at', 'bigint')
    .execute()
  await schema.createIndex('attempt_slot').on('attempt').column('slot').execute()
  await schema.createIndex('attempt_lane').on('attempt').columns(['network', 'signer', 'nonce']).execute()
  await schema
    .createTable('ride')
    .addColumn('slot', 'text', (c) => c.notNull())
    .addColumn('pid', 'text', (c) => c.notNull().references('settlement.pid'))
    .addColumn('status', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ride_key', ['slot', 'pid'])
    .execute()
  // The law itself, not only the code that keeps it: one payment, one nonce under which it can land.
  const live = sql<boolean>`status = 'live'`
  await schema.createIndex('ride_live').on('ride').column('pid').unique().where(live).execute()
  await schema.createIndex('ride_pid').on('ride').column('pid').execute()
  await schema
    .createTable('lane')
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('signer', 'text', (c) => c.notNull())
    .addColumn('next', 'bigint', (c) => c.notNull())
    .addColumn('owner', 'text')
    .addColumn('fence', 'bigint', (c) => c.notNull())
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('lane_key', ['network', 'signer'])
    .execute()
  await schema
    .createTable('replica')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('host', 'text', (c) => c.notNull())
    .addColumn('process', 'bigint', (c) => c.notNull())
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .execute()
  await schema
    .createTable('payer')
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('payer', 'text', (c) => c.notNull())
    .addColumn('claims', 'bigint', (c) => c.notNull())
    .addColumn('failures', 'bigint', (c) => c.notNull())
    .addColumn('failing_since', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('payer_key', ['network', 'payer'])
    .execute()
  await schema
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
  await schema
    .createTable('event')
    .addColumn('writer', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('pid', 'text', (c) => c.notNull())
    .addColumn('from_state', 'text')
    .addColumn('to_state', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('code', 'text')
    .addColumn('prev_hash', 'text', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('event_key', ['writer', 'seq'])
    .execute()
  await schema.createIndex('event_pid').on('event').column('pid').execute()
  await schema
    .createTable('outbox')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('topic', 'text', (c) => c.notNull())
    .addColumn('pid', 'text', (c) => c.notNull())
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('published_at', 'bigint')
    .execute()
  await schema
    .createIndex('outbox_open')
    .on('outbox')
    .column('created_at')
    .where(sql<boolean>`published_at is null`)
    .execute()
}

/** What is asked again and again costs the same however long the journal has grown. */
async function createGrowthIndexes(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createIndex('settlement_carried')
    .on('settlement')
    .columns(['owner', 'state'])
    .where(inStates(carriedStates))
    .execute()
  await schema.createIndex('attempt_live').on('attempt').columns(['network', 'signer']).where(isLiveAttempt).execute()
  await schema.createIndex('attempt_signed').on('attempt').columns(['network', 'signed_at']).execute()
}
