import {
  check,
  type InspectContext,
  type Inspection,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  type Refusal,
  refuse,
  sameAddress,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { parseSignature } from '../crypto/signature.js'
import { isHex } from '../hex.js'
import { type Authorization, authorizationId, exactOnEvm, type TokenDomain } from './eip3009.js'
import { Eip3009Payload } from './schema.shapes.js'

/** A payment and its terms, read: every part parsed, nothing judged by a chain. */
export type ExactPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly authorization: Authorization
  /** 65 bytes of a key, or whatever the payer's contract understands. */
  readonly signature: Uint8Array
  /** The domain that the terms name. */
  readonly domain: TokenDomain
}

/** Seconds that must remain at the least: below that nothing reaches a block in time. */
const MIN_REMAINING_SECONDS = 6

/** Seconds by which the clocks of payer and reader may differ. */
const CLOCK_ALLOWANCE_SECONDS = 60n

/** From here on some tokens read times as block numbers. */
const MAX_TIME = 1n << 40n

/**
 * Reads a payment against its terms, without a chain and without the signature's meaning: the checks that seller and
 * facilitator share (EVM-EXACT-030 to 034, 041 to 045, 051, 083).
 *
 * Refuses `invalid_exact_evm_scheme`, `unsupported_transfer_method`, `invalid_exact_evm_missing_eip712_domain`,
 * `invalid_exact_evm_network_mismatch`, `invalid_network`, `invalid_payload`, `invalid_payment_requirements`,
 * `no_matching_requirements`, `invalid_exact_evm_failed_to_parse_signature`, `invalid_exact_evm_recipient_mismatch`,
 * `invalid_exact_evm_payload_authorization_valid_before`, `…_valid_after`, `…_value_mismatch` and
 * `invalid_exact_evm_authorization_lifetime`.
 *
 * @example
 * const inspection = inspectExact(payment, offer, { now: clock() })
 */
export function inspectExact(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  const read = readExact(payment, terms)
  if (!read.ok) return read
  const { pid, authorization } = read
  const { from: payer, validBefore } = authorization
  const refusal = judgeTerms(authorization, terms, now)
  if (refusal === undefined) return { ok: true, pid, payer, expiresAt: Number(validBefore) }
  if (refusal.code !== TOO_LATE || !wasGood(authorization, terms)) return { ...refusal, payer }
  return { ...refusal, payer, late: { ok: true, pid, payer, expiresAt: Number(validBefore) } }
}

const TOO_LATE = 'invalid_exact_evm_payload_authorization_valid_before'

/** Whether nothing spoke against it when it had just so much life left as a payment must have. */
function wasGood(authorization: Authorization, terms: PaymentRequirements): boolean {
  const now = (Number(authorization.validBefore) - MIN_REMAINING_SECONDS) * 1000
  return judgeTerms(authorization, terms, { now }) === undefined
}

/**
 * The parts of a payment, or why they are not those of an EIP-3009 payment for these terms. Remembered per payment, since
 * every step of a settlement reads it again.
 *
 * @example
 * const read = readExact(payment, offer)
 */
export function readExact(payment: PaymentPayload, terms: PaymentRequirements): ExactPayment | Refusal {
  const known = lastRead.get(payment)
  if (known?.terms === terms) return known.read
  const read = readParts(payment, terms)
  lastRead.set(payment, { terms, read })
  return read
}

const lastRead = new WeakMap<
  PaymentPayload,
  { readonly terms: PaymentRequirements; readonly read: ExactPayment | Refusal }
>()

function readParts(payment: PaymentPayload, terms: PaymentRequirements): ExactPayment | Refusal {
  const domain = readTerms(payment, terms)
  if ('ok' in domain) return domain
  const wire = check(Eip3009Payload, payment.payload)
  if (!wire.ok) return wire
  const authorization = readAuthorization(wire.value.authorization)
  if (authorization === undefined) return refuse('invalid_payload', 'payload.authorization')
  const signature = parseSignature(wire.value.signature)
  if (signature === undefined) return refuse('invalid_exact_evm_failed_to_parse_signature')
  const pid = authorizationId(terms.network, domain.verifyingContract, authorization)
  return { ok: true, pid, authorization, signature, domain }
}

