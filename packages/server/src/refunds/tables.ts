import { decodeFacilitatorRequest, type ErrorCode, type Network, type Pid, X402Error } from '@groat/core'
import type { Migrations } from '@groat/store'
import { sql } from 'kysely'
import type { LedgerTables } from '../ledger/tables.js'
import type { Tables } from '../sql-claim-row.js'
import type { Refund, RefundAttempt, RefundState } from './refund.js'

/** The journal of refunds, beside the books. */
export type RefundTables = LedgerTables &
  Pick<Tables, 'server_entitlement' | 'server_claim'> & {
    readonly refund: RefundRow
    readonly refund_attempt: AttemptRow
  }

/** A refund as it is stored. */
export type RefundRow = {
  /** The refund's own name; the payment's, unless it is a part that has one. */
  readonly pid: string
  readonly payment: string
  readonly state: RefundState
  readonly network: string
  readonly asset: string
  readonly amount: string
  readonly paid: string
  readonly payer: string
  readonly reason: string
  readonly asked_by: string
  readonly approved_by: string | null
  readonly attempt: number
  readonly transaction_id: string | null
  readonly code: string | null
  readonly asked_at: number
  /** When it is looked at next. */
  readonly due_at: number
  /** Who works on it, and until when nobody else does. */
  readonly fence: string
  readonly lease_until: number
  /** 1: the payer asked. */
  readonly by_payer: number
}

/** An attempt as it is stored. */
export type AttemptRow = {
  readonly refund_pid: string
  /** The refund's name. */
  readonly pid: string
  readonly attempt: number
  readonly from_account: string
  /** JSON, as the facilitator is asked. */
  readonly request: string
  readonly expires_at: number
  readonly state: 'signed' | 'settled' | 'dead'
  readonly transaction_id: string | null
  /** The transfer that it is: no two attempts can claim the same. */
  readonly evidence: string | null
}

/** Makes the tables. */
export const refundMigrations: Migrations = {
  namespace: 'refund',
  steps: {
    '001_refund': async (db) => {
      await db.schema
        .createTable('refund')
        .addColumn('pid', 'text', (column) => column.primaryKey())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('network', 'text', (column) => column.notNull())
        .addColumn('asset', 'text', (column) => column.notNull())
        .addColumn('amount', 'text', (column) => column.notNull())
        .addColumn('paid', 'text', (column) => column.notNull())
        .addColumn('payer', 'text', (column) => column.notNull())
        .addColumn('reason', 'text', (column) => column.notNull())
        .addColumn('asked_by', 'text', (column) => column.notNull())
        .addColumn('approved_by', 'text')
        .addColumn('attempt', 'integer', (column) => column.notNull())
        .addColumn('transaction_id', 'text')
        .addColumn('code', 'text')
        .addColumn('asked_at', 'bigint', (column) => column.notNull())
        .addColumn('due_at', 'bigint', (column) => column.notNull())
        .addColumn('fence', 'text', (column) => column.notNull())
        .addColumn('lease_until', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema.createIndex('refund_due').on('refund').columns(['state', 'due_at']).execute()
      await db.schema
        .createTable('refund_attempt')
        .addColumn('refund_pid', 'text', (column) => column.primaryKey())
        .addColumn('pid', 'text', (column) => column.notNull())
        .addColumn('attempt', 'integer', (column) => column.notNull())
        .addColumn('from_account', 'text', (column) => column.notNull())
        .addColumn('request', 'text', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('transaction_id', 'text')
        .addColumn('evidence', 'text', (column) => column.unique())
        .addUniqueConstraint('refund_attempt_once', ['pid', 'attempt'])
        .execute()
    },
    '002_parts': async (db) => {
      await db.schema
        .alterTable('refund')
        .addColumn('payment', 'text', (column) => column.notNull().defaultTo(''))
        .execute()
      // A refund that was written before is all there is of its payment.
      await sql`update refund set payment = pid`.execute(db)
      await db.schema.createIndex('refund_payment').on('refund').column('payment').execute()
    },
    '003_by_payer': async (db) => {
      await db.schema
        .alterTable('refund')
        .addColumn('by_payer', 'integer', (column) => column.notNull().defaultTo(0))
        .execute()
      // Nobody else is called so.
      await sql`update refund set by_payer = 1 where asked_by like 'payer %'`.execute(db)
    },
  },
}

/** Reads a row. */
export function refundOf(row: RefundRow): Refund {
  return {
    id: row.pid,
    // Codecs: nothing else was written.
    pid: row.payment as Pid,
    network: row.network as Network,
    state: row.state,
    asset: row.asset,
    amount: BigInt(row.amount),
    paid: BigInt(row.paid),
    payer: row.payer,
    reason: row.reason,
    askedBy: row.asked_by,
    attempt: row.attempt,
    askedAt: row.asked_at,
    ...(row.approved_by === null ? {} : { approvedBy: row.approved_by }),
    ...(row.transaction_id === null ? {} : { transaction: row.transaction_id }),
    ...(row.code === null ? {} : { code: row.code as ErrorCode }),
  }
}

/** Reads a row. Throws `X402Error` `store_unavailable` for one that nobody here has written. */
export function attemptOf(row: AttemptRow): RefundAttempt {
  const request = decodeFacilitatorRequest(JSON.parse(row.request))
  if (!request.ok) throw new X402Error('store_unavailable', { reason: 'corrupt', pid: row.refund_pid })
  return {
    id: row.pid,
    refundPid: row.refund_pid as Pid,
    attempt: row.attempt,
    from: row.from_account,
    request: request.value,
    expiresAt: row.expires_at,
    state: row.state,
    ...(row.transaction_id === null ? {} : { transaction: row.transaction_id }),
  }
}
