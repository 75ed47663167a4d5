import { X402Error } from '@groat/core'
import { decodeInteger, encodeCall, encodeCallWithBytes } from '../abi.js'
import type { Address } from '../address.js'
import { formatHex, type Hex } from '../hex.js'
import type { CallRequest, EvmRpc } from '../rpc.js'
import type { Balances, Payout } from './authorizer.js'
import { AUTH_CAPTURE_ESCROW, OPERATOR_REFUND_COLLECTOR } from './identity.js'
import { infoWords, type PaymentInfo } from './payment-info.js'

type EscrowCall = Pick<CallRequest, 'to' | 'data'>

/** How money gets into the escrow: whom it asks, and with what signature. */
export type Collection = { readonly collector: Address; readonly signature: Uint8Array }

/** Takes the payer's money and holds it. */
export function authorizeCall(info: PaymentInfo, amount: bigint, { collector, signature }: Collection): EscrowCall {
  const words = [...infoWords(info), amount, collector]
  return { to: AUTH_CAPTURE_ESCROW, data: encodeCallWithBytes('0x41d66202', words, signature) }
}

/** Takes the payer's money and pays it out at once. */
export function chargeCall(
  info: PaymentInfo,
  { amount, feeAmount, feeReceiver }: Payout,
  { collector, signature }: Collection,
): EscrowCall {
  const head = [...infoWords(info), amount, collector]
  const size = BigInt(signature.length)
  const words = [...head, BigInt(32 * (head.length + 3)), feeAmount, feeReceiver, size]
  const bytes = formatHex(signature)
    .slice(2)
    .padEnd(64 * Math.ceil(signature.length / 32), '0')
  return { to: AUTH_CAPTURE_ESCROW, data: `${encodeCall('0xc449d17c', ...words)}${bytes}` }
}

/** Pays out what is held, or a part of it. */
export function captureCall(info: PaymentInfo, { amount, feeAmount, feeReceiver }: Payout): EscrowCall {
  const data = encodeCall('0x3efa46e1', ...infoWords(info), amount, feeAmount, feeReceiver)
  return { to: AUTH_CAPTURE_ESCROW, data }
}

/** Gives the payer what is held. */
export function voidCall(info: PaymentInfo): EscrowCall {
  return { to: AUTH_CAPTURE_ESCROW, data: encodeCall('0xfa1cad17', ...infoWords(info)) }
}

/** Gives the payer back what was paid out, of the operator's own money. */
export function refundCall(info: PaymentInfo, amount: bigint): EscrowCall {
  const words = [...infoWords(info), amount, OPERATOR_REFUND_COLLECTOR]
  return { to: AUTH_CAPTURE_ESCROW, data: encodeCallWithBytes('0xd458db5a', words, new Uint8Array()) }
}

/**
 * The payer's own way out, from `authorizationExpiry` on: a transaction that the payer sends, of whatever is still held then.
 *
 * @example
 * await wallet.sendTransaction(reclaimCall(info))
 */
export function reclaimCall(info: PaymentInfo): EscrowCall {
  return { to: AUTH_CAPTURE_ESCROW, data: encodeCall('0xe1a2a66d', ...infoWords(info)) }
}

/** What the escrow has for a payment. */
export type EscrowState = Balances & { readonly collected: boolean }

/** Reads what the escrow has for a payment, in the newest block unless told in which. Throws `X402Error` `rpc_unreachable` and the like. */
export async function readState(rpc: EvmRpc, infoHash: Hex, block?: bigint): Promise<EscrowState> {
  const answer = await rpc.call({ to: AUTH_CAPTURE_ESCROW, data: encodeCall('0x34b778ed', infoHash) }, block)
  const [collected, capturable, refundable] = [0, 1, 2].map((at) =>
    decodeInteger(`0x${answer.data.slice(2 + 64 * at, 66 + 64 * at)}`),
  )
  if (!answer.ok || collected === undefined || capturable === undefined || refundable === undefined) {
    throw new X402Error('rpc_invalid_answer', { reason: 'no state of the escrow' })
  }
  return { collected: collected === 1n, capturable, refundable }
}

/**
 * Whether the escrow is there and is what it should be: a call to an address without code succeeds and moves nothing. Asked until it says so,
 * and then no more. Throws `X402Error` `rpc_unreachable` and the like.
 */
export function hasEscrow(rpc: EvmRpc): Promise<boolean> {
  const known = proven.get(rpc)
  if (known !== undefined) return known
  const answer = rpc.call({ to: AUTH_CAPTURE_ESCROW, data: '0xe15d987a' }).then(({ data }) => data === TYPEHASH)
  proven.set(rpc, answer)
  const forget = () => void proven.delete(rpc)
  answer.then((there) => there || forget(), forget)
  return answer
}

const proven = new WeakMap<EvmRpc, Promise<boolean>>()

/** `PAYMENT_INFO_TYPEHASH()` answers the type of the terms. */
const TYPEHASH: Hex = '0xae68ac7ce30c86ece8196b61a7c486d8f0061f575037fbd34e7fe4e2820c6591'

/** The topics of the escrow's events; the first argument of each is the payment's hash. */
export const escrowEvents = {
  authorize: '0x1c81fb2e3bab27f6bb09bee9a0dddf61600b7cbaf2c12683e4864e0cbdb9d284',
  charge: '0x137b0e73e4453f43c2e1ad2552980a0e0c7e988764619974ca26d37a7159940c',
  capture: '0xac1e0db1957daedbc6944bcb4c8dc947ff8101d710671ac2ec26309f7f38d58e',
  void: '0xcadce8c3acb008e3e1c64ca7f60d22a3c87069183182b7dbb9e4d8cfb3a15842',
  reclaim: '0x78e1d723d17e13b7f40eeab9bf6dd9148a630bafde4203ab7bb5fca983516d17',
  refund: '0x1bf415371b303ca6b8bbb4ce479b177cba5ad15dbe0c9a7750a588aa6bcd25b2',
} as const satisfies Record<string, Hex>
