import {
  check,
  type Fitting,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  type Refusal,
  refuse,
} from '@groat/core'
import { parseAddress } from '../address.js'
import { nobleSigningEngine as engine } from '../crypto/noble-signing.js'
import { parseSignature } from '../crypto/signature.js'
import { remembered } from '../exact/terms.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import type { Balances, Payout, Permission } from './authorizer.js'
import { captureCall, refundCall, voidCall } from './escrow.js'
import { type HoldTerms, judgePlaces, readHoldTerms } from './hold-terms.js'
import { NOBODY } from './identity.js'
import { amountOf, authCaptureId, boundSalt, type PaymentInfo, paymentInfoHash, readInfo } from './payment-info.js'
import {
  AuthCaptureCapturePayload,
  type AuthCapturePaymentInfo,
  AuthCaptureRefundPayload,
  AuthCaptureVoidPayload,
} from './schema.shapes.js'

/** Something that a seller has done with a payment that was collected. */
export type HoldAction = {
  readonly ok: true
  readonly pid: Pid
  readonly terms: HoldTerms
  readonly info: PaymentInfo
  readonly infoHash: Hex
  /** What the receiver's authorizer has to have signed. */
  readonly permission: Extract<Permission, { readonly kind: 'capture' | 'void' | 'refund' }>
  readonly authorizerSignature: Uint8Array
  readonly call: Pick<CallRequest, 'to' | 'data'>
}

/**
 * Reads what a seller wants done with a payment: `capture`, `void` or `refund` (EVM-CAPTURE-061 to 064). Besides what `readHoldTerms` refuses:
 * `invalid_auth_capture_evm_network_mismatch`, `…_payload_type`, `…_lifecycle_not_relayed`, `…_salt_binding_mismatch`, `…_authorizer_signature`,
 * `no_matching_requirements` and `invalid_payload`.
 *
 * @example
 * const action = readAction(payment, offer)
 */
export const readAction = remembered(readParts)

function readParts(payment: PaymentPayload, requirements: PaymentRequirements): HoldAction | Refusal {
  const terms = readHoldTerms(requirements)
  if (!terms.ok) return terms
  const misplaced = judgePlaces(payment, requirements)
  if (misplaced) return misplaced
  if (terms.receiverAuthorizer === NOBODY) return refuse('invalid_auth_capture_evm_lifecycle_not_relayed')
  const read = readPayload(payment)
  if (!read.ok) return read
  const { kind } = read.permission
  // What is paid out at once is not held.
  if (terms.flow === 'authorization' && kind !== 'refund') return refuse('invalid_auth_capture_evm_payload_type')
  const { info, saltNonce, authorizerSignature: text } = read
  const { receiverAuthorizer } = terms
  if (info.salt !== boundSalt(engine, { receiverAuthorizer, policy: NOBODY }, saltNonce)) {
    return refuse('invalid_auth_capture_evm_salt_binding_mismatch')
  }
  const other = PROMISED.find(([member, term]) => info[member] !== terms[term])
  if (other !== undefined) {
    return refuse('no_matching_requirements', `payload.paymentInfo.${other[0]} is not what was offered`)
  }
  const authorizerSignature = parseSignature(text ?? '')
  // This facilitator signs for nobody.
  if (authorizerSignature === undefined || authorizerSignature.length === 0) {
    return refuse('invalid_auth_capture_evm_authorizer_signature')
  }
  const infoHash = paymentInfoHash(engine, terms.chainId, info)
  const permission = { ...read.permission, infoHash }
  const state = 'capturable' in permission ? [`${permission.capturable}`, `${permission.refundable}`] : []
  const pid = authCaptureId(requirements.network, infoHash, kind, ...state)
  return { ok: true, pid, terms, info, infoHash, permission, authorizerSignature, call: callOf(info, permission) }
}

function callOf(info: PaymentInfo, permission: HoldAction['permission']): HoldAction['call'] {
  switch (permission.kind) {
    case 'capture':
      return captureCall(info, permission)
    case 'void':
      return voidCall(info)
    case 'refund':
      return refundCall(info, permission.amount)
  }
}

