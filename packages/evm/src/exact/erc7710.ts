import {
  check,
  type InspectContext,
  type Inspection,
  type Network,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  paymentId,
  type Refusal,
  refuse,
  sha256Hex,
} from '@groat/core'
import { encodeCall } from '../abi.js'
import { type Address, parseAddress } from '../address.js'
import type { Hex } from '../hex.js'
import type { CallRequest } from '../rpc.js'
import { exactOnEvm } from './eip3009.js'
import { Erc7710Payload } from './schema.shapes.js'
import { judgeMethod, type Places, readPlaces, remembered } from './terms.js'

/** A permission to move somebody's money, as a delegation manager understands it. */
export type Delegation = {
  readonly manager: Address
  /** Whose money it is. */
  readonly delegator: Address
  /** What shows the manager that the delegator allows it, in lower case; its form is the manager's own. */
  readonly context: Hex
}

/** A payment by ERC-7710 and its terms, read. What it allows, only the chain can tell. */
export type Erc7710Payment = Delegation & { readonly ok: true; readonly pid: Pid; readonly places: Places }

/** Bytes of a permission at the most: they are paid for as call data. */
const MAX_CONTEXT_BYTES = 8_192

/**
 * The identity of a payment by ERC-7710 (EVM-EXACT-158): a permission pays once, however it is spelled.
 *
 * @example
 * delegationId(network('base'), { manager, delegator, context })
 */
export function delegationId(network: Network, { manager, delegator, context }: Delegation): Pid {
  return paymentId([network, manager, delegator, sha256Hex(context), exactOnEvm.name])
}

/**
 * Reads a payment by ERC-7710 against its terms: no more than its form, since nothing of what it allows can be read. Refuses what every method
 * refuses.
 *
 * @example
 * const inspection = inspectErc7710(payment, offer, { now: clock() })
 */
export function inspectErc7710(
  payment: PaymentPayload,
  terms: PaymentRequirements,
  { now }: InspectContext,
): Inspection {
  const read = readErc7710(payment, terms)
  if (!read.ok) return read
  // It says itself of no end; what was presented is worth trying for as long as the offer lasts.
  const expiresAt = Math.floor(now / 1000) + Math.ceil(Math.min(terms.maxTimeoutSeconds, MAX_SECONDS))
  return { ok: true, pid: read.pid, payer: read.delegator, expiresAt }
}

const MAX_SECONDS = 86_400

/**
 * The parts of a payment, or why they are not those of an ERC-7710 payment for these terms.
 *
 * @example
 * const read = readErc7710(payment, offer)
 */
export const readErc7710 = remembered(readParts)

function readParts(payment: PaymentPayload, terms: PaymentRequirements): Erc7710Payment | Refusal {
  const refusal = judgeMethod('erc7710', payment, terms)
  if (refusal) return refusal
  const places = readPlaces(payment, terms)
  if ('ok' in places) return places
  const wire = check(Erc7710Payload, payment.payload)
  if (!wire.ok) return wire
  const manager = parseAddress(wire.value.delegationManager)
  const delegator = parseAddress(wire.value.delegator)
  const context = wire.value.permissionContext.toLowerCase()
  if (manager === undefined || delegator === undefined) return refuse('invalid_payload', 'payload.delegator')
  if (context.length > 2 + 2 * MAX_CONTEXT_BYTES) return refuse('invalid_payload', 'payload.permissionContext')
  // The schema has seen that it is hexadecimal.
  const delegation = { manager, delegator, context: context as Hex }
  return { ok: true, pid: delegationId(terms.network, delegation), ...delegation, places }
}

/**
 * The call that moves the money (EVM-EXACT-153): `redeemDelegations`, with the one execution `transfer(payTo, amount)` of the token in the mode of
 * a single call whose failure reverts.
 *
 * @example
 * redeemCall({ manager, delegator, context }, { token, payTo }, 1000n)
 */
export function redeemCall(
  { manager, context }: Delegation,
  { token, payTo }: Pick<Places, 'token' | 'payTo'>,
  amount: bigint,
): Pick<CallRequest, 'to' | 'data'> {
  // Packed: target, value, call data.
  const target: Hex = token
  const execution: Hex = `0x${target.slice(2)}${'0'.repeat(64)}${encodeCall('0xa9059cbb', payTo, amount).slice(2)}`
  const [contexts, executions] = [oneBytes(context), oneBytes(execution)]
  const modesAt = 96 + contexts.length / 2
  const head = encodeCall(REDEEM_DELEGATIONS, 96n, BigInt(modesAt), BigInt(modesAt + 64))
  return { to: manager, data: `${head}${contexts}${encodeCall('0x', 1n, 0n).slice(2)}${executions}` }
}

/** A `bytes[]` of one, without its prefix. */
function oneBytes(bytes: Hex): string {
  const size = (bytes.length - 2) / 2
  const words = encodeCall('0x', 1n, 32n, BigInt(size)).slice(2)
  return words + bytes.slice(2).padEnd(64 * Math.ceil(size / 32), '0')
}

/** `redeemDelegations(bytes[],bytes32[],bytes[])` */
const REDEEM_DELEGATIONS: Hex = '0xcef6d209'