function readTerms(payment: PaymentPayload, terms: PaymentRequirements): TokenDomain | Refusal {
  const { accepted } = payment
  const schemes = [payment.scheme, terms.scheme, accepted?.scheme ?? exactOnEvm.name]
  if (schemes.some((scheme) => scheme !== exactOnEvm.name)) return refuse('invalid_exact_evm_scheme')
  const methods = [terms.extra.assetTransferMethod, accepted?.extra.assetTransferMethod]
  if (methods.some((method) => (method ?? 'eip3009') !== 'eip3009') || 'permit2Authorization' in payment.payload) {
    return refuse('unsupported_transfer_method')
  }
  const { name, version } = terms.extra
  if (typeof name !== 'string' || typeof version !== 'string' || name === '' || version === '') {
    return refuse('invalid_exact_evm_missing_eip712_domain')
  }
  if (payment.network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_exact_evm_network_mismatch')
  }
  const chainId = chainIdOf(terms.network)
  if (chainId === undefined) return refuse('invalid_network')
  const verifyingContract = parseAddress(terms.asset)
  if (verifyingContract === undefined) return refuse('invalid_payment_requirements', 'asset')
  if (parseAddress(terms.payTo) === undefined) return refuse('invalid_payment_requirements', 'payTo')
  if (terms.amount < 1n) return refuse('invalid_payment_requirements', 'amount')
  if (accepted && !sameTerms(accepted, terms)) return refuse('no_matching_requirements')
  return { name, version, chainId, verifyingContract }
}

/** What moves money must agree by value; what else the echo carries is not ours to judge. */
function sameTerms(a: PaymentRequirements, b: PaymentRequirements): boolean {
  return a.amount === b.amount && sameAddress(a.asset, b.asset) && sameAddress(a.payTo, b.payTo)
}

type WireAuthorization = {
  readonly [Part in keyof Authorization]: string
}

function readAuthorization(wire: WireAuthorization): Authorization | undefined {
  const from = parseAddress(wire.from)
  const to = parseAddress(wire.to)
  const value = parseAtomic(wire.value)
  const validAfter = parseAtomic(wire.validAfter)
  const validBefore = parseAtomic(wire.validBefore)
  const nonce = wire.nonce.toLowerCase()
  if (from === undefined || to === undefined || !isHex(nonce, 32)) return undefined
  if (value === undefined || validAfter === undefined || validBefore === undefined) return undefined
  return { from, to, value, validAfter, validBefore, nonce }
}

function judgeTerms(
  { to, value, validAfter, validBefore }: Authorization,
  { payTo, amount, maxTimeoutSeconds }: PaymentRequirements,
  { now, minRemainingSeconds = 0 }: InspectContext,
): Refusal | undefined {
  const seconds = BigInt(Math.floor(now / 1000))
  const remaining = BigInt(Math.ceil(Math.max(minRemainingSeconds, MIN_REMAINING_SECONDS)))
  const longest = seconds + BigInt(Math.ceil(Math.min(maxTimeoutSeconds, Number(MAX_TIME)))) + CLOCK_ALLOWANCE_SECONDS
  if (to !== parseAddress(payTo)) return refuse('invalid_exact_evm_recipient_mismatch')
  if (validBefore < seconds + remaining) return refuse(TOO_LATE)
  if (validAfter > seconds) return refuse('invalid_exact_evm_payload_authorization_valid_after')
  if (validBefore > longest || validBefore >= MAX_TIME) return refuse('invalid_exact_evm_authorization_lifetime')
  return value === amount ? undefined : refuse('invalid_exact_evm_payload_authorization_value_mismatch')
}

/**
 * Whether a text is an account that can be paid in a token: an address, and neither zero nor the token itself.
 *
 * @example
 * isPayable('0x7099…79C8', token) // true
 */
export function isPayable(payTo: string, token: Address): boolean {
  const address = parseAddress(payTo)
  return address !== undefined && address !== token && BigInt(address) !== 0n
}
