import type { CallOptions, ErrorCode, Facilitator, JsonObject, PaymentRequirements, Pid, Settlement } from '@groat/core'
import type { Store } from '@groat/store'
import type { KeyAccount } from '../account.js'
import { formatAddress } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex } from '../hex.js'
import { type ClaimRow, claimBatchDigest, refundDigest, wireOfConfig } from './channel.js'
import { batchOnEvm } from './identity.js'
import {
  channelOf,
  claimRowOf,
  isGranted,
  type LedgerChannel,
  loadRow,
  mirrorOf,
  type Row,
  refundedAs,
  stateAfter,
  type Tables,
} from './ledger-table.js'

/** What a refund is made with. */
export type RefundTools = {
  readonly store: Store<Tables>
  readonly facilitator: Facilitator
  readonly engine: SigningEngine
  readonly authorizer: KeyAccount | undefined
  readonly clock: () => number
}

/** A refund of a channel that is reserved for it. */
export type RefundOrder = {
  readonly pid: Pid
  readonly channelId: Hex
  readonly chainId: bigint
  /** Atomic units; all that is left unless told. */
  readonly amount?: bigint | undefined
  /** The wish can be told from the next one: it is granted once. */
  readonly once: boolean
  readonly requirements: PaymentRequirements
}

/**
 * Gives back what a payer has not spent, after claiming what it has, in one transaction that the facilitator sends (EVM-BATCH-083).
 *
 * The refund is written down before it is signed, and stays so until the contract has seen its number: what was signed may be made whenever
 * somebody likes, so the channel is worth that much less from then on, whatever the answer (EVM-BATCH-085). Another is signed for the same
 * number only with the same amount.
 */
export async function giveBack(
  tools: RefundTools,
  { pid, channelId, chainId, amount, once, requirements }: RefundOrder,
  callOptions?: CallOptions,
): Promise<Settlement> {
  const { store, facilitator, authorizer, engine, clock } = tools
  if (authorizer === undefined) return refused('invalid_batch_settlement_evm_authorizer_not_configured')
  const planned = await store.transaction(async (trx): Promise<Settlement | Row> => {
    const row = await loadRow(channelId, trx)
    if (row === undefined) return refused('invalid_batch_settlement_evm_missing_channel')
    const { config, network, charged, balance } = channelOf(row)
    if (once && isGranted(row, pid)) return refundedAs(row, network, config.payer)
    if (row.pending_pid !== pid) return refused('invalid_batch_settlement_evm_channel_busy', config.payer)
    const left = balance - charged
    const wanted = row.refund_open === null ? least(amount ?? left, left) : BigInt(row.refund_open)
    if (wanted <= 0n) {
      await trx.updateTable('evm_channel').set(FREE).where('channel_id', '=', channelId).execute()
      return refused('invalid_batch_settlement_evm_refund_no_balance', config.payer)
    }
    const next = { ...row, refund_open: `${wanted}`, refund_pid: pid, refund_paid: `${wanted}`, refund_tx: null }
    await trx.updateTable('evm_channel').set(next).where('channel_id', '=', channelId).execute()
    return next
  })
  if ('status' in planned) return planned
  const channel = channelOf(planned)
  const payload = await refundPayload(channel, { engine, authorizer, chainId })
  const { network } = channel
  const payment = { x402Version: 2, scheme: batchOnEvm.name, network, accepted: requirements, payload } as const
  const outcome = await facilitator.settle({ payment, requirements }, callOptions)
  // Nobody knows yet: it stays written down, and nobody is served meanwhile.
  if (outcome.status === 'unknown') return outcome
  return store.transaction(async (trx): Promise<Settlement> => {
    const row = await loadRow(channelId, trx)
    if (row === undefined) return refused('invalid_batch_settlement_evm_missing_channel')
    const free = row.pending_pid === pid ? FREE : {}
    if (outcome.status === 'refused') {
      await trx
        .updateTable('evm_channel')
        .set({ synced_at: 0, ...free })
        .where('channel_id', '=', channelId)
        .execute()
      return outcome
    }
    const { refunding, balance, charged, totalClaimed, refundNonce } = channel
    const { transaction, amount: paid = refunding, extra } = outcome.receipt
    const state = stateAfter(extra) ?? {
      balance: balance - paid,
      totalClaimed: most(charged, totalClaimed),
      withdrawRequestedAt: 0,
    }
    const next: Row = {
      ...row,
      // A node that is behind says the old number: ours is done.
      ...mirrorOf(row, { ...state, refundNonce: refundNonce + 1n }, clock()),
      ...{ refund_open: null, refund_paid: paid.toString(), refund_tx: transaction },
      ...free,
    }
    await trx.updateTable('evm_channel').set(next).where('channel_id', '=', channelId).execute()
    return refundedAs(next, channel.network, channel.config.payer)
  })
}

/**
 * The terms under which a channel is refunded: they sell nothing.
 *
 * @example
 * refundTerms(channel).payTo
 */
export function refundTerms({ network, config }: LedgerChannel): PaymentRequirements {
  const { token, receiver, receiverAuthorizer, withdrawDelay } = config
  return {
    ...{ scheme: batchOnEvm.name, network, amount: 0n, asset: formatAddress(token), payTo: formatAddress(receiver) },
    maxTimeoutSeconds: 60,
    extra: { receiverAuthorizer: formatAddress(receiverAuthorizer), withdrawDelay },
  }
}

/** A wish for a refund with the seller's word on it, and on the claim that goes before it. */
async function refundPayload(
  channel: LedgerChannel,
  { engine, authorizer, chainId }: Pick<RefundTools, 'engine'> & { authorizer: KeyAccount; chainId: bigint },
): Promise<JsonObject> {
  const { channelId, config, signedMax, signature, charged, totalClaimed, refunding, refundNonce } = channel
  const sign = async (digest: Uint8Array) => formatHex(await authorizer.signDigest(digest))
  const rows = charged > totalClaimed ? [claimRowOf(channel)] : []
  const digest = refundDigest(engine, chainId, { channelId, nonce: refundNonce, amount: refunding })
  return {
    type: 'refund',
    channelConfig: wireOfConfig(config),
    voucher: { channelId, maxClaimableAmount: signedMax.toString(), signature },
    amount: refunding.toString(),
    refundNonce: refundNonce.toString(),
    claims: rows.map(wireOfRow),
    refundAuthorizerSignature: await sign(digest),
    ...(rows.length > 0 && { claimAuthorizerSignature: await sign(claimBatchDigest(engine, chainId, rows)) }),
  }
}

const wireOfRow = ({ channel, maxClaimable, signature, totalClaimed }: ClaimRow): JsonObject => ({
  voucher: { channel: wireOfConfig(channel), maxClaimableAmount: maxClaimable.toString() },
  signature,
  totalClaimed: totalClaimed.toString(),
})

const FREE = { pending_pid: null, pending_until: 0 } as const
const most = (a: bigint, b: bigint): bigint => (a < b ? b : a)
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)

const refused = (code: ErrorCode, payer?: string): Extract<Settlement, { status: 'refused' }> => ({
  ...{ status: 'refused', code },
  ...(payer === undefined ? {} : { payer }),
})
