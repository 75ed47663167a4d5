import {
  type CallOptions,
  type Clock,
  type ErrorCode,
  type Facilitator,
  type FacilitatorRequest,
  isJsonObject,
  type JsonObject,
  type Network,
  type Pid,
  parseAtomic,
  type Receipt,
  type Settlement,
  systemClock,
  type Verdict,
} from '@groat/core'
import type { AnyStore, Migrations } from '@groat/store'
import type { Transaction } from 'kysely'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import type { Hex } from '../hex.js'
import { type ChannelConfig, type ClaimRow, readConfig, wireOfConfig } from './channel.js'
import { batchOnEvm } from './identity.js'
import { type BatchPayment, inspectBatch, isVoucherSigned, readBatch, signatureText } from './shared.js'

/** What a ledger is made of. */
export type ChannelLedgerOptions = {
  /** Who puts deposits on chain, and says how channels stand there. */
  readonly facilitator: Facilitator
  /** Seconds for which what the chain said of a channel is believed: vouchers are then verified without asking anybody. 300 unless told. */
  readonly mirrorSeconds?: number
  readonly engine?: CryptoEngine
  readonly clock?: Clock
}

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
}

/** What a seller's channels have earned. */
export interface ChannelLedger {
  /** The facilitator that the paywall gets: it counts vouchers itself, and hands on what has to go on chain. */
  readonly facilitator: Facilitator
  /** Channels with charges that are not claimed. */
  claimable(): Promise<readonly LedgerChannel[]>
  channel(channelId: Hex): Promise<LedgerChannel | undefined>
  /** Every channel that is not exhausted, the least recently synced first. */
  watched(limit: number): Promise<readonly LedgerChannel[]>
  /** Takes down how a channel stands on chain. */
  sync(channelId: Hex, state: Pick<LedgerChannel, 'balance' | 'totalClaimed' | 'withdrawRequestedAt'>): Promise<void>
}

/**
 * Counts vouchers in a database, shared by every process that serves the routes: one voucher is charged once, and never more than it says
 * (EVM-BATCH-051 to 055). A row is money: it is written before an answer leaves.
 *
 * Besides what `inspectBatch` refuses: `invalid_batch_settlement_evm_voucher_signature`, `…_cumulative_amount_mismatch` (with the state of the channel in
 * `extra`), `…_cumulative_exceeds_balance`, `…_channel_busy`, `…_withdrawal_pending`, `…_charge_exceeds_signed_cumulative`, `…_missing_channel`, and what the
 * facilitator refuses. Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const ledger = await createChannelLedger(await openStore('shop.db'), { facilitator: createFacilitatorClient('https://pay.example') })
 */
