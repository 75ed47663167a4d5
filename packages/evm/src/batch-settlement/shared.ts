import {
  check,
  type InspectContext,
  type Inspection,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  paymentId,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress, recoverAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { parseSignature } from '../crypto/signature.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { TokenDomain } from '../exact/eip3009.js'
import { formatHex, type Hex, isHex } from '../hex.js'
import { type ChannelConfig, channelIdOf, parseAmount, readConfig, type Voucher, voucherDigest } from './channel.js'
import type { Deposit } from './deposit.js'
import { BATCH_SETTLEMENT, batchOnEvm, PERMIT2_COLLECTOR, WITHDRAW_DELAY } from './identity.js'
import { BatchDepositPayload, BatchRefundPayload, BatchVoucherPayload } from './schema.shapes.js'

/** A payment out of a channel and its terms, read: every part parsed, nothing judged by a chain. */
export type BatchPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly chainId: bigint
  readonly config: ChannelConfig
  readonly channelId: Hex
  readonly voucher: Voucher
  /** Of the voucher. */
  readonly signature: Uint8Array
  readonly deposit?: Deposit
  /** The payer buys nothing, and asks for what it has not spent: `amount` of it in atomic units, or all. `once`: it can be told from the next one. */
  readonly refund?: { readonly amount?: bigint; readonly once: boolean }
  /** The token's domain that the terms name. */
  readonly domain?: TokenDomain
}

/** Seconds that a deposit must be valid for at the least. */
const MIN_REMAINING_SECONDS = 6
const CLOCK_ALLOWANCE_SECONDS = 60

/**
 * Reads a payment against its terms, without a chain and without a store: the checks that seller and facilitator share
 * (EVM-BATCH-030 to 037). Whether the voucher continues the channel is the ledger's to say.
 *
 * @example
 * const inspection = inspectBatch(engine, payment, offer, { now: clock() })
 */
export function inspectBatch(
  engine: SigningEngine,
  payment: PaymentPayload,
  terms: PaymentRequirements,
  now: InspectContext,
): Inspection {
  const read = readBatch(engine, payment, terms)
  if (!read.ok) return read
  const { config, pid, deposit, refund } = read
  const payer = config.payer
  const refusal = judgeConfig(read, terms) ?? (deposit && judgeDeposit(deposit, read, terms, now))
  if (refusal !== undefined) return { ...refusal, payer }
  const end = deposit === undefined ? undefined : deposit.method === 'eip3009' ? deposit.validBefore : deposit.deadline
  // A voucher has no end of its own: it is worth something for as long as the request that brings it.
  return {
    ok: true,
    pid,
    payer,
    expiresAt: end === undefined ? Math.floor(now.now / 1000) + terms.maxTimeoutSeconds : Number(end),
    ...(refund && { refund: true }),
  }
}

/**
 * Whether a payload is a payer's wish for a refund: it names a channel and a voucher, and has no word of the seller yet
 * (EVM-BATCH-080).
 *
 * @example
 * isRefundRequest({ type: 'refund', channelConfig, voucher })
 */
export const isRefundRequest = ({ type, refundNonce }: JsonObject): boolean =>
  type === 'refund' && refundNonce === undefined

/** The parts of a payment, or why they are not those of a payment out of a channel. Remembered per payment. */
export function readBatch(
  engine: SigningEngine,
  payment: PaymentPayload,
  terms: PaymentRequirements,
): BatchPayment | Refusal {
  const known = lastRead.get(payment)
  if (known?.terms === terms) return known.read
  const read = readParts(engine, payment, terms)
  lastRead.set(payment, { terms, read })
  return read
}

const lastRead = new WeakMap<
  PaymentPayload,
  { readonly terms: PaymentRequirements; readonly read: BatchPayment | Refusal }
>()

/**
 * Whether a voucher is the payer's: 65 canonical bytes of the key that the channel names, and nothing else, since the contract takes nothing
 * else and one row that it refuses takes a whole claim with it (EVM-BATCH-034).
 *
 * @example
 * isVoucherSigned(engine, payment)
 */
export function isVoucherSigned(
  engine: CryptoEngine,
  { chainId, voucher, signature, config }: Pick<BatchPayment, 'chainId' | 'voucher' | 'signature' | 'config'>,
): boolean {
  return recoverAddress(engine, voucherDigest(engine, chainId, voucher), signature) === config.payerAuthorizer
}

