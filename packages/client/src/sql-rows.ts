import { isNetwork, isPid, X402Error } from '@groat/core'
import type { Migrations } from '@groat/store'
import type { Entry } from './entry.js'
import type { Intent, IntentState } from './intents.js'
import type { Note, PaymentRecord } from './purse.js'

/** One payment, as it stands in its table. */
export type Row = {
  readonly id: string
  readonly request_key: string
  readonly exclusive: number
  readonly fingerprint: string
  readonly origin: string
  readonly challenge: string
  readonly pid: string
  readonly x402_version: number
  readonly scheme: string
  readonly network: string
  readonly asset: string
  readonly pay_to: string
  readonly payer: string
  readonly amount: string
  readonly expires_at: number
  readonly created_at: number
  readonly state: IntentState
  readonly header_name: string | null
  readonly header_value: string | null
  readonly tx: string | null
  readonly owner: string | null
  readonly claimed_until: number
  readonly terms: string | null
  readonly metadata: string | null
  readonly charges: string | null
  readonly note: string | null
}

/**
 * A row whose columns come one by one.
 *
 * @example
 * columns((name) => name).pay_to // 'pay_to'
 */
export function columns(value: <Name extends keyof Row>(name: Name) => Row[Name]): Row {
  return {
    id: value('id'),
    request_key: value('request_key'),
    exclusive: value('exclusive'),
    fingerprint: value('fingerprint'),
    origin: value('origin'),
    challenge: value('challenge'),
    pid: value('pid'),
    x402_version: value('x402_version'),
    scheme: value('scheme'),
    network: value('network'),
    asset: value('asset'),
    pay_to: value('pay_to'),
    payer: value('payer'),
    amount: value('amount'),
    expires_at: value('expires_at'),
    created_at: value('created_at'),
    state: value('state'),
    header_name: value('header_name'),
    header_value: value('header_value'),
    tx: value('tx'),
    owner: value('owner'),
    claimed_until: value('claimed_until'),
    terms: value('terms'),
    metadata: value('metadata'),
    charges: value('charges'),
    note: value('note'),
  }
}

/** The tables of a purse. */
export type Tables = {
  readonly client_intent: Row
  readonly client_fact: { readonly key: string; readonly value: string }
  /** What was taken of a budget within one slice of time: units as decimal text. */
  readonly client_counter: { readonly counter: string; readonly slot: number; readonly units: string }
}

/** How the tables came to be. */
export const migrations: Migrations = {
  namespace: 'client',
  steps: {
    '001_intent': async (db) => {
      await db.schema
        .createTable('client_intent')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('request_key', 'text', (column) => column.notNull())
        .addColumn('exclusive', 'integer', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('origin', 'text', (column) => column.notNull())
        .addColumn('challenge', 'text', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull().unique())
        .addColumn('x402_version', 'integer', (column) => column.notNull())
        .addColumn('scheme', 'text', (column) => column.notNull())
        .addColumn('network', 'text', (column) => column.notNull())
        .addColumn('asset', 'text', (column) => column.notNull())
        .addColumn('pay_to', 'text', (column) => column.notNull())
        .addColumn('payer', 'text', (column) => column.notNull())
        .addColumn('amount', 'text', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('header_name', 'text')
        .addColumn('header_value', 'text')
        .addColumn('tx', 'text')
        .addColumn('owner', 'text')
        .addColumn('claimed_until', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex('client_intent_request_key')
        .on('client_intent')
        .columns(['request_key', 'state'])
        .execute()
    },
    '002_purse': async (db) => {
      for (const column of ['terms', 'metadata', 'charges', 'note']) {
        await db.schema.alterTable('client_intent').addColumn(column, 'text').execute()
      }
      await db.schema.createIndex('client_intent_created_at').on('client_intent').columns(['created_at']).execute()
      await db.schema
        .createTable('client_fact')
        .addColumn('key', 'text', (column) => column.primaryKey())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute()
      await db.schema
        .createTable('client_counter')
        .addColumn('counter', 'text', (column) => column.notNull())
        .addColumn('slot', 'bigint', (column) => column.notNull())
        .addColumn('units', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('client_counter_key', ['counter', 'slot'])
        .execute()
    },
    // The same request may have been paid for a million times; what is alive of it is found at once.
    '003_living': async (db) => {
      await db.schema.dropIndex('client_intent_request_key').execute()
      await db.schema
        .createIndex('client_intent_living')
        .on('client_intent')
        .columns(['request_key', 'state', 'exclusive'])
        .execute()
    },
  },
}

type EntryColumns = 'terms' | 'metadata' | 'charges'

/** What is written of an intent. */
export function rowFrom(intent: Intent): Omit<Row, 'owner' | 'claimed_until' | EntryColumns | 'note'> {
  const { id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state } = intent
  return {
    ...{ id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state },
    request_key: intent.key,
    exclusive: intent.exclusive ? 1 : 0,
    x402_version: intent.x402Version,
    pay_to: intent.payTo,
    amount: intent.amount.toString(),
    // Times in a database are milliseconds.
    expires_at: Math.ceil(intent.expiresAt * 1000),
    created_at: intent.createdAt,
    header_name: intent.payment?.name ?? null,
    header_value: intent.payment?.value ?? null,
    tx: intent.transaction ?? null,
  }
}

/** What is written of the entry that goes with it. */
export function rowOfEntry(entry: Entry | undefined): Pick<Row, EntryColumns> {
  if (entry === undefined) return { terms: null, metadata: null, charges: null }
  const { terms, metadata, charges } = entry
  const booked = charges.map(({ counter, slot, units }) => [counter, slot, units.toString()])
  return { terms, metadata: JSON.stringify(metadata), charges: JSON.stringify(booked) }
}

/** Everything that is kept of a payment. */
export function recordFrom(row: Row): PaymentRecord {
  return {
    intent: intentFrom(row),
    terms: row.terms ?? '',
    metadata: parseObject<Record<string, string>>(row.metadata),
    note: parseObject<Note>(row.note),
  }
}

/** What this module wrote itself. */
export function parseObject<T extends object>(text: string | null): T {
  return JSON.parse(text ?? '{}')
}

/** The intent of a row. Throws `X402Error` `store_unavailable` where it is not one that this module wrote. */
export function intentFrom(row: Row): Intent {
  const { id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state } = row
  if (!isPid(pid) || !isNetwork(network)) throw new X402Error('store_unavailable', { reason: 'corrupt', intent: id })
  return {
    ...{ id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state },
    key: row.request_key,
    exclusive: row.exclusive === 1,
    x402Version: row.x402_version === 1 ? 1 : 2,
    payTo: row.pay_to,
    amount: BigInt(row.amount),
    expiresAt: row.expires_at / 1000,
    createdAt: row.created_at,
    ...(row.header_name !== null &&
      row.header_value !== null && { payment: { name: row.header_name, value: row.header_value } }),
    ...(row.tx !== null && { transaction: row.tx }),
  }
}