export async function createChannelLedger(anyStore: AnyStore, options: ChannelLedgerOptions): Promise<ChannelLedger> {
  const { facilitator: inner, mirrorSeconds = 300, engine = nobleEngine, clock = systemClock } = options
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)

  const load = async (channelId: Hex, from: Reads = store.db): Promise<Row | undefined> =>
    from.selectFrom('evm_channel').selectAll().where('channel_id', '=', channelId).executeTakeFirst()

  async function verify(request: FacilitatorRequest, callOptions?: CallOptions): Promise<Verdict> {
    const { payment, requirements } = request
    const now = clock()
    const inspection = inspectBatch(engine, payment, requirements, { now })
    const read = readBatch(engine, payment, requirements)
    if (!inspection.ok) return inspection
    if (!read.ok) return read
    const { payer } = inspection
    const refused = (code: ErrorCode, extra?: JsonObject): Verdict => ({
      ...{ ok: false, code, payer },
      ...(extra ? { extra } : {}),
    })
    if (!isVoucherSigned(engine, read)) return refused('invalid_batch_settlement_evm_voucher_signature')
    const row = await load(read.channelId)
    const base = row === undefined ? read.voucher.maxClaimable - requirements.amount : BigInt(row.charged)
    if (base < 0n || read.voucher.maxClaimable !== base + requirements.amount) {
      return refused('invalid_batch_settlement_evm_cumulative_amount_mismatch', row && corrective(row))
    }
    const fresh = row !== undefined && row.synced_at + mirrorSeconds * 1000 > now
    let state: ChainSays | undefined
    if (read.deposit !== undefined || !fresh || BigInt(row.balance) < read.voucher.maxClaimable) {
      const verdict = await inner.verify(request, callOptions)
      if (!verdict.ok) return verdict
      state = stateOf(verdict.extra)
    }
    // A payer on its way out is served no more: what it has left may be gone before it is claimed (EVM-BATCH-055).
    if ((state?.withdrawRequestedAt ?? row?.withdraw_requested_at ?? 0) > 0) {
      if (state !== undefined) await syncRow(read.channelId, state)
      return refused('invalid_batch_settlement_evm_withdrawal_pending')
    }
    if (row === undefined && base < (state?.totalClaimed ?? 0n)) {
      return refused('invalid_batch_settlement_evm_cumulative_below_claimed')
    }
    const reserved = await reserve(read, requirements.network, base, state, requirements.maxTimeoutSeconds)
    if (reserved === 'busy') return refused('invalid_batch_settlement_evm_channel_busy')
    if (reserved === 'stale') {
      const current = await load(read.channelId)
      return refused('invalid_batch_settlement_evm_cumulative_amount_mismatch', current && corrective(current))
    }
    return { ok: true, payer }
  }

  /** Takes the channel for one request. The same payment may be presented again. */
  function reserve(
    read: BatchPayment,
    network: Network,
    base: bigint,
    state: ChainSays | undefined,
    seconds: number,
  ): Promise<'taken' | 'busy' | 'stale'> {
    const now = clock()
    const until = now + Math.min(Math.max(seconds, 5), 600) * 1000
    const mirror = state && {
      balance: state.balance.toString(),
      total_claimed: state.totalClaimed.toString(),
      withdraw_requested_at: state.withdrawRequestedAt,
      synced_at: now,
    }
    return store.transaction(async (trx) => {
      const row = await load(read.channelId, trx)
      if (row === undefined) {
        await trx
          .insertInto('evm_channel')
          .values({
            ...{ channel_id: read.channelId, network, config: JSON.stringify(wireOfConfig(read.config)) },
            ...{ charged: base.toString(), signed_max: '0', signature: '0x', refund_nonce: 0, last_pid: null },
            ...{
              last_amount: null,
              last_tx: null,
              balance: '0',
              total_claimed: '0',
              withdraw_requested_at: 0,
              synced_at: 0,
              ...mirror,
            },
            ...{ pending_pid: read.pid, pending_until: until },
          })
          .execute()
        return 'taken'
      }
      if (BigInt(row.charged) !== base) return 'stale'
      if (row.pending_pid !== null && row.pending_pid !== read.pid && row.pending_until > now) return 'busy'
      await trx
        .updateTable('evm_channel')
        // A voucher that was charged nothing is good once more, and is then charged anew.
        .set({ pending_pid: read.pid, pending_until: until, last_pid: null, ...mirror })
        .where('channel_id', '=', read.channelId)
        .execute()
      return 'taken'
    })
  }

  async function settle(request: FacilitatorRequest, callOptions?: CallOptions): Promise<Settlement> {
    const { payment, requirements } = request
    // The terms say what is charged; the echo says what was asked for.
    const read = readBatch(engine, payment, requirements)
    if (!read.ok) return { status: 'refused', code: read.code }
    const payer = read.config.payer
    if (!isVoucherSigned(engine, read)) {
      return { status: 'refused', code: 'invalid_batch_settlement_evm_voucher_signature', payer }
    }
    if (read.deposit === undefined) return charge(read, requirements.amount, requirements.network, '')
    const known = await load(read.channelId)
    if (known?.last_pid === read.pid) return charge(read, requirements.amount, requirements.network, '')
    const outcome = await inner.settle(request, callOptions)
    if (outcome.status !== 'settled') return outcome
    const { transaction, extra } = outcome.receipt
    const state = isJsonObject(extra)
      ? stateOf(isJsonObject(extra.channelState) ? extra.channelState : undefined)
      : undefined
    return charge(read, requirements.amount, requirements.network, transaction, state)
  }

  /** Counts a charge, once. */
  function charge(
    read: BatchPayment,
    amount: bigint,
    network: Network,
    transaction: string,
    state?: ChainSays,
  ): Promise<Settlement> {
    const { payer } = read.config
    return store.transaction(async (trx): Promise<Settlement> => {
      const row = await load(read.channelId, trx)
      if (row === undefined) return { status: 'refused', code: 'invalid_batch_settlement_evm_missing_channel', payer }
      if (row.last_pid === read.pid)
        return settledAs(row, network, payer, BigInt(row.last_amount ?? '0'), row.last_tx ?? '')
      if (row.pending_pid !== read.pid) {
        return { status: 'refused', code: 'invalid_batch_settlement_evm_channel_busy', payer }
      }
      const charged = BigInt(row.charged) + amount
      if (charged > read.voucher.maxClaimable) {
        return { status: 'refused', code: 'invalid_batch_settlement_evm_charge_exceeds_signed_cumulative', payer }
      }
      const balance = state?.balance ?? BigInt(row.balance) + (read.deposit?.amount ?? 0n)
      const next: Row = {
        ...row,
        charged: charged.toString(),
        signed_max: read.voucher.maxClaimable.toString(),
        signature: signatureText(read.signature),
        balance: balance.toString(),
        last_pid: read.pid,
        last_amount: amount.toString(),
        last_tx: transaction,
        pending_pid: null,
        pending_until: 0,
        ...(read.deposit === undefined ? {} : { synced_at: clock() }),
      }
      await trx.updateTable('evm_channel').set(next).where('channel_id', '=', read.channelId).execute()
      return settledAs(next, network, payer, amount, transaction)
    })
  }

  async function syncRow(channelId: Hex, { balance, totalClaimed, withdrawRequestedAt }: ChainSays): Promise<void> {
    await store.transaction((trx) =>
      trx
        .updateTable('evm_channel')
        .set({
          balance: balance.toString(),
          total_claimed: totalClaimed.toString(),
          withdraw_requested_at: withdrawRequestedAt,
          synced_at: clock(),
        })
        .where('channel_id', '=', channelId)
        .execute(),
    )
  }

  const isOurs = ({ requirements: { scheme, network } }: FacilitatorRequest) =>
    scheme === batchOnEvm.name && network.startsWith(`${batchOnEvm.family}:`)

  return {
    facilitator: {
      supported: (callOptions) => inner.supported(callOptions),
      verify: (request, callOptions) => (isOurs(request) ? verify : inner.verify)(request, callOptions),
      settle: (request, callOptions) => (isOurs(request) ? settle : inner.settle)(request, callOptions),
      ...(inner.settlement ? { settlement: (pid: Pid, o?: CallOptions) => settlementOf(inner, pid, o) } : {}),
    },
    async claimable() {
      const rows = await store.db.selectFrom('evm_channel').selectAll().where('signed_max', '!=', '0').execute()
      return rows.map(channelOf).filter(({ charged, totalClaimed }) => charged > totalClaimed)
    },
    async channel(channelId) {
      const row = await load(channelId)
      return row && channelOf(row)
    },
    async watched(limit) {
      const rows = await store.db.selectFrom('evm_channel').selectAll().orderBy('synced_at').limit(limit).execute()
      return rows.map(channelOf)
    },
    sync: syncRow,
  }

  /** What was counted here is known here; the rest is the facilitator's. */
  async function settlementOf(at: Facilitator, pid: Pid, callOptions?: CallOptions): Promise<Settlement | undefined> {
    const row = await store.db.selectFrom('evm_channel').selectAll().where('last_pid', '=', pid).executeTakeFirst()
    if (row === undefined) return at.settlement?.(pid, callOptions)
    const { config, network } = channelOf(row)
    return settledAs(row, network, config.payer, BigInt(row.last_amount ?? '0'), row.last_tx ?? '')
  }
}

type ChainSays = Pick<LedgerChannel, 'balance' | 'totalClaimed' | 'withdrawRequestedAt'>

function settledAs(row: Row, network: Network, payer: string, amount: bigint, transaction: string): Settlement {
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

/** What a payer that has lost count needs, with its own signature on it. */
function corrective({
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

function stateOf(extra: JsonObject | undefined): ChainSays | undefined {
  if (extra === undefined) return undefined
  const amount = (value: unknown) => (typeof value === 'string' ? parseAtomic(value) : undefined)
  const [balance, totalClaimed] = [amount(extra.balance), amount(extra.totalClaimed)]
  const { withdrawRequestedAt } = extra
  if (balance === undefined || totalClaimed === undefined) return undefined
  return {
    balance,
    totalClaimed,
    withdrawRequestedAt: typeof withdrawRequestedAt === 'number' ? withdrawRequestedAt : 0,
  }
}

function channelOf(row: Row): LedgerChannel {
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

type Row = {
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
}

type Tables = { readonly evm_channel: Row }
type Reads = Pick<Transaction<Tables>, 'selectFrom'>

const migrations: Migrations = {
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
  },
}
