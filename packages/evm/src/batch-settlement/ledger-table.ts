import {
  isJsonObject,
  type JsonObject,
  type Network,
  type Pid,
  parseAtomic,
  type Receipt,
  type Settlement,
} from '@groat/core'
import type { Migrations } from '@groat/store'
import type { Transaction } from 'kysely'
import type { Hex } from '../hex.js'
import { type ChannelConfig, type ClaimRow, readConfig } from './channel.js'

/** A channel as its seller counts it. Amounts in atomic units. */
export type LedgerChannel = {
  readonly channelId: Hex
  readonly network: Network
  readonly config: ChannelConfig
  /** What was charged, in all: money earned. */
  readonly charged: bigint
  /** The best voucher. */
  readonly signedMax: bigint
  readonly signature: Hex
  readonly balance: bigint
  readonly totalClaimed: bigint
  /** Seconds since 1970; zero while the payer takes nothing out. */
  readonly withdrawRequestedAt: number
  /** How many refunds the contract has seen. */
  readonly refundNonce: bigint
  /** A refund that was signed and may still be made: the balance is worth that much less. */
  readonly refunding: bigint
}

/** What the chain says of a channel. */
export type ChainSays = Pick<LedgerChannel, 'balance' | 'totalClaimed' | 'withdrawRequestedAt'> &
  Partial<Pick<LedgerChannel, 'refundNonce'>>

/** A row of the seller's table. */
export type Row = {
  readonly channel_id: string
  readonly network: string
  readonly config: string
  readonly charged: string
  readonly signed_max: string
  readonly signature: string
  readonly balance: string
  readonly total_claimed: string
  readonly withdraw_requested_at: number
  readonly refund_nonce: number
  /** Milliseconds since 1970. */
  readonly synced_at: number
  readonly pending_pid: string | null
  readonly pending_until: number
  readonly last_pid: string | null
  readonly last_amount: string | null
  readonly last_tx: string | null
  /** The last charges, the newest last: JSON of `[pid, amount, transaction]`. */
  readonly recent: string | null
  /** Atomic units of the refund with the number `refund_nonce` that was signed and is not known to have landed. */
  readonly refund_open: string | null
  /** The wish that the last refund was made for, what it gave back, and by which transaction. */
  readonly refund_pid: string | null
  readonly refund_paid: string | null
  readonly refund_tx: string | null
}

export type Tables = { readonly evm_channel: Row }
export type Reads = Pick<Transaction<Tables>, 'selectFrom'>

export const loadRow = async (channelId: Hex, from: Reads): Promise<Row | undefined> =>
  from.selectFrom('evm_channel').selectAll().where('channel_id', '=', channelId).executeTakeFirst()

/** What the chain said, as columns. A refund that the contract has seen is not open any more. */
export function mirrorOf(row: Pick<Row, 'refund_nonce'> | undefined, state: ChainSays, now: number) {
  const nonce = Number(state.refundNonce ?? row?.refund_nonce ?? 0)
  return {
    balance: state.balance.toString(),
    total_claimed: state.totalClaimed.toString(),
    withdraw_requested_at: state.withdrawRequestedAt,
    synced_at: now,
    ...(nonce > (row?.refund_nonce ?? 0) ? { refund_nonce: nonce, refund_open: null } : {}),
  }
}

/** Atomic units that vouchers may be taken for, in all: what a refund may still take away is not among them (EVM-BATCH-085). */
export function safeBalance(row: Row | undefined, state: ChainSays | undefined): bigint {
  const balance = state?.balance ?? BigInt(row?.balance ?? '0')
  const landed = state?.refundNonce !== undefined && state.refundNonce > BigInt(row?.refund_nonce ?? 0)
  const open = landed ? 0n : BigInt(row?.refund_open ?? '0')
  return balance > open ? balance - open : 0n
}

/** A charge as it is remembered: for which payment, how much in atomic units, and by which transaction. */
type Charge = readonly [pid: string, amount: string, transaction: string]

/** Charges that are remembered for each channel: an answer that was lost is asked for again after a few others at the most. */
const REMEMBERED = 8

// What we wrote ourselves.
const recentOf = ({ recent }: Pick<Row, 'recent'>) => JSON.parse(recent ?? '[]') as readonly Charge[]

/** What this payment was charged before, with other payments since or without (EVM-BATCH-056). */
export function chargedBefore(
  row: Row,
  pid: Pid,
): { readonly amount: bigint; readonly transaction: string } | undefined {
  const [, amount, transaction] = recentOf(row).findLast(([each]) => each === pid) ?? []
  if (amount !== undefined && transaction !== undefined) return { amount: BigInt(amount), transaction }
  // Written down before all of them were.
  return row.last_pid === pid ? { amount: BigInt(row.last_amount ?? '0'), transaction: row.last_tx ?? '' } : undefined
}

/** The charges to remember after this one. */
export const remembering = (row: Pick<Row, 'recent'>, ...charge: Charge): string =>
  JSON.stringify([...recentOf(row), charge].slice(-REMEMBERED))

/** The charges to remember of a channel for which this payment is presented anew: it was charged nothing, or is charged for the first time. */
export const forgetting = (row: Pick<Row, 'recent'>, pid: Pid): string =>
  JSON.stringify(recentOf(row).filter(([each]) => each !== pid))

