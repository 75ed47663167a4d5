import {
  check,
  type ErrorCode,
  type InspectContext,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { nobleSigningEngine as engine } from '../crypto/noble-signing.js'
import { parseSignature } from '../crypto/signature.js'
import { type ClaimCodes, inspectClaim, remembered } from '../exact/terms.js'
import type { Hex } from '../hex.js'
import type { Payout } from './authorizer.js'
import { type HoldTerms, judgePlaces, readHoldTerms } from './hold-terms.js'
import { NOBODY } from './identity.js'
import {
  amountOf,
  authCaptureId,
  boundSalt,
  type PaymentInfo,
  paymentInfoHash,
  signatureNonce,
} from './payment-info.js'
import { AuthCaptureEip3009Payload, AuthCapturePermit2Payload } from './schema.shapes.js'
import { collectorOf } from './token-authorization.js'

/** A payer's payment and its terms, read: every part parsed, nothing judged by a chain. */
export type CollectPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly terms: HoldTerms
  readonly info: PaymentInfo
  readonly infoHash: Hex
  /** What the payer says that it signed. */
  readonly signed: {
    readonly collector: Address
    readonly token: Address
    readonly amount: bigint
    readonly validAfter: bigint
    readonly nonce: bigint
  }
  readonly saltNonce: Hex | undefined
  /** 65 bytes of a key, or whatever the payer's contract understands. */
  readonly signature: Uint8Array
  /** What the seller wants paid out at once, and the word for it. */
  readonly completion: (Payout & { readonly authorizerSignature: Uint8Array }) | undefined
}

/**
 * Reads a payer's payment against its terms, without a chain and without the signature's meaning: the checks that seller and facilitator share
 * (EVM-CAPTURE-030 to 040).
 *
 * Besides what `readHoldTerms` refuses: `invalid_auth_capture_evm_network_mismatch`, `no_matching_requirements`, `unsupported_transfer_method`,
 * `invalid_payload`, `invalid_auth_capture_evm_payload_type`, `…_signature`, `…_token_collector_mismatch`, `…_authorization_expired`,
 * `…_authorization_not_yet_valid`, `…_deadline_ordering`, `…_amount_mismatch`, `…_token_mismatch`,
 * `…_salt_binding_mismatch` and `…_nonce_mismatch`.
 *
 * @example
 * const inspection = inspectAuthCapture(payment, offer, { now: clock() })
 */
export function inspectAuthCapture(
  payment: PaymentPayload,
  terms: PaymentRequirements,
  now: InspectContext,
): Inspection {
  const read = readCollect(payment, terms)
  if (!read.ok) return read
  const { pid, info, signed } = read
  const { payer, preApprovalExpiry: expiresAt } = info
  const claim = { pid, payer, to: read.terms.payTo, amount: signed.amount, validAfter: signed.validAfter, expiresAt }
  const inspection = inspectClaim(claim, terms, now, CODES)
  if (!inspection.ok && inspection.late === undefined) return inspection
  const code = judge(read)
  return code === undefined ? inspection : { ...refuse(code), payer }
}

const CODES: ClaimCodes = {
  recipient: 'invalid_payment_requirements',
  late: 'invalid_auth_capture_evm_authorization_expired',
  early: 'invalid_auth_capture_evm_authorization_not_yet_valid',
  lifetime: 'invalid_auth_capture_evm_deadline_ordering',
  amount: 'invalid_auth_capture_evm_amount_mismatch',
}

function judge({ terms, info, signed, saltNonce }: CollectPayment): ErrorCode | undefined {
  const { receiverAuthorizer, captureDeadline, method, chainId } = terms
  if (info.preApprovalExpiry > captureDeadline) return 'invalid_auth_capture_evm_deadline_ordering'
  if (signed.collector !== collectorOf(method)) return 'invalid_auth_capture_evm_token_collector_mismatch'
  if (signed.token !== info.token) return 'invalid_auth_capture_evm_token_mismatch'
  // The collector hands in zero, so nothing else could have been signed.
  if (signed.validAfter !== 0n) return 'invalid_auth_capture_evm_authorization_not_yet_valid'
  const isBound = receiverAuthorizer !== NOBODY
  if (isBound !== (saltNonce !== undefined)) return 'invalid_auth_capture_evm_salt_binding_mismatch'
  if (saltNonce && info.salt !== boundSalt(engine, { receiverAuthorizer, policy: NOBODY }, saltNonce)) {
    return 'invalid_auth_capture_evm_salt_binding_mismatch'
  }
  const isSigned = signed.nonce === BigInt(signatureNonce(engine, chainId, info))
  return isSigned ? undefined : 'invalid_auth_capture_evm_nonce_mismatch'
}

/**
 * The parts of a payer's payment, or why they are not those of one for these terms.
 *
 * @example
 * const read = readCollect(payment, offer)
 */
export const readCollect = remembered(readParts)

