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
} from '@groat/core'
import { parseAddress } from '../address.js'
import { parseSignature } from '../crypto/signature.js'
import { isHex } from '../hex.js'
import { type Authorization, authorizationId, type TokenDomain } from './eip3009.js'
import { inspectErc7710 } from './erc7710.js'
import { inspectPermit2 } from './permit2.js'
import { Eip3009Payload } from './schema.shapes.js'
import { type ClaimCodes, inspectClaim, judgeMethod, methodOf, readPlaces, remembered } from './terms.js'

/** A payment by EIP-3009 and its terms, read: every part parsed, nothing judged by a chain. */
export type ExactPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly authorization: Authorization
  /** 65 bytes of a key, or whatever the payer's contract understands. */
  readonly signature: Uint8Array
  /** The domain that the terms name. */
  readonly domain: TokenDomain
}

/**
 * Reads a payment against its terms, without a chain and without the signature's meaning: the checks that seller and
 * facilitator share (EVM-EXACT-030 to 034, 041 to 045, 051, 083, 110 to 118).
 *
 * Refuses `invalid_exact_evm_scheme`, `unsupported_transfer_method`, `invalid_exact_evm_network_mismatch`, `invalid_network`,
 * `invalid_payload`, `invalid_payment_requirements`, `no_matching_requirements`, `invalid_exact_evm_failed_to_parse_signature`. By EIP-3009 also
 * `invalid_exact_evm_missing_eip712_domain`, `invalid_exact_evm_recipient_mismatch`,
 * `invalid_exact_evm_payload_authorization_valid_before`, `…_valid_after`, `…_value_mismatch` and
 * `invalid_exact_evm_authorization_lifetime`; by Permit2 what `inspectPermit2` says. By ERC-7710 no more can be known.
 *
 * @example
 * const inspection = inspectExact(payment, offer, { now: clock() })
 */
export function inspectExact(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  switch (methodOf(terms)) {
    case 'permit2':
      return inspectPermit2(payment, terms, now)
    case 'erc7710':
      return inspectErc7710(payment, terms, now)
    default:
      return inspectEip3009(payment, terms, now)
  }
}

function inspectEip3009(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  const read = readExact(payment, terms)
  if (!read.ok) return read
  const { pid, authorization } = read
  const { from: payer, to, value: amount, validAfter, validBefore: expiresAt } = authorization
  return inspectClaim({ pid, payer, to, amount, validAfter, expiresAt }, terms, now, CODES)
}

const CODES: ClaimCodes = {
  recipient: 'invalid_exact_evm_recipient_mismatch',
  late: 'invalid_exact_evm_payload_authorization_valid_before',
  early: 'invalid_exact_evm_payload_authorization_valid_after',
  lifetime: 'invalid_exact_evm_authorization_lifetime',
  amount: 'invalid_exact_evm_payload_authorization_value_mismatch',
}

/**
 * The parts of a payment, or why they are not those of an EIP-3009 payment for these terms.
 *
 * @example
 * const read = readExact(payment, offer)
 */
export const readExact = remembered(readParts)

function readParts(payment: PaymentPayload, terms: PaymentRequirements): ExactPayment | Refusal {
  const domain = readDomain(payment, terms)
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

function readDomain(payment: PaymentPayload, terms: PaymentRequirements): TokenDomain | Refusal {
  const refusal = judgeMethod('eip3009', payment, terms)
  if (refusal) return refusal
  const { name, version } = terms.extra
  if (typeof name !== 'string' || typeof version !== 'string' || name === '' || version === '') {
    return refuse('invalid_exact_evm_missing_eip712_domain')
  }
  const places = readPlaces(payment, terms)
  if ('ok' in places) return places
  return { name, version, chainId: places.chainId, verifyingContract: places.token }
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
