import { decodeSettlement, isJsonObject, type Pid, type Receipt, X402Error } from '@groat/core'
import type { Migrations } from '@groat/store'
import type { Answer } from './answer.js'
import { addAge, addTopUps, createEntitlementTables, type EntitlementTables } from './sql-entitlements.js'

/** Where a claim stands. */
export type State = 'claimed' | 'settling' | 'open' | 'settled' | 'refunded'

/** A claim as it is stored. */
export type Row = {
  readonly pid: string
  readonly binding: string
  readonly state: State
  readonly fence: string
  /** Milliseconds since 1970, as all times here. */
  readonly lease_until: number
  readonly expires_at: number
  /** How often some of the answer was sent. */
  readonly partly: number
  /** The answer without its body, as JSON. */
  readonly head: string | null
  readonly body: Uint8Array | null
  readonly receipt: string | null
  /** What is charged, where that was not known with the answer: decimal text. */
  readonly charged: string | null
  readonly evidence: string | null
}

/** The tables of claims, and those beside them. */
export type Tables = EntitlementTables & {
  readonly server_claim: Row
  /** One row: the name of this store. */
  readonly server_audience: { readonly one: 1; readonly audience: string }
}

/** Makes the tables. */
export const migrations: Migrations = {
  namespace: 'server',
  steps: {
    '001_claim': async (db) => {
      await db.schema
        .createTable('server_claim')
        .addColumn('pid', 'text', (column) => column.primaryKey())
        .addColumn('binding', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('fence', 'text', (column) => column.notNull())
        .addColumn('lease_until', 'bigint', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('head', 'text')
        .addColumn('body', 'bytea')
        .addColumn('receipt', 'text')
        .addColumn('evidence', 'text', (column) => column.unique())
        .execute()
      await db.schema.createIndex('server_claim_expires_at').on('server_claim').column('expires_at').execute()
    },
    '002_partly': async (db) => {
      await db.schema
        .alterTable('server_claim')
        .addColumn('partly', 'integer', (column) => column.notNull().defaultTo(0))
        .execute()
    },
    '003_audience': async (db) => {
      await db.schema
        .createTable('server_audience')
        .addColumn('one', 'integer', (column) => column.primaryKey())
        .addColumn('audience', 'text', (column) => column.notNull())
        .execute()
    },
    '004_entitlement': createEntitlementTables,
    '005_metered': async (db) => {
      await db.schema.alterTable('server_claim').addColumn('charged', 'text').execute()
      await db.schema.alterTable('server_entitlement').addColumn('credit', 'text').execute()
    },
    '006_topped': addTopUps,
    '007_age': addAge,
  },
}

/** An answer as the columns that keep it. */
export function rowFrom({ body, ...head }: Answer): Pick<Row, 'head' | 'body'> {
  return { head: JSON.stringify(head), body: typeof body === 'string' ? new TextEncoder().encode(body) : body }
}

/** The answer that a row keeps. */
export function answerFrom(row: Row): Answer | undefined {
  const head = headFrom(row)
  return head === undefined || row.body === null ? undefined : { ...head, body: new Uint8Array(row.body) }
}

/** An answer without its body. */
export function headFrom({ pid, head }: Row): Head | undefined {
  if (head === null) return undefined
  const value: unknown = JSON.parse(head)
  if (!isHead(value)) throw corrupt(pid)
  return value
}

type Head = Omit<Answer, 'body'>

/** What we wrote ourselves: the shape is asked for, not the last detail. */
function isHead(value: unknown): value is Head {
  return isJsonObject(value) && typeof value.status === 'number' && isJsonObject(value.headers)
}

/** The receipt that a row keeps. Throws `X402Error` `store_unavailable` where there is none. */
export function receiptFrom({ pid, receipt }: Row): Receipt {
  const settlement = receipt === null ? undefined : decodeSettlement(JSON.parse(receipt))
  if (settlement?.ok && settlement.value.status === 'settled') return settlement.value.receipt
  throw corrupt(pid)
}

function corrupt(pid: Pid | string): X402Error {
  return new X402Error('store_unavailable', { reason: 'corrupt', pid })
}
