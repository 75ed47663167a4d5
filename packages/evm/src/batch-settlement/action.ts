import {
  check,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  paymentId,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { parseSignature } from '../crypto/signature.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { readEip2612 } from '../sponsoring/eip2612.js'
import { type ChannelConfig, type ClaimRow, channelIdOf, claimBatchDigest, parseAmount, readConfig } from './channel.js'
import { claimCall, depositCall, multicall, refundCall, sweepCall } from './contract.js'
import { collectorOf, type Deposit } from './deposit.js'
import { BATCH_SETTLEMENT, batchOnEvm } from './identity.js'
import { BatchClaimPayload, BatchRefundPayload, BatchSettlePayload } from './schema.shapes.js'
import { readBatch } from './shared.js'

/** Something that a seller has put on chain: a deposit, a claim, a sweep or a refund. */
export type BatchAction = {
  readonly ok: true
  readonly kind: 'deposit' | 'claim' | 'settle' | 'refund'
  readonly pid: Pid
  readonly payer: Address
  readonly call: Pick<CallRequest, 'to' | 'data'>
  readonly rows: number
  /** Whose money it is about. */
  readonly tokens: readonly Address[]
  /** What the contract logs when it is done, and about which channels or whom. */
  readonly mark: { readonly event: Hex; readonly subjects: readonly Hex[] }
  /** Of a deposit or a refund. */
  readonly channelId?: Hex
  readonly deposit?: Deposit & { readonly token: Address }
  /** What will be claimed of each channel, in all. */
  readonly claims?: ReadonlyMap<Hex, bigint>
  readonly refundNonce?: bigint
}

/**
 * What a seller asks a facilitator to put on chain. Everything in it is signed by those whom it concerns: a refund and a claim need the word
 * of the receiver's authorizer, which a facilitator does not have (EVM-BATCH-060).
 *
 * @example
 * const action = readAction(engine, payment, terms, { now: clock() })
 */
export function readAction(
  engine: SigningEngine,
  payment: PaymentPayload,
  terms: PaymentRequirements,
  { now }: { readonly now: number },
): BatchAction | Refusal {
  if (payment.scheme !== batchOnEvm.name || terms.scheme !== batchOnEvm.name) {
    return refuse('invalid_batch_settlement_evm_scheme')
  }
  if (payment.network !== terms.network) return refuse('invalid_batch_settlement_evm_network_mismatch')
  const chainId = chainIdOf(terms.network)
  if (chainId === undefined) return refuse('invalid_network')
  const idOf = (...parts: readonly string[]): Pid =>
    paymentId([terms.network, BATCH_SETTLEMENT, ...parts, batchOnEvm.name])
  switch (payment.payload.type) {
    case 'deposit':
      return readDepositAction(engine, payment, terms, now)
    case 'claim': {
      const wire = check(BatchClaimPayload, payment.payload)
      if (!wire.ok) return wire
      const rows = readRows(wire.value.claims)
      const signature = parseSignature(wire.value.claimAuthorizerSignature ?? '')
      const [first] = rows ?? []
      if (rows === undefined || first === undefined) return refuse('invalid_payload', 'payload.claims')
      if (signature === undefined) return refuse('invalid_batch_settlement_evm_authorizer_not_configured')
      const digest = formatHex(claimBatchDigest(engine, chainId, rows))
      const claims = totalsOf(engine, chainId, rows)
      return {
        ...{ ok: true, kind: 'claim', pid: idOf('claim', digest), payer: first.channel.receiver },
        ...{ call: claimCall(rows, signature), rows: rows.length, claims, tokens: tokensOf(rows) },
        mark: { event: events.claimed, subjects: [...claims.keys()] },
      }
    }
    case 'settle': {
      const wire = check(BatchSettlePayload, payment.payload)
      if (!wire.ok) return wire
      const [receiver, token] = [parseAddress(wire.value.receiver), parseAddress(wire.value.token)]
      if (receiver === undefined || token === undefined) return refuse('invalid_payload', 'payload.receiver')
      const subject: Hex = `0x${receiver.slice(2).padStart(64, '0')}`
      return {
        // Each is a wish of its own: the contract pays what is due, once.
        ...{ ok: true, kind: 'settle', pid: idOf('settle', receiver, token, String(now)), payer: receiver },
        ...{
          call: sweepCall(receiver, token),
          rows: 1,
          tokens: [token],
          mark: { event: events.settled, subjects: [subject] },
        },
      }
    }
    case 'refund':
      return readRefund(engine, chainId, payment, idOf)
    default:
      return refuse('invalid_batch_settlement_evm_payload_type')
  }
}

/** The topics of the contract's events. */
export const events = {
  deposited: '0x6c2a09353b5e75e70d0b9778b80a413809bb235d46c211811c474b3346791d89',
  claimed: '0x36bd546bb573e8921fdbfd934bbed62d872796b01792cd240cce27f79dd3eddd',
  settled: '0x7337b4386b690fdb8ba66905b92b9d45d33bc6626ee2620c905fb150ec0cc47d',
  refunded: '0xa84286cf8ebc7903a663c77c8d99aa92b600d4c2fcca872a5d4a663db4eb394b',
} as const satisfies Record<string, Hex>

function readDepositAction(
  engine: SigningEngine,
  payment: PaymentPayload,
  terms: PaymentRequirements,
  now: number,
): BatchAction | Refusal {
  const read = readBatch(engine, payment, terms)
  if (!read.ok) return read
  const { config, channelId, deposit, pid } = read
  if (deposit === undefined) return refuse('invalid_batch_settlement_evm_payload_type')
  const needed = { payer: config.payer, token: config.token, amount: deposit.amount }
  const permit = deposit.method === 'permit2' ? readEip2612(payment.extensions, needed, now) : undefined
  if (permit && 'code' in permit) return permit
  const { collector, data } = collectorOf(deposit, permit)
  return {
    ...{ ok: true, kind: 'deposit', pid, payer: config.payer, rows: 1, tokens: [config.token], channelId },
    call: depositCall(config, deposit.amount, collector, data),
    mark: { event: events.deposited, subjects: [channelId] },
    deposit: { ...deposit, token: config.token },
  }
}

function readRefund(
  engine: SigningEngine,
  chainId: bigint,
  payment: PaymentPayload,
  idOf: (...parts: readonly string[]) => Pid,
): BatchAction | Refusal {
  const wire = check(BatchRefundPayload, payment.payload)
  if (!wire.ok) return wire
  const { value } = wire
  const config = configOf(value.channelConfig)
  const amount = value.amount === undefined ? undefined : parseAmount(value.amount)
  const nonce = value.refundNonce === undefined ? undefined : parseAtomic(value.refundNonce)
  const rows = readRows(value.claims ?? [])
  const refundSignature = parseSignature(value.refundAuthorizerSignature ?? '')
  const claimSignature = parseSignature(value.claimAuthorizerSignature ?? '')
  if (config === undefined || rows === undefined) return refuse('invalid_payload', 'payload.channelConfig')
  if (amount === undefined || amount === 0n) return refuse('invalid_batch_settlement_evm_refund_amount_invalid')
  if (nonce === undefined) return refuse('invalid_payload', 'payload.refundNonce')
  if (refundSignature === undefined || (rows.length > 0 && claimSignature === undefined)) {
    return refuse('invalid_batch_settlement_evm_authorizer_not_configured')
  }
  const channelId = channelIdOf(engine, chainId, config)
  const refund = refundCall(config, amount, nonce, refundSignature)
  const call =
    rows.length === 0 || claimSignature === undefined ? refund : multicall([claimCall(rows, claimSignature), refund])
  return {
    ...{ ok: true, kind: 'refund', pid: idOf('refund', channelId, nonce.toString()), payer: config.payer, channelId },
    ...{ call, rows: rows.length + 1, mark: { event: events.refunded, subjects: [channelId] }, refundNonce: nonce },
    claims: totalsOf(engine, chainId, rows),
    tokens: [config.token, ...tokensOf(rows)],
  }
}

const tokensOf = (rows: readonly ClaimRow[]): readonly Address[] => [
  ...new Set(rows.map(({ channel }) => channel.token)),
]

const totalsOf = (engine: SigningEngine, chainId: bigint, rows: readonly ClaimRow[]): ReadonlyMap<Hex, bigint> =>
  new Map(rows.map(({ channel, totalClaimed }) => [channelIdOf(engine, chainId, channel), totalClaimed]))

type WireRow = {
  readonly voucher: { readonly channel: object; readonly maxClaimableAmount: string }
  readonly signature: string
  readonly totalClaimed: string
}

function readRows(wire: readonly WireRow[]): readonly ClaimRow[] | undefined {
  if (wire.length > MAX_ROWS) return undefined
  const rows: ClaimRow[] = []
  for (const { voucher, signature, totalClaimed } of wire) {
    const channel = configOf(voucher.channel)
    const [maxClaimable, total] = [parseAmount(voucher.maxClaimableAmount), parseAmount(totalClaimed)]
    const bytes = parseSignature(signature)
    if (channel === undefined || maxClaimable === undefined || total === undefined || bytes === undefined)
      return undefined
    rows.push({ channel, maxClaimable, signature: formatHex(bytes), totalClaimed: total })
  }
  return rows
}

const MAX_ROWS = 200

/** The shape has been checked. */
const configOf = (wire: object): ChannelConfig | undefined => readConfig(wire as Record<keyof ChannelConfig, string>)
