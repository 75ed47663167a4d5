import {
  check,
  judgeAccepted,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  sameAddress,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { TokenDomain } from '../exact/eip3009.js'
import { AUTH_CAPTURE_ESCROW, authCaptureOnEvm, NOBODY } from './identity.js'
import { amountOf, uint } from './payment-info.js'
import { AuthCaptureExtra } from './schema.shapes.js'

/** What an offer says of a payment that is held in escrow. Times in seconds since 1970, fees in basis points, amounts in atomic units. */
export type HoldTerms = {
  readonly ok: true
  readonly chainId: bigint
  readonly token: Address
  readonly payTo: Address
  readonly amount: bigint
  readonly operator: Address
  /** Whose word captures, voids and refunds need; nobody: they are the operator's own affair. */
  readonly receiverAuthorizer: Address
  readonly captureDeadline: bigint
  readonly refundDeadline: bigint
  readonly feeRecipient: Address
  readonly minFeeBps: bigint
  readonly maxFeeBps: bigint
  /** `escrow`: held until it is captured; `authorization`: paid out at once. */
  readonly flow: 'escrow' | 'authorization'
  readonly method: 'eip3009' | 'permit2'
  /** The token's EIP-712 domain, as the offer names it. */
  readonly domain: TokenDomain
}

/**
 * Reads an offer of the scheme. Refuses `invalid_auth_capture_evm_scheme`, `invalid_network`, `invalid_payment_requirements`,
 * `invalid_auth_capture_evm_extra` (also for another escrow), `…_unsupported_payment_flow`, `…_unsupported_operator_type` (also for a policy),
 * `…_deadline_ordering`, `unsupported_transfer_method` and `…_missing_receiver_authorizer`.
 *
 * @example
 * const terms = readHoldTerms(offer)
 */
export function readHoldTerms({
  scheme,
  network,
  asset,
  payTo,
  amount,
  extra,
}: PaymentRequirements): HoldTerms | Refusal {
  if (scheme !== authCaptureOnEvm.name) return refuse('invalid_auth_capture_evm_scheme')
  const chainId = chainIdOf(network)
  if (chainId === undefined) return refuse('invalid_network')
  const [token, receiver] = [parseAddress(asset), parseAddress(payTo)]
  if (token === undefined) return refuse('invalid_payment_requirements', 'asset')
  if (receiver === undefined || BigInt(receiver) === 0n) return refuse('invalid_payment_requirements', 'payTo')
  if (amount < 1n || amountOf(amount.toString()) === undefined) return refuse('invalid_payment_requirements', 'amount')

  // The removed form of another flow must not fall through to this one.
  if (extra.autoCapture === true) return refuse(OTHER_FLOW, 'extra.autoCapture')
  const wire = check(AuthCaptureExtra, extra)
  if (!wire.ok) return flaw(wire.detail ?? '')
  const { name, version, authCaptureEscrow = AUTH_CAPTURE_ESCROW, operatorType = 'delegated' } = wire.value
  const { paymentFlow: flow = 'escrow', assetTransferMethod: method = 'eip3009' } = wire.value
  if (!sameAddress(authCaptureEscrow, AUTH_CAPTURE_ESCROW)) return flaw('authCaptureEscrow')
  if (flow !== 'escrow' && flow !== 'authorization') return refuse(OTHER_FLOW, 'extra.paymentFlow')
  if (operatorType !== 'delegated') return refuse(OTHER_OPERATOR, 'extra.operatorType')
  if (parseAddress(wire.value.policy ?? NOBODY) !== NOBODY) return refuse(OTHER_OPERATOR, 'extra.policy')
  if (method !== 'eip3009' && method !== 'permit2') return refuse('unsupported_transfer_method')

  const operator = parseAddress(wire.value.captureAuthorizer)
  const receiverAuthorizer = parseAddress(wire.value.receiverAuthorizer ?? NOBODY)
  const feeRecipient = parseAddress(wire.value.feeRecipient)
  const [captureDeadline, refundDeadline] = [uint(wire.value.captureDeadline, 48), uint(wire.value.refundDeadline, 48)]
  const [minFeeBps, maxFeeBps] = [uint(wire.value.minFeeBps, 16), uint(wire.value.maxFeeBps, 16)]
  if (operator === undefined || operator === NOBODY) return flaw('captureAuthorizer')
  if (receiverAuthorizer === undefined) return flaw('receiverAuthorizer')
  if (captureDeadline === undefined) return flaw('captureDeadline')
  if (refundDeadline === undefined) return flaw('refundDeadline')
  if (maxFeeBps === undefined || maxFeeBps > 10_000n) return flaw('maxFeeBps')
  if (minFeeBps === undefined || minFeeBps > maxFeeBps) return flaw('minFeeBps')
  // A fee without a recipient goes to whomever the operator names.
  if (feeRecipient === undefined || (feeRecipient === NOBODY && maxFeeBps > 0n)) return flaw('feeRecipient')
  if (captureDeadline > refundDeadline) return refuse('invalid_auth_capture_evm_deadline_ordering')
  if (flow === 'authorization' && receiverAuthorizer === NOBODY) {
    return refuse('invalid_auth_capture_evm_missing_receiver_authorizer')
  }
  return {
    ...{ ok: true, chainId, token, payTo: receiver, amount, operator, receiverAuthorizer, captureDeadline },
    ...{ refundDeadline, feeRecipient, minFeeBps, maxFeeBps, flow, method },
    domain: { name, version, chainId, verifyingContract: token },
  }
}

const OTHER_FLOW = 'invalid_auth_capture_evm_unsupported_payment_flow'
const OTHER_OPERATOR = 'invalid_auth_capture_evm_unsupported_operator_type'

const flaw = (member: string): Refusal => refuse('invalid_auth_capture_evm_extra', `extra.${member}`)

/**
 * Whether a payment is for these terms at all. Refuses `invalid_auth_capture_evm_scheme`, `invalid_auth_capture_evm_network_mismatch` and
 * `no_matching_requirements`.
 */
export function judgePlaces(
  { scheme, network, accepted }: PaymentPayload,
  terms: PaymentRequirements,
): Refusal | undefined {
  const schemes = [scheme, accepted?.scheme ?? authCaptureOnEvm.name]
  if (schemes.some((name) => name !== authCaptureOnEvm.name)) return refuse('invalid_auth_capture_evm_scheme')
  if (network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_auth_capture_evm_network_mismatch')
  }
  return judgeAccepted(accepted, terms)
}