function readParts(payment: PaymentPayload, requirements: PaymentRequirements): CollectPayment | Refusal {
  const terms = readHoldTerms(requirements)
  if (!terms.ok) return terms
  const misplaced = judgePlaces(payment, requirements)
  if (misplaced) return misplaced
  if (payment.payload.type !== undefined) return refuse('invalid_auth_capture_evm_payload_type')
  const method = 'permit2Authorization' in payment.payload ? 'permit2' : 'eip3009'
  if (method !== terms.method) return refuse('unsupported_transfer_method')
  const wire = method === 'permit2' ? readPermit2(payment) : readEip3009(payment, terms.token)
  if (!wire.ok) return wire
  const { from, signed, validBefore, rest } = wire
  const signature = parseSignature(rest.signature)
  if (signature === undefined) return refuse('invalid_auth_capture_evm_signature')
  const completion = readCompletion(rest)
  if (completion === 'partial') return refuse('invalid_payload', 'payload.authorizerSignature')
  const info: PaymentInfo = {
    ...{ operator: terms.operator, payer: from, receiver: terms.payTo, token: terms.token, maxAmount: terms.amount },
    ...{ preApprovalExpiry: validBefore, authorizationExpiry: terms.captureDeadline },
    ...{ refundExpiry: terms.refundDeadline, minFeeBps: terms.minFeeBps, maxFeeBps: terms.maxFeeBps },
    feeReceiver: terms.feeRecipient,
    // The schema has seen that they are 32 bytes in hexadecimal.
    salt: rest.salt.toLowerCase() as Hex,
  }
  const saltNonce = rest.saltNonce?.toLowerCase() as Hex | undefined
  const infoHash = paymentInfoHash(engine, terms.chainId, info)
  const pid = authCaptureId(requirements.network, infoHash)
  return { ok: true, pid, terms, info, infoHash, signed, saltNonce, signature, completion }
}

type Rest = {
  readonly signature: string
  readonly salt: string
  readonly saltNonce?: string | undefined
  readonly amount?: string | undefined
  readonly feeAmount?: string | undefined
  readonly feeReceiver?: string | undefined
  readonly authorizerSignature?: string | undefined
}

type WireParts = {
  readonly ok: true
  readonly from: Address
  readonly signed: CollectPayment['signed']
  readonly validBefore: bigint
  readonly rest: Rest
}

function readEip3009({ payload }: PaymentPayload, token: Address): WireParts | Refusal {
  const wire = check(AuthCaptureEip3009Payload, payload)
  if (!wire.ok) return wire
  const { authorization, ...rest } = wire.value
  const [from, collector] = [parseAddress(authorization.from), parseAddress(authorization.to)]
  const { value, validAfter: after, validBefore: before } = authorization
  const [amount, validAfter, validBefore] = [amountOf(value), parseAtomic(after), timeOf(before)]
  const nonce = BigInt(authorization.nonce)
  if (from === undefined || collector === undefined || amount === undefined) return malformed('authorization')
  if (validAfter === undefined || validBefore === undefined) return malformed('authorization')
  return { ok: true, from, signed: { collector, token, amount, validAfter, nonce }, validBefore, rest }
}

function readPermit2({ payload }: PaymentPayload): WireParts | Refusal {
  const wire = check(AuthCapturePermit2Payload, payload)
  if (!wire.ok) return wire
  const { permit2Authorization: permit, ...rest } = wire.value
  const [from, collector, token] = [permit.from, permit.spender, permit.permitted.token].map(parseAddress)
  const [amount, nonce] = [amountOf(permit.permitted.amount), parseAtomic(permit.nonce)]
  const validBefore = timeOf(permit.deadline)
  if (from === undefined || collector === undefined || token === undefined) return malformed('permit2Authorization')
  if (amount === undefined || nonce === undefined || validBefore === undefined) return malformed('permit2Authorization')
  return { ok: true, from, signed: { collector, token, amount, validAfter: 0n, nonce }, validBefore, rest }
}

const malformed = (member: string): Refusal => refuse('invalid_payload', `payload.${member}`)

/** A time that the escrow can count: 48 bits. */
function timeOf(text: string): bigint | undefined {
  const time = parseAtomic(text)
  return time !== undefined && time < 2n ** 48n ? time : undefined
}

/** All of it or nothing. */
function readCompletion(rest: Rest): CollectPayment['completion'] | 'partial' {
  const parts = [rest.amount, rest.feeAmount, rest.feeReceiver, rest.authorizerSignature]
  if (parts.every((part) => part === undefined)) return undefined
  const [amount, feeAmount] = [amountOf(rest.amount ?? ''), amountOf(rest.feeAmount ?? '')]
  const feeReceiver = parseAddress(rest.feeReceiver ?? '')
  const authorizerSignature = parseSignature(rest.authorizerSignature ?? '')
  if (amount === undefined || feeAmount === undefined || feeReceiver === undefined) return 'partial'
  return authorizerSignature ? { amount, feeAmount, feeReceiver, authorizerSignature } : 'partial'
}