function readParts(engine: SigningEngine, payment: PaymentPayload, terms: PaymentRequirements): BatchPayment | Refusal {
  const { accepted } = payment
  const schemes = [payment.scheme, terms.scheme, accepted?.scheme ?? batchOnEvm.name]
  if (schemes.some((scheme) => scheme !== batchOnEvm.name)) return refuse('invalid_batch_settlement_evm_scheme')
  if (payment.network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_batch_settlement_evm_network_mismatch')
  }
  const chainId = chainIdOf(terms.network)
  if (chainId === undefined) return refuse('invalid_network')
  const { payload } = payment
  if (payload.type !== 'deposit' && payload.type !== 'voucher' && !isRefundRequest(payload)) {
    return refuse('invalid_batch_settlement_evm_payload_type')
  }
  const wire =
    payload.type === 'deposit'
      ? check(BatchDepositPayload, payload)
      : payload.type === 'voucher'
        ? check(BatchVoucherPayload, payload)
        : check(BatchRefundPayload, payload)
  if (!wire.ok) return wire
  const config = readConfig(wire.value.channelConfig as JsonObject as never)
  const maxClaimable = parseAmount(wire.value.voucher.maxClaimableAmount)
  const signature = parseSignature(wire.value.voucher.signature)
  if (config === undefined || maxClaimable === undefined) return refuse('invalid_payload', 'payload.channelConfig')
  if (signature === undefined) return refuse('invalid_batch_settlement_evm_voucher_signature')
  const channelId = channelIdOf(engine, chainId, config)
  if (wire.value.voucher.channelId.toLowerCase() !== channelId) {
    return refuse('invalid_batch_settlement_evm_channel_id_mismatch')
  }
  const base = { ok: true, chainId, config, channelId, voucher: { channelId, maxClaimable }, signature } as const
  if (wire.value.type === 'voucher') {
    return { ...base, pid: voucherId(terms.network, base.voucher, payload.id) }
  }
  if (wire.value.type === 'refund') {
    const { amount: text } = wire.value
    const amount = text === undefined ? undefined : parseAmount(text)
    if (text !== undefined && (amount === undefined || amount === 0n)) {
      return refuse('invalid_batch_settlement_evm_refund_amount_invalid')
    }
    const pid = refundRequestId(terms.network, base.voucher, amount, payload.id)
    // Without a word of the payer's, a wish that was granted and one that is made anew are the same bytes: each is granted.
    return {
      ...base,
      pid,
      refund: { once: wordOf(payload.id).length > 0, ...(amount === undefined ? {} : { amount }) },
    }
  }
  const deposit = readDeposit(wire.value.deposit, config, channelId)
  if ('ok' in deposit) return deposit
  const domain = domainOf(terms, chainId, config.token)
  const nonce = deposit.method === 'eip3009' ? `${channelId}${deposit.salt}` : deposit.nonce.toString()
  const pid = paymentId([terms.network, BATCH_SETTLEMENT, config.payer, deposit.method, nonce, batchOnEvm.name])
  return { ...base, pid, deposit, ...(domain ? { domain } : {}) }
}

/**
 * The identity of a payment by a voucher (EVM-BATCH-050). A voucher that was charged nothing is presented again for the next request, so
 * a client tells the two apart by a word of its own. What is charged hangs on the voucher, not on this.
 */
export const voucherId = (network: string, { channelId, maxClaimable }: Voucher, id: unknown): Pid =>
  paymentId([...[network, BATCH_SETTLEMENT, channelId, maxClaimable.toString(), batchOnEvm.name], ...wordOf(id)])

/** The identity of a wish for a refund (EVM-BATCH-081). */
export const refundRequestId = (
  network: string,
  { channelId, maxClaimable }: Voucher,
  amount: bigint | undefined,
  id: unknown,
): Pid =>
  paymentId([
    ...[network, BATCH_SETTLEMENT, 'refund-request', channelId, maxClaimable.toString(), `${amount ?? 'all'}`],
    ...[batchOnEvm.name, ...wordOf(id)],
  ])

const wordOf = (id: unknown): readonly string[] => (typeof id === 'string' && id.length <= 66 ? [id] : [])

function domainOf({ extra }: PaymentRequirements, chainId: bigint, token: Address): TokenDomain | undefined {
  const { name, version } = extra
  if (typeof name !== 'string' || typeof version !== 'string' || name === '' || version === '') return undefined
  return { name, version, chainId, verifyingContract: token }
}

type WireDeposit = {
  readonly amount: string
  readonly authorization: {
    readonly erc3009Authorization?:
      | Readonly<Record<'validAfter' | 'validBefore' | 'salt' | 'signature', string>>
      | undefined
    readonly permit2Authorization?:
      | {
          readonly from: string
          readonly permitted: { readonly token: string; readonly amount: string }
          readonly spender: string
          readonly nonce: string
          readonly deadline: string
          readonly witness: { readonly channelId: string }
          readonly signature: string
        }
      | undefined
  }
}

