import type { Migrations } from '@groat/store'
import { type Kysely, sql } from 'kysely'
import { shortenRows } from './short-rows.js'
import { isLiveAttempt } from './tables.js'

// The states as those steps knew them.
const isOpen = sql<boolean>`state in ('claimed', 'signed', 'sent', 'mined', 'reorged')`
const isWatched = sql<boolean>`state in ('mined', 'settled')`
const isCarried = sql<boolean>`state in ('claimed', 'signed', 'sent', 'mined', 'reorged', 'settled')`
const isClaimed = sql<boolean>`state in ('claimed')`

/** How the tables come to be. A step that is released never changes. */
export const journalMigrations: Migrations = {
  namespace: 'facilitator',
  steps: {
    '001_journal': createTables,
    '002_growth': createGrowthIndexes,
    '003_service': addService,
    '004_archive': addArchive,
    '005_event_order': orderEvents,
    '006_short_rows': shortenRows,
    '007_chain': addChains,
    '008_reach': addReach,
  },
}

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
  await schema.createIndex('settlement_open').on('settlement').column('payer').where(isOpen).execute()
  await schema.createIndex('settlement_watched').on('settlement').column('owner').where(isWatched).execute()
  await schema.createIndex('settlement_free').on('settlement').column('network').where(isClaimed).execute()
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
  await schema.createIndex('settlement_carried').on('settlement').columns(['owner', 'state']).where(isCarried).execute()
  await schema.createIndex('attempt_live').on('attempt').columns(['network', 'signer']).where(isLiveAttempt).execute()
  await schema.createIndex('evidence_found').on('evidence').columns(['network', 'found_at']).execute()
  await schema.createIndex('evidence_block').on('evidence').columns(['network', 'block_number']).execute()
  await schema.createIndex('attempt_signed').on('attempt').columns(['network', 'signed_at']).execute()
}

/** Tenants, what they are told, and what all replicas count together. */
async function addService(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema.alterTable('settlement').addColumn('tenant', 'text').execute()
  await schema
    .alterTable('settlement')
    .addColumn('told', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema.createIndex('settlement_tenant_open').on('settlement').column('tenant').where(isOpen).execute()
  await schema
    .alterTable('outbox')
    .addColumn('turn', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema
    .createTable('delivery')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('message', 'text', (c) => c.notNull().references('outbox.id'))
    .addColumn('endpoint', 'text', (c) => c.notNull())
    .addColumn('pid', 'text', (c) => c.notNull())
    .addColumn('turn', 'bigint', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('tries', 'bigint', (c) => c.notNull())
    .addColumn('due_at', 'bigint', (c) => c.notNull())
    .addColumn('owner', 'text')
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .addColumn('said', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
  await schema
    .createIndex('delivery_due')
    .on('delivery')
    .columns(['endpoint', 'due_at'])
    .where(sql<boolean>`status = 'waiting'`)
    .execute()
  await schema.createIndex('delivery_message').on('delivery').column('message').execute()
  await schema
    .createIndex('delivery_owner')
    .on('delivery')
    .column('owner')
    .where(sql<boolean>`owner is not null`)
    .execute()
  await schema.createIndex('delivery_order').on('delivery').columns(['endpoint', 'pid', 'turn']).execute()
  await schema
    .createTable('quota')
    .addColumn('key', 'text', (c) => c.primaryKey())
    .addColumn('left', 'bigint', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute()
}

/** Where the chains of events begin, since what came before was moved away. */
async function addArchive(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('chain_start')
    .addColumn('writer', 'text', (c) => c.primaryKey())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('hash', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('outbox_pid').on('outbox').column('pid').execute()
}

/** Events are found by when their payment was claimed: an index over random keys has another page written for each entry. */
async function orderEvents(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .alterTable('event')
    .addColumn('claimed_at', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  await sql`update event set claimed_at = coalesce((select created_at from settlement where settlement.pid = event.pid), 0)`.execute(
    db,
  )
  await schema.dropIndex('event_pid').execute()
  await schema.createIndex('event_claimed').on('event').column('claimed_at').execute()
}

/** What was checked before blocks were undone is not good enough to be signed for, whichever replica learnt of it. */
async function addChains(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('chain')
    .addColumn('network', 'text', (c) => c.primaryKey())
    .addColumn('undone', 'bigint', (c) => c.notNull())
    .execute()
}

/** Who cannot ask a chain leaves it to those who can. */
async function addReach(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('replica')
    .addColumn('reaches', 'text', (c) => c.notNull().defaultTo(''))
    .execute()
}
