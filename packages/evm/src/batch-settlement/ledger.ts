import {
  type CallOptions,
  type Clock,
  type ErrorCode,
  type Facilitator,
  type FacilitatorRequest,
  type JsonObject,
  type Network,
  type Pid,
  paymentId,
  type Settlement,
  systemClock,
  type Verdict,
} from '@groat/core'
import type { AnyStore } from '@groat/store'
import type { KeyAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { Hex } from '../hex.js'
import { wireOfConfig } from './channel.js'
import { BATCH_SETTLEMENT, batchOnEvm } from './identity.js'
import { giveBack, refundTerms } from './ledger-refund.js'
import {
  type ChainSays,
  channelOf,
  chargedBefore,
  corrective,
  forgetting,
  isGranted,
  type LedgerChannel,
  loadRow,
  migrations,
  mirrorOf,
  type Reads,
  type Row,
  remembering,
  safeBalance,
  settledAs,
  stateAfter,
  stateOf,
  type Tables,
} from './ledger-table.js'
import { type BatchPayment, inspectBatch, isVoucherSigned, readBatch, signatureText } from './shared.js'

export { claimRowOf, type LedgerChannel } from './ledger-table.js'

/** What a ledger is made of. */
export type ChannelLedgerOptions = {
  /** Who puts deposits on chain, and says how channels stand there. */
  readonly facilitator: Facilitator
  /**
   * Seconds for which what the chain said of a channel is believed: vouchers are then verified without asking anybody. 300 unless told, and never
   * more than a third of the channel's withdraw delay.
   */
  readonly mirrorSeconds?: number
  /**
   * The receiver's authorizer: the seller's own key, and not that of the account that is paid. With it, payers are given back what they have
   * not spent when they ask for it; without it, they have to wait for the withdraw delay.
   */
  readonly authorizer?: KeyAccount
  readonly engine?: CryptoEngine
  readonly clock?: Clock
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
  sync(channelId: Hex, state: ChainSays): Promise<void>
  /**
   * Gives the payer back what it has not spent, or `amount` atomic units of it, after claiming what it has; the facilitator sends both in one
   * transaction (EVM-BATCH-083). Refused: `invalid_batch_settlement_evm_authorizer_not_configured`, `…_missing_channel`, `…_channel_busy`,
   * `…_refund_no_balance`, `…_refund_amount_invalid`, and what the facilitator refuses. Unknown: ask again.
   */
  refund(channelId: Hex, amount?: bigint): Promise<Settlement>
}

/**
 * Counts vouchers in a database, shared by every process that serves the routes: one voucher is charged once, and never more than it says
 * (EVM-BATCH-051 to 055). A row is money: it is written before an answer leaves.
 *
 * Besides what `inspectBatch` refuses: `invalid_batch_settlement_evm_voucher_signature`, `…_cumulative_amount_mismatch` (with the state of the channel in
 * `extra`), `…_cumulative_exceeds_balance`, `…_channel_busy`, `…_withdrawal_pending`, `…_charge_exceeds_signed_cumulative`, `…_missing_channel`,
 * `…_authorizer_not_configured`, `…_refund_no_balance`, and what the facilitator refuses. Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const ledger = await createChannelLedger(await openStore('shop.db'), { facilitator: createFacilitatorClient('https://pay.example') })
 */
export async function createChannelLedger(anyStore: AnyStore, options: ChannelLedgerOptions): Promise<ChannelLedger> {
  const { facilitator: inner, mirrorSeconds = 300, engine = nobleEngine, clock = systemClock, authorizer } = options
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)
  const tools = { store, facilitator: inner, engine: nobleSigningEngine, authorizer, clock }

  const load = (channelId: Hex, from: Reads = store.db): Promise<Row | undefined> => loadRow(channelId, from)

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
    if (read.refund !== undefined) return verifyRefund(request, read, refused, callOptions)
    const row = await load(read.channelId)
    const base = row === undefined ? read.voucher.maxClaimable - requirements.amount : BigInt(row.charged)
    if (base < 0n || read.voucher.maxClaimable !== base + requirements.amount) {
      return refused('invalid_batch_settlement_evm_cumulative_amount_mismatch', row && corrective(row))
    }
    const believed = Math.min(mirrorSeconds, read.config.withdrawDelay / 3) * 1000
    const fresh = row !== undefined && row.synced_at + believed > now
    let state: ChainSays | undefined
    if (read.deposit !== undefined || !fresh || safeBalance(row, undefined) < read.voucher.maxClaimable) {
      const verdict = await inner.verify(request, callOptions)
      if (!verdict.ok) {
        // The seller may have given money back of its own accord: the payer is told what is there (EVM-BATCH-054).
        const isGone =
          LESS_THERE.has(verdict.code) && row !== undefined && BigInt(row.balance) < read.voucher.maxClaimable
        return isGone ? { ...verdict, extra: corrective(row) } : verdict
      }
      state = stateOf(verdict.extra)
    }
    // A refund that was signed may still be made (EVM-BATCH-085).
    if (row !== undefined && row.refund_open !== null) {
      const worth = safeBalance(row, state) + (read.deposit?.amount ?? 0n)
      if (read.voucher.maxClaimable > worth) return refused('invalid_batch_settlement_evm_cumulative_exceeds_balance')
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

  /** A wish for a refund: of a channel that we know, at what was charged, by a seller that can give its word (EVM-BATCH-082). */
  async function verifyRefund(
    request: FacilitatorRequest,
    read: BatchPayment,
    refused: (code: ErrorCode, extra?: JsonObject) => Verdict,
    callOptions?: CallOptions,
  ): Promise<Verdict> {
    const { channelId, config, voucher, pid, refund } = read
    if (authorizer === undefined || parseAddress(authorizer.address) !== config.receiverAuthorizer) {
      return refused('invalid_batch_settlement_evm_authorizer_not_configured')
    }
    const row = await load(channelId)
    if (row === undefined) return refused('invalid_batch_settlement_evm_missing_channel')
    if (refund?.once && isGranted(row, pid)) return { ok: true, payer: config.payer }
    if (voucher.maxClaimable !== BigInt(row.charged)) {
      return refused('invalid_batch_settlement_evm_cumulative_amount_mismatch', corrective(row))
    }
    const verdict = await inner.verify(request, callOptions)
    if (!verdict.ok) return verdict
    const { network, maxTimeoutSeconds } = request.requirements
    const base = voucher.maxClaimable
    const reserved = await reserve(read, network, base, stateOf(verdict.extra), maxTimeoutSeconds)
    if (reserved === 'busy') return refused('invalid_batch_settlement_evm_channel_busy')
    if (reserved === 'stale') return refused('invalid_batch_settlement_evm_cumulative_amount_mismatch')
    return { ok: true, payer: config.payer }
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
              recent: null,
              balance: '0',
              total_claimed: '0',
              withdraw_requested_at: 0,
              synced_at: 0,
              refund_open: null,
              refund_pid: null,
              refund_paid: null,
              refund_tx: null,
              ...(state && mirrorOf(undefined, state, now)),
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
        .set({
          ...{ pending_pid: read.pid, pending_until: until, last_pid: null, recent: forgetting(row, read.pid) },
          ...(state && mirrorOf(row, state, now)),
          ...(base > BigInt(row.signed_max) && read.refund !== undefined ? bestOf(read) : {}),
        })
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
    if (read.refund !== undefined) {
      const { pid, channelId, chainId, refund } = read
      return giveBack(tools, { pid, channelId, chainId, ...refund, requirements }, callOptions)
    }
    if (read.deposit === undefined) return charge(read, requirements.amount, requirements.network, '')
    const known = await load(read.channelId)
    if (known && chargedBefore(known, read.pid)) return charge(read, requirements.amount, requirements.network, '')
    const outcome = await inner.settle(request, callOptions)
    if (outcome.status !== 'settled') return outcome
    const { transaction, extra } = outcome.receipt
    return charge(read, requirements.amount, requirements.network, transaction, stateAfter(extra))
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
      const before = chargedBefore(row, read.pid)
      if (before !== undefined) return settledAs(row, network, payer, before.amount, before.transaction)
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
        ...bestOf(read),
        balance: balance.toString(),
        last_pid: read.pid,
        last_amount: amount.toString(),
        last_tx: transaction,
        recent: remembering(row, read.pid, amount.toString(), transaction),
        pending_pid: null,
        pending_until: 0,
        ...(read.deposit === undefined ? {} : { synced_at: clock() }),
      }
      await trx.updateTable('evm_channel').set(next).where('channel_id', '=', read.channelId).execute()
      return settledAs(next, network, payer, amount, transaction)
    })
  }

  async function syncRow(channelId: Hex, state: ChainSays): Promise<void> {
    await store.transaction(async (trx) => {
      const row = await load(channelId, trx)
      const next = mirrorOf(row, state, clock())
      await trx.updateTable('evm_channel').set(next).where('channel_id', '=', channelId).execute()
    })
  }

  /** The seller's own wish: asked of the chain through the facilitator like a payer's, with the best voucher that there is. */
  async function refund(channelId: Hex, amount?: bigint): Promise<Settlement> {
    const row = await load(channelId)
    if (row === undefined) return { status: 'refused', code: 'invalid_batch_settlement_evm_missing_channel' }
    if (amount !== undefined && amount <= 0n) {
      return { status: 'refused', code: 'invalid_batch_settlement_evm_refund_amount_invalid' }
    }
    const channel = channelOf(row)
    const { config, network, charged, signedMax, signature, refundNonce } = channel
    const chainId = chainIdOf(network)
    if (authorizer === undefined || parseAddress(authorizer.address) !== config.receiverAuthorizer || !chainId) {
      return { status: 'refused', code: 'invalid_batch_settlement_evm_authorizer_not_configured' }
    }
    const requirements = refundTerms(channel)
    const voucher = { channelId, maxClaimableAmount: signedMax.toString(), signature }
    const payload: JsonObject = { type: 'refund', channelConfig: wireOfConfig(config), voucher }
    const payment = { x402Version: 2, scheme: batchOnEvm.name, network, accepted: requirements, payload } as const
    const verdict = await inner.verify({ payment, requirements })
    // The best voucher may be for more than was charged, up to all that is there: then the mirror says how the channel stands.
    const isAllSigned = !verdict.ok && verdict.code === NO_BALANCE && signedMax > charged
    if (!verdict.ok && !isAllSigned) return { status: 'refused', code: verdict.code }
    const state = verdict.ok ? stateOf(verdict.extra) : undefined
    const number = (state?.refundNonce ?? refundNonce).toString()
    const pid = paymentId([network, BATCH_SETTLEMENT, 'refund-wish', channelId, number, batchOnEvm.name])
    const taken = await take(channelId, pid, charged, state)
    if (!taken) return { status: 'refused', code: 'invalid_batch_settlement_evm_channel_busy' }
    return giveBack(tools, { pid, channelId, chainId, amount, once: true, requirements })
  }

  /** Takes a channel for the seller, unless a request has it. */
  async function take(channelId: Hex, pid: Pid, charged: bigint, state: ChainSays | undefined): Promise<boolean> {
    const now = clock()
    return store.transaction(async (trx) => {
      const row = await load(channelId, trx)
      if (row === undefined || BigInt(row.charged) !== charged) return false
      if (row.pending_pid !== null && row.pending_pid !== pid && row.pending_until > now) return false
      await trx
        .updateTable('evm_channel')
        .set({ pending_pid: pid, pending_until: now + 60_000, ...(state && mirrorOf(row, state, now)) })
        .where('channel_id', '=', channelId)
        .execute()
      return true
    })
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
    refund,
  }

  /** What was counted here is known here; the rest is the facilitator's. */
  async function settlementOf(at: Facilitator, pid: Pid, callOptions?: CallOptions): Promise<Settlement | undefined> {
    const row = await store.db.selectFrom('evm_channel').selectAll().where('last_pid', '=', pid).executeTakeFirst()
    if (row === undefined) return at.settlement?.(pid, callOptions)
    const { config, network } = channelOf(row)
    return settledAs(row, network, config.payer, BigInt(row.last_amount ?? '0'), row.last_tx ?? '')
  }
}

const bestOf = ({ voucher, signature }: Pick<BatchPayment, 'voucher' | 'signature'>) => ({
  signed_max: voucher.maxClaimable.toString(),
  signature: signatureText(signature),
})

/** Refusals of a payer that takes more to be there than there is. */
const LESS_THERE: ReadonlySet<ErrorCode> = new Set([
  'invalid_batch_settlement_evm_cumulative_exceeds_balance',
  'invalid_batch_settlement_evm_channel_not_found',
])

const NO_BALANCE = 'invalid_batch_settlement_evm_refund_no_balance'