function readDeposit(
  { amount: text, authorization }: WireDeposit,
  config: ChannelConfig,
  channelId: Hex,
): Deposit | Refusal {
  const amount = parseAmount(text)
  if (amount === undefined || amount === 0n) return refuse('invalid_payload', 'payload.deposit.amount')
  const { erc3009Authorization: eip3009, permit2Authorization: permit2 } = authorization
  if (eip3009 !== undefined) {
    const [validAfter, validBefore] = [parseAtomic(eip3009.validAfter), parseAtomic(eip3009.validBefore)]
    const signature = parseSignature(eip3009.signature)
    const salt = eip3009.salt.toLowerCase()
    if (validAfter === undefined || validBefore === undefined || !isHex(salt, 32)) {
      return refuse('invalid_payload', 'payload.deposit.authorization')
    }
    if (signature === undefined) return refuse('invalid_batch_settlement_evm_receive_authorization_signature')
    return { method: 'eip3009', amount, validAfter, validBefore, salt, signature }
  }
  if (permit2 === undefined) return refuse('invalid_batch_settlement_evm_erc3009_authorization_required')
  const [nonce, deadline, permitted] = [
    parseAtomic(permit2.nonce),
    parseAtomic(permit2.deadline),
    parseAtomic(permit2.permitted.amount),
  ]
  const signature = parseSignature(permit2.signature)
  if (nonce === undefined || deadline === undefined) return refuse('invalid_payload', 'payload.deposit.authorization')
  if (parseAddress(permit2.from) !== config.payer || signature === undefined) {
    return refuse('invalid_batch_settlement_evm_permit2_invalid_signature')
  }
  if (parseAddress(permit2.spender) !== PERMIT2_COLLECTOR)
    return refuse('invalid_batch_settlement_evm_permit2_invalid_spender')
  if (parseAddress(permit2.permitted.token) !== config.token)
    return refuse('invalid_batch_settlement_evm_token_mismatch')
  if (permitted !== amount) return refuse('invalid_batch_settlement_evm_permit2_amount_mismatch')
  if (permit2.witness.channelId.toLowerCase() !== channelId)
    return refuse('invalid_batch_settlement_evm_channel_id_mismatch')
  return { method: 'permit2', amount, nonce, deadline, signature }
}

function judgeConfig({ config }: BatchPayment, { payTo, asset, extra }: PaymentRequirements): Refusal | undefined {
  const { receiverAuthorizer, withdrawDelay } = extra
  const authorizer = typeof receiverAuthorizer === 'string' ? parseAddress(receiverAuthorizer) : undefined
  if (config.receiver !== parseAddress(payTo)) return refuse('invalid_batch_settlement_evm_receiver_mismatch')
  if (authorizer === undefined || BigInt(authorizer) === 0n || config.receiverAuthorizer !== authorizer) {
    return refuse('invalid_batch_settlement_evm_receiver_authorizer_mismatch')
  }
  if (config.token !== parseAddress(asset)) return refuse('invalid_batch_settlement_evm_token_mismatch')
  if (withdrawDelay !== undefined && config.withdrawDelay !== withdrawDelay) {
    return refuse('invalid_batch_settlement_evm_withdraw_delay_mismatch')
  }
  if (config.withdrawDelay < WITHDRAW_DELAY.least || config.withdrawDelay > WITHDRAW_DELAY.most) {
    return refuse('invalid_batch_settlement_evm_withdraw_delay_out_of_range')
  }
  // Vouchers of a contract can be taken back by changing what it says: work for them would be a gift (EVM-BATCH-035).
  return BigInt(config.payerAuthorizer) === 0n ? refuse('invalid_batch_settlement_evm_voucher_signature') : undefined
}

function judgeDeposit(
  deposit: Deposit,
  { domain }: BatchPayment,
  { maxTimeoutSeconds, extra }: PaymentRequirements,
  { now, minRemainingSeconds = 0 }: InspectContext,
): Refusal | undefined {
  if ((extra.assetTransferMethod ?? deposit.method) !== deposit.method) return refuse('unsupported_transfer_method')
  const seconds = BigInt(Math.floor(now / 1000))
  const least = seconds + BigInt(Math.ceil(Math.max(minRemainingSeconds, MIN_REMAINING_SECONDS)))
  const most = seconds + BigInt(Math.ceil(Math.min(maxTimeoutSeconds, 2 ** 40)) + CLOCK_ALLOWANCE_SECONDS)
  if (deposit.method === 'permit2') {
    if (deposit.deadline < least) return refuse('invalid_batch_settlement_evm_permit2_deadline_expired')
    return deposit.deadline > most ? refuse('permit2_authorization_lifetime') : undefined
  }
  if (domain === undefined) return refuse('invalid_batch_settlement_evm_missing_eip712_domain')
  if (deposit.validBefore < least) return refuse('invalid_batch_settlement_evm_payload_authorization_valid_before')
  if (deposit.validAfter > seconds) return refuse('invalid_batch_settlement_evm_payload_authorization_valid_after')
  return deposit.validBefore > most ? refuse('invalid_exact_evm_authorization_lifetime') : undefined
}

/** The signature as it is sent and kept. */
export const signatureText = (signature: Uint8Array): Hex => formatHex(signature)
