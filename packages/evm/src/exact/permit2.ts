import {
  check,
  type InspectContext,
  type Inspection,
  type Network,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  parseAtomic,
  paymentId,
  type Refusal,
  refuse,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import type { EvmChain } from '../chain.js'
import { parseSignature } from '../crypto/signature.js'
import { EXACT_PERMIT2_PROXY, PERMIT2 } from '../permit2/contracts.js'
import type { FailedTransfer } from '../permit2/diagnosis.js'
import { definePermit, type PermitTransfer } from '../permit2/signing.js'
import { exactOnEvm } from './eip3009.js'
import { Permit2Payload } from './schema.shapes.js'
import { type ClaimCodes, inspectClaim, judgeMethod, type Places, readPlaces, remembered } from './terms.js'

/** To whom the proxy of `exact` has to pay, and from when on. */
export type ExactWitness = {
  readonly to: Address
  /** Seconds since 1970; valid from this second on. */
  readonly validAfter: bigint
}

/** A payment by Permit2 and its terms, read: every part parsed, nothing judged by a chain. */
export type Permit2Payment = {
  readonly ok: true
  readonly pid: Pid
  readonly payer: Address
  readonly transfer: PermitTransfer
  readonly witness: ExactWitness
  /** 65 bytes of a key, or whatever the payer's contract understands. */
  readonly signature: Uint8Array
  readonly places: Places
}

/** The Permit2 signature of `exact` (EVM-EXACT-107, EVM-EXACT-108). */
export const exactPermit = definePermit<ExactWitness>({
  name: 'Witness',
  fields: [
    { name: 'to', type: 'address' },
    { name: 'validAfter', type: 'uint256' },
  ],
})

/**
 * The identity of a payment by Permit2 (EVM-EXACT-133): Permit2 takes a number of a payer once, whatever the token.
 *
 * @example
 * permit2Id(network('base'), payer, nonce, 'exact')
 */
export function permit2Id(network: Network, payer: Address, nonce: bigint, scheme: string): Pid {
  return paymentId([network, PERMIT2, payer, nonce.toString(), scheme])
}

/**
 * Reads a payment by Permit2 against its terms. Refuses `invalid_permit2_spender`, `invalid_permit2_recipient_mismatch`,
 * `permit2_deadline_expired`, `permit2_not_yet_valid`, `permit2_authorization_lifetime`, `permit2_amount_mismatch`,
 * `permit2_token_mismatch`, and what every method refuses.
 *
 * @example
 * const inspection = inspectPermit2(payment, offer, { now: clock() })
 */
export function inspectPermit2(payment: PaymentPayload, terms: PaymentRequirements, now: InspectContext): Inspection {
  const read = readPermit2(payment, terms)
  if (!read.ok) return read
  const { pid, payer, transfer, witness, places } = read
  const { spender, token, amount, deadline: expiresAt } = transfer
  if (spender !== EXACT_PERMIT2_PROXY) return { ...refuse('invalid_permit2_spender'), payer }
  const inspection = inspectClaim({ pid, payer, ...witness, amount, expiresAt }, terms, now, CODES)
  if (!inspection.ok && inspection.late === undefined) return inspection
  return token === places.token ? inspection : { ...refuse('permit2_token_mismatch'), payer }
}

const CODES: ClaimCodes = {
  recipient: 'invalid_permit2_recipient_mismatch',
  late: 'permit2_deadline_expired',
  early: 'permit2_not_yet_valid',
  lifetime: 'permit2_authorization_lifetime',
  amount: 'permit2_amount_mismatch',
}

/**
 * The parts of a payment, or why they are not those of a Permit2 payment for these terms.
 *
 * @example
 * const read = readPermit2(payment, offer)
 */
export const readPermit2 = remembered(readParts)

function readParts(payment: PaymentPayload, terms: PaymentRequirements): Permit2Payment | Refusal {
  const refusal = judgeMethod('permit2', payment, terms)
  if (refusal) return refusal
  const places = readPlaces(payment, terms)
  if ('ok' in places) return places
  const wire = check(Permit2Payload, payment.payload)
  if (!wire.ok) return wire
  const { from, permitted, spender, nonce, deadline, witness } = wire.value.permit2Authorization
  const payer = parseAddress(from)
  const transfer = readTransfer({ ...permitted, spender, nonce, deadline })
  const to = parseAddress(witness.to)
  const validAfter = parseAtomic(witness.validAfter)
  if (payer === undefined || transfer === undefined || to === undefined || validAfter === undefined) {
    return refuse('invalid_payload', 'payload.permit2Authorization')
  }
  const signature = parseSignature(wire.value.signature)
  if (signature === undefined) return refuse('invalid_exact_evm_failed_to_parse_signature')
  const pid = permit2Id(terms.network, payer, transfer.nonce, exactOnEvm.name)
  return { ok: true, pid, payer, transfer, witness: { to, validAfter }, signature, places }
}

/**
 * The parts of a Permit2 transfer as they are written on the wire, or `undefined` when one is not.
 *
 * @example
 * readTransfer({ token, amount: '10000', spender, nonce: '7', deadline: '2000000000' })
 */
export function readTransfer(wire: Readonly<Record<keyof PermitTransfer, string>>): PermitTransfer | undefined {
  const token = parseAddress(wire.token)
  const spender = parseAddress(wire.spender)
  const [amount, nonce, deadline] = [wire.amount, wire.nonce, wire.deadline].map(parseAtomic)
  if (token === undefined || spender === undefined) return undefined
  if (amount === undefined || nonce === undefined || deadline === undefined) return undefined
  return { token, amount, spender, nonce, deadline }
}

/** The payment as a transfer that has to be explained. */
export function failedTransfer({ engine, chainId }: EvmChain, read: Permit2Payment): FailedTransfer {
  const { payer, transfer, witness, signature } = read
  const digest = exactPermit.digest(engine, chainId, transfer, witness)
  return { claim: { payer, digest, signature }, transfer, validAfter: witness.validAfter }
}