/** Where a payment says what the terms say: nothing else ties what a seller sends to what the payer was offered. */
const PROMISED = [
  ['operator', 'operator'],
  ['receiver', 'payTo'],
  ['token', 'token'],
  ['maxAmount', 'amount'],
  ['authorizationExpiry', 'captureDeadline'],
  ['refundExpiry', 'refundDeadline'],
  ['minFeeBps', 'minFeeBps'],
  ['maxFeeBps', 'maxFeeBps'],
  ['feeReceiver', 'feeRecipient'],
] as const satisfies readonly (readonly [keyof PaymentInfo, keyof HoldTerms])[]

type WithoutHash<P> = P extends unknown ? Omit<P, 'infoHash'> : never

type ReadPayload = {
  readonly ok: true
  readonly info: PaymentInfo
  readonly saltNonce: Hex
  readonly authorizerSignature: string | undefined
  readonly permission: WithoutHash<HoldAction['permission']>
}

function readPayload({ payload }: PaymentPayload): ReadPayload | Refusal {
  switch (payload.type) {
    case 'capture': {
      const wire = check(AuthCaptureCapturePayload, payload)
      if (!wire.ok) return wire
      // One transaction does one thing here: what is left over is let go by a request of its own.
      if (payload.voidAuthorizerSignature !== undefined) {
        return refuse('invalid_payload', 'payload.voidAuthorizerSignature')
      }
      const [payout, balances] = [readPayout(wire.value), readBalances(wire.value)]
      if (payout === undefined || balances === undefined) return refuse('invalid_payload', 'payload.amount')
      return withAbout(wire.value, { kind: 'capture', ...payout, ...balances })
    }
    case 'void': {
      const wire = check(AuthCaptureVoidPayload, payload)
      return wire.ok ? withAbout(wire.value, { kind: 'void' }) : wire
    }
    case 'refund': {
      const wire = check(AuthCaptureRefundPayload, payload)
      if (!wire.ok) return wire
      const [amount, balances] = [amountOf(wire.value.amount), readBalances(wire.value)]
      if (amount === undefined || amount === 0n || balances === undefined) {
        return refuse('invalid_payload', 'payload.amount')
      }
      return withAbout(wire.value, { kind: 'refund', amount, ...balances })
    }
    default:
      return refuse('invalid_auth_capture_evm_payload_type')
  }
}

type WireAbout = {
  readonly paymentInfo: Fitting<typeof AuthCapturePaymentInfo>
  readonly saltNonce: string
  readonly authorizerSignature?: string | undefined
}

function withAbout(wire: WireAbout, permission: ReadPayload['permission']): ReadPayload | Refusal {
  const info = readInfo(wire.paymentInfo)
  if (info === undefined) return refuse('invalid_payload', 'payload.paymentInfo')
  // The schema has seen that it is 32 bytes in hexadecimal.
  const saltNonce = wire.saltNonce.toLowerCase() as Hex
  return { ok: true, info, saltNonce, authorizerSignature: wire.authorizerSignature, permission }
}

type WirePayout = { readonly amount: string; readonly feeAmount: string; readonly feeReceiver: string }

function readPayout(wire: WirePayout): Payout | undefined {
  const [amount, feeAmount] = [amountOf(wire.amount), amountOf(wire.feeAmount)]
  const feeReceiver = parseAddress(wire.feeReceiver)
  if (amount === undefined || amount === 0n || feeAmount === undefined || feeReceiver === undefined) return undefined
  return { amount, feeAmount, feeReceiver }
}

type WireBalances = { readonly expectedCapturableAmount: string; readonly expectedRefundableAmount: string }

function readBalances(wire: WireBalances): Balances | undefined {
  const capturable = parseAtomic(wire.expectedCapturableAmount)
  const refundable = parseAtomic(wire.expectedRefundableAmount)
  return capturable === undefined || refundable === undefined ? undefined : { capturable, refundable }
}