/** Whether this very wish for a refund was granted before, and the contract has seen it (EVM-BATCH-084). */
export const isGranted = (row: Row, pid: Pid): boolean => row.refund_pid === pid && row.refund_open === null

/** A charge as it is told. */
export function settledAs(
  row: Row,
  network: Network,
  payer: string,
  amount: bigint,
  transaction: string,
): Extract<Settlement, { status: 'settled' }> {
  const { channel_id: channelId, charged, balance, total_claimed: totalClaimed, withdraw_requested_at } = row
  const channelState = {
    ...{ channelId, balance, totalClaimed, withdrawRequestedAt: withdraw_requested_at },
    chargedCumulativeAmount: charged,
  }
  const receipt: Receipt = {
    payer,
    network,
    transaction,
    amount,
    extra: { chargedAmount: amount.toString(), channelState },
  }
  return { status: 'settled', receipt }
}

/** A refund as it is told. */
export function refundedAs(row: Row, network: Network, payer: string): Extract<Settlement, { status: 'settled' }> {
  const { receipt } = settledAs(row, network, payer, BigInt(row.refund_paid ?? '0'), row.refund_tx ?? '')
  const channelState = { ...Object(receipt.extra?.channelState), refundNonce: row.refund_nonce.toString() }
  return { status: 'settled', receipt: { ...receipt, extra: { channelState } } }
}

/** What a payer that has lost count needs, with its own signature on it. */
export function corrective({
  channel_id: channelId,
  charged,
  balance,
  total_claimed: totalClaimed,
  signed_max,
  signature,
  withdraw_requested_at,
  refund_nonce,
}: Row): JsonObject {
  return {
    channelState: {
      ...{ channelId, balance, totalClaimed, withdrawRequestedAt: withdraw_requested_at },
      ...{ refundNonce: refund_nonce.toString(), chargedCumulativeAmount: charged },
    },
    ...(signature === '0x' ? {} : { voucherState: { signedMaxClaimable: signed_max, signature } }),
  }
}

/** How a channel stands, from what a facilitator says. */
export function stateOf(extra: JsonObject | undefined): ChainSays | undefined {
  if (extra === undefined) return undefined
  const amount = (value: unknown) => (typeof value === 'string' ? parseAtomic(value) : undefined)
  const [balance, totalClaimed, refundNonce] = [
    amount(extra.balance),
    amount(extra.totalClaimed),
    amount(extra.refundNonce),
  ]
  const { withdrawRequestedAt } = extra
  if (balance === undefined || totalClaimed === undefined) return undefined
  return {
    balance,
    totalClaimed,
    withdrawRequestedAt: typeof withdrawRequestedAt === 'number' ? withdrawRequestedAt : 0,
    ...(refundNonce === undefined ? {} : { refundNonce }),
  }
}

/** How a channel stands after what a facilitator has put on chain. */
export const stateAfter = (extra: JsonObject | undefined): ChainSays | undefined =>
  isJsonObject(extra?.channelState) ? stateOf(extra.channelState) : undefined

export function channelOf(row: Row): LedgerChannel {
  const config = readConfig(JSON.parse(row.config))
  if (config === undefined) throw new TypeError('a channel of the ledger cannot be read')
  return {
    // What we wrote ourselves.
    channelId: row.channel_id as Hex,
    network: row.network as Network,
    config,
    charged: BigInt(row.charged),
    signedMax: BigInt(row.signed_max),
    signature: row.signature as Hex,
    balance: BigInt(row.balance),
    totalClaimed: BigInt(row.total_claimed),
    withdrawRequestedAt: row.withdraw_requested_at,
    refundNonce: BigInt(row.refund_nonce),
    refunding: BigInt(row.refund_open ?? '0'),
  }
}

/**
 * The row that claims what a channel has earned.
 *
 * @example
 * claimCall(channels.map(claimRowOf), signature)
 */
export const claimRowOf = ({ config, signedMax, signature, charged }: LedgerChannel): ClaimRow => ({
  channel: config,
  maxClaimable: signedMax,
  signature,
  totalClaimed: charged,
})

export const migrations: Migrations = {
  namespace: 'evm_seller',
  steps: {
    '001_channel': async (db) => {
      const text = ['network', 'config', 'charged', 'signed_max', 'signature', 'balance', 'total_claimed']
      const numbers = ['withdraw_requested_at', 'refund_nonce', 'synced_at', 'pending_until']
      let table = db.schema.createTable('evm_channel').addColumn('channel_id', 'text', (column) => column.primaryKey())
      for (const name of text) table = table.addColumn(name, 'text', (column) => column.notNull())
      for (const name of numbers) table = table.addColumn(name, 'bigint', (column) => column.notNull())
      for (const name of ['pending_pid', 'last_pid', 'last_amount', 'last_tx']) table = table.addColumn(name, 'text')
      await table.execute()
      await db.schema.createIndex('evm_channel_last_pid').on('evm_channel').column('last_pid').execute()
      await db.schema.createIndex('evm_channel_synced_at').on('evm_channel').column('synced_at').execute()
    },
    '002_refund': async (db) => {
      for (const name of ['refund_open', 'refund_pid', 'refund_paid', 'refund_tx']) {
        await db.schema.alterTable('evm_channel').addColumn(name, 'text').execute()
      }
    },
    '003_recent': async (db) => {
      await db.schema.alterTable('evm_channel').addColumn('recent', 'text').execute()
    },
  },
}
