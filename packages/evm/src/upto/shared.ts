import {
  check,
  type InspectContext,
  type Inspection,
  judgeAccepted,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { parseSignature } from '../crypto/signature.js'
import { MIN_REMAINING_SECONDS, remembered } from '../exact/terms.js'
import { UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { type UptoAuthorization, uptoId } from './authorization.js'
import { uptoOnEvm } from './identity.js'
import { UptoEvmPayload } from './schema.shapes.js'

/** A payment and its terms, read: every part parsed, nothing judged by a chain. */
export type UptoPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly chainId: bigint
  readonly authorization: UptoAuthorization
  readonly spender: Address
  /** Atomic units that the payer was asked for, where the payment says so. */
  readonly ceiling?: bigint
  /** 65 bytes of a key, or whatever the payer's contract understands. */
  readonly signature: Uint8Array
}

/** Seconds by which the clocks of payer and reader may differ. */
const CLOCK_ALLOWANCE_SECONDS = 60

/**
 * Reads a payment against its terms, without a chain and without the signature's meaning: the checks that seller and facilitator share
 * (EVM-UPTO-030 to 041). The amount of the terms is the ceiling, and where settling is asked for, what is charged of it.
 *
 * Refuses `invalid_upto_evm_scheme`, `unsupported_transfer_method`, `invalid_upto_evm_network_mismatch`, `invalid_network`, `invalid_payload`,
 * `invalid_payment_requirements`, `no_matching_requirements`, `invalid_permit2_signature`, `invalid_permit2_spender`,
 * `invalid_permit2_recipient_mismatch`, `upto_facilitator_mismatch`, `permit2_deadline_expired`, `permit2_not_yet_valid`,
 * `permit2_authorization_lifetime`, `permit2_token_mismatch`, `permit2_amount_mismatch` and
 * `invalid_upto_evm_payload_settlement_exceeds_amount`.
 *
 * @example
 * const inspection = inspectUpto(payment, offer, { now: clock() })
 */
export function inspectUpto(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  const read = readUpto(payment, terms)
  if (!read.ok) return read
  const { from: payer, deadline } = read.authorization
  const inspected = { ok: true, pid: read.pid, payer, expiresAt: Number(deadline) } as const
  const refusal = judgeTerms(read, terms, now)
  if (refusal === undefined) return inspected
  // Whether nothing spoke against it when it had just so much life left as a payment must have.
  const then = { ...now, now: (Number(deadline) - MIN_REMAINING_SECONDS) * 1000, minRemainingSeconds: 0 }
  const wasGood = refusal.code === TOO_LATE && judgeTerms(read, terms, then) === undefined
  return wasGood ? { ...refusal, payer, late: inspected } : { ...refusal, payer }
}

const TOO_LATE = 'permit2_deadline_expired'

/**
 * The parts of a payment, or why they are not those of an `upto` payment for these terms.
 *
 * @example
 * const read = readUpto(payment, offer)
 */
export const readUpto = remembered(readParts)

function readParts(payment: PaymentPayload, terms: PaymentRequirements): UptoPayment | Refusal {
  const chainId = readTerms(payment, terms)
  if (typeof chainId !== 'bigint') return chainId
  const wire = check(UptoEvmPayload, payment.payload)
  if (!wire.ok) return wire
  const { permit2Authorization } = wire.value
  const authorization = readAuthorization(permit2Authorization)
  const spender = parseAddress(permit2Authorization.spender)
  if (authorization === undefined || spender === undefined) {
    return refuse('invalid_payload', 'payload.permit2Authorization')
  }
  const signature = parseSignature(wire.value.signature)
  if (signature === undefined) return refuse('invalid_permit2_signature')
  const ceiling = payment.accepted?.amount
  return {
    ...{ ok: true, pid: uptoId(terms.network, authorization), chainId, authorization, spender, signature },
    ...(ceiling === undefined ? {} : { ceiling }),
  }
}

function readTerms(payment: PaymentPayload, terms: PaymentRequirements): bigint | Refusal {
  const { accepted } = payment
  const schemes = [payment.scheme, terms.scheme, accepted?.scheme ?? uptoOnEvm.name]
  if (schemes.some((scheme) => scheme !== uptoOnEvm.name)) return refuse('invalid_upto_evm_scheme')
  const methods = [terms.extra.assetTransferMethod, accepted?.extra.assetTransferMethod]
  if (methods.some((method) => (method ?? 'permit2') !== 'permit2')) return refuse('unsupported_transfer_method')
  if (payment.network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_upto_evm_network_mismatch')
  }
  if (parseAddress(terms.asset) === undefined) return refuse('invalid_payment_requirements', 'asset')
  if (parseAddress(terms.payTo) === undefined) return refuse('invalid_payment_requirements', 'payTo')
  // A settlement may be for less than the ceiling: the amount is judged by what is asked for.
  const other = judgeAccepted(accepted, terms, ['asset', 'payTo'])
  return other ?? chainIdOf(terms.network) ?? refuse('invalid_network')
}

type WireAuthorization = {
  readonly from: string
  readonly permitted: { readonly token: string; readonly amount: string }
  readonly nonce: string
  readonly deadline: string
  readonly witness: { readonly to: string; readonly facilitator: string; readonly validAfter: string }
}

function readAuthorization(wire: WireAuthorization): UptoAuthorization | undefined {
  const { permitted, witness } = wire
  const addresses = [wire.from, permitted.token, witness.to, witness.facilitator].map(parseAddress)
  const numbers = [permitted.amount, wire.nonce, wire.deadline, witness.validAfter].map(parseAtomic)
  const [from, token, to, facilitator] = addresses
  const [amount, nonce, deadline, validAfter] = numbers
  if (from === undefined || token === undefined || to === undefined || facilitator === undefined) return undefined
  if (amount === undefined || nonce === undefined || deadline === undefined || validAfter === undefined)
    return undefined
  return { from, token, amount, nonce, deadline, to, facilitator, validAfter }
}

function judgeTerms(
  { authorization, spender, ceiling }: UptoPayment,
  { payTo, asset, amount, maxTimeoutSeconds, extra }: PaymentRequirements,
  { now, minRemainingSeconds = 0, settling = false }: InspectContext,
): Refusal | undefined {
  const { to, token, facilitator, deadline, validAfter } = authorization
  const seconds = BigInt(Math.floor(now / 1000))
  const remaining = BigInt(Math.ceil(Math.max(minRemainingSeconds, MIN_REMAINING_SECONDS)))
  const longest = seconds + BigInt(Math.ceil(Math.min(maxTimeoutSeconds, 2 ** 40)) + CLOCK_ALLOWANCE_SECONDS)
  if (spender !== UPTO_PERMIT2_PROXY) return refuse('invalid_permit2_spender')
  if (to !== parseAddress(payTo)) return refuse('invalid_permit2_recipient_mismatch')
  const { facilitatorAddress } = extra
  if (typeof facilitatorAddress !== 'string' || parseAddress(facilitatorAddress) !== facilitator) {
    return refuse('upto_facilitator_mismatch')
  }
  if (deadline < seconds + remaining) return refuse(TOO_LATE)
  if (validAfter > seconds) return refuse('permit2_not_yet_valid')
  if (deadline > longest) return refuse('permit2_authorization_lifetime')
  if (token !== parseAddress(asset)) return refuse('permit2_token_mismatch')
  if (!settling && (ceiling ?? amount) !== amount) {
    return refuse('no_matching_requirements', 'amount is not what was accepted')
  }
  if (authorization.amount !== (ceiling ?? (settling ? authorization.amount : amount))) {
    return refuse('permit2_amount_mismatch')
  }
  return amount > authorization.amount ? refuse('invalid_upto_evm_payload_settlement_exceeds_amount') : undefined
}
