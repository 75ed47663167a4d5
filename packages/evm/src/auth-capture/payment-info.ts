import { type JsonObject, type Network, type Pid, parseAtomic, paymentId } from '@groat/core'
import { encodeCall } from '../abi.js'
import { type Address, formatAddress, parseAddress } from '../address.js'
import { defineStruct } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex, isHex, parseHex } from '../hex.js'
import { AUTH_CAPTURE_ESCROW, authCaptureOnEvm, NOBODY } from './identity.js'

/** The terms of one payment, as the escrow knows it by. Amounts in atomic units, times in seconds since 1970, fees in basis points. */
export type PaymentInfo = {
  /** The only account that can collect, capture, void and refund. */
  readonly operator: Address
  readonly payer: Address
  readonly receiver: Address
  readonly token: Address
  readonly maxAmount: bigint
  /** Until then the money can be collected. */
  readonly preApprovalExpiry: bigint
  /** Until then it can be captured; from then on the payer can take it back alone. */
  readonly authorizationExpiry: bigint
  /** Until then it can be refunded. */
  readonly refundExpiry: bigint
  readonly minFeeBps: bigint
  readonly maxFeeBps: bigint
  /** Who gets the fee; nobody: whoever is named with it. */
  readonly feeReceiver: Address
  /** 32 bytes. */
  readonly salt: Hex
}

/** Whose word decides over a payment besides the operator's: bound into its salt. */
export type Governors = { readonly receiverAuthorizer: Address; readonly policy: Address }

/**
 * The name of a payment in the escrow: `getHash`.
 *
 * @example
 * paymentInfoHash(engine, 84532n, info)
 */
export function paymentInfoHash(engine: SigningEngine, chainId: bigint, info: PaymentInfo): Hex {
  const inner = hashInfo(engine, ...infoWords(info))
  return keccak(engine, encodeCall('0x', chainId, AUTH_CAPTURE_ESCROW, formatHex(inner)))
}

/**
 * The nonce that a payer signs (EVM-CAPTURE-013): the name of the payment without its payer. It fixes recipient, deadlines and fees.
 *
 * @example
 * signatureNonce(engine, 84532n, info)
 */
export function signatureNonce(engine: SigningEngine, chainId: bigint, info: PaymentInfo): Hex {
  return paymentInfoHash(engine, chainId, { ...info, payer: NOBODY })
}

/**
 * The salt of a payment that somebody governs (EVM-CAPTURE-014): who it is cannot be changed afterwards.
 *
 * @example
 * boundSalt(engine, { receiverAuthorizer, policy: NOBODY }, saltNonce)
 */
export function boundSalt(engine: SigningEngine, { receiverAuthorizer, policy }: Governors, saltNonce: Hex): Hex {
  return formatHex(hashBinding(engine, receiverAuthorizer, policy, BigInt(saltNonce)))
}

/**
 * The identity of a payment (EVM-CAPTURE-050), or, with parts, of something that is done with it.
 *
 * @example
 * authCaptureId(network('base'), infoHash)
 * authCaptureId(network('base'), infoHash, 'void')
 */
export function authCaptureId(network: Network, infoHash: Hex, ...parts: readonly string[]): Pid {
  return paymentId([network, AUTH_CAPTURE_ESCROW, infoHash, ...parts, authCaptureOnEvm.name])
}

/** The struct as the words of a call. */
export function infoWords(info: PaymentInfo): InfoWords {
  return [
    ...([info.operator, info.payer, info.receiver, info.token, info.maxAmount] as const),
    ...([info.preApprovalExpiry, info.authorizationExpiry, info.refundExpiry] as const),
    ...([info.minFeeBps, info.maxFeeBps, info.feeReceiver, BigInt(info.salt)] as const),
  ]
}

/** As the wire has it: amounts as text, times and fees as numbers. */
export function wireOfInfo(info: PaymentInfo): JsonObject {
  return {
    operator: formatAddress(info.operator),
    payer: formatAddress(info.payer),
    receiver: formatAddress(info.receiver),
    token: formatAddress(info.token),
    maxAmount: info.maxAmount.toString(),
    preApprovalExpiry: Number(info.preApprovalExpiry),
    authorizationExpiry: Number(info.authorizationExpiry),
    refundExpiry: Number(info.refundExpiry),
    minFeeBps: Number(info.minFeeBps),
    maxFeeBps: Number(info.maxFeeBps),
    feeReceiver: formatAddress(info.feeReceiver),
    salt: info.salt,
  }
}

/** The struct from its wire form, which has been checked against the schema; `undefined` when a part does not fit the contract. */
export function readInfo(wire: WireInfo): PaymentInfo | undefined {
  const [operator, payer, receiver] = [wire.operator, wire.payer, wire.receiver].map(parseAddress)
  const [token, feeReceiver] = [wire.token, wire.feeReceiver].map(parseAddress)
  const times = [wire.preApprovalExpiry, wire.authorizationExpiry, wire.refundExpiry].map((time) => uint(time, 48))
  const fees = [wire.minFeeBps, wire.maxFeeBps].map((fee) => uint(fee, 16))
  const [preApprovalExpiry, authorizationExpiry, refundExpiry] = times
  const [minFeeBps, maxFeeBps] = fees
  const maxAmount = amountOf(wire.maxAmount)
  const salt = wire.salt.toLowerCase()
  if (operator === undefined || payer === undefined || receiver === undefined) return undefined
  if (token === undefined || feeReceiver === undefined || maxAmount === undefined || !isHex(salt, 32)) return undefined
  if (preApprovalExpiry === undefined || authorizationExpiry === undefined || refundExpiry === undefined)
    return undefined
  if (minFeeBps === undefined || maxFeeBps === undefined) return undefined
  return {
    ...{ operator, payer, receiver, token, maxAmount, preApprovalExpiry, authorizationExpiry, refundExpiry },
    ...{ minFeeBps, maxFeeBps, feeReceiver, salt },
  }
}

type WireInfo = {
  readonly [Part in keyof PaymentInfo]: PaymentInfo[Part] extends bigint
    ? Part extends 'maxAmount'
      ? string
      : number
    : string
}

/** A whole number of so many bits. */
export const uint = (value: unknown, bits: number): bigint | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 2 ** bits
    ? BigInt(value)
    : undefined

/** An amount that the escrow can count: 120 bits. */
export function amountOf(text: string): bigint | undefined {
  const amount = parseAtomic(text)
  return amount !== undefined && amount < 2n ** 120n ? amount : undefined
}

type InfoWords = readonly [
  ...[operator: Address, payer: Address, receiver: Address, token: Address, maxAmount: bigint],
  ...[preApprovalExpiry: bigint, authorizationExpiry: bigint, refundExpiry: bigint],
  ...[minFeeBps: bigint, maxFeeBps: bigint, feeReceiver: Address, salt: bigint],
]

const hashInfo = defineStruct<InfoWords>(
  'PaymentInfo(address operator,address payer,address receiver,address token,uint120 maxAmount,uint48 preApprovalExpiry,uint48 authorizationExpiry,uint48 refundExpiry,uint16 minFeeBps,uint16 maxFeeBps,address feeReceiver,uint256 salt)',
)
const hashBinding = defineStruct<[receiverAuthorizer: Address, policy: Address, saltNonce: bigint]>(
  'x402AuthCaptureSaltBinding(address receiverAuthorizer,address policy,uint256 saltNonce)',
)

const keccak = (engine: SigningEngine, words: Hex): Hex =>
  formatHex(engine.keccak256(parseHex(words) ?? new Uint8Array()))
