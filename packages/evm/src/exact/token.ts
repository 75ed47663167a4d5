import { decodeInteger, encodeCall, encodeCallWithBytes } from '../abi.js'
import type { Address } from '../address.js'
import { formatHex, type Hex } from '../hex.js'
import type { Log } from '../rpc.js'
import type { Authorization } from './eip3009.js'

/**
 * The call that moves the money (EVM-EXACT-061, EVM-EXACT-062): 65 bytes as v, r, s, which every EIP-3009 token has; anything
 * else as bytes.
 *
 * @example
 * encodeTransfer(authorization, signature)
 */
export function encodeTransfer(authorization: Authorization, signature: Uint8Array): Hex {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const words = [from, to, value, validAfter, validBefore, nonce] as const
  if (signature.length !== 65) return encodeCallWithBytes('0xcf092995', words, signature)
  const [r, s] = [formatHex(signature.subarray(0, 32)), formatHex(signature.subarray(32, 64))]
  return encodeCall('0xe3ee160e', ...words, BigInt(signature[64] ?? 0), r, s)
}

/** Whether a payer's nonce is used or cancelled. */
export const encodeAuthorizationState = ({ from, nonce }: Pick<Authorization, 'from' | 'nonce'>): Hex =>
  encodeCall('0xe94a0102', from, nonce)

/** What an account holds, in atomic units. */
export const encodeBalanceOf = (account: Address): Hex => encodeCall('0x70a08231', account)

/** The token's name, which its domain usually has too. */
export const NAME: Hex = '0x06fdde03'
/** The version of the token's domain. */
export const VERSION: Hex = '0x54fd4d50'

/** `AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)` */
export const AUTHORIZATION_USED: Hex = '0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5'
/** `AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)` */
export const AUTHORIZATION_CANCELED: Hex = '0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81'
/** `Transfer(address indexed from, address indexed to, uint256 value)` */
export const TRANSFER: Hex = '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'

/**
 * The proof, among the logs of one transaction, that exactly this authorization moved exactly this money
 * (EVM-EXACT-063, EVM-EXACT-064): the token's mark for the nonce and the transfer next to it. Transactions may carry many payments.
 *
 * @example
 * findTransfer(receipt.logs, token, authorization)?.logIndex
 */
export function findTransfer(logs: readonly Log[], token: Address, authorization: Authorization): Log | undefined {
  const own = logs.filter((log) => log.address === token)
  const mark = own.findIndex((log) => isMark(log, AUTHORIZATION_USED, authorization))
  if (mark < 0) return undefined
  // Tokens mark the nonce and then move the money; the other order is a token's right too.
  const after = own.slice(mark + 1).find((log) => log.topics[0] === TRANSFER)
  const before = own.slice(0, mark).findLast((log) => log.topics[0] === TRANSFER)
  return [after, before].find((log) => log !== undefined && isTransferOf(log, authorization))
}

/** Whether a log is the token's mark for the payer's nonce. */
export function isMark(log: Log, topic: Hex, { from, nonce }: Authorization): boolean {
  // The nonce first: it tells apart those that travelled together.
  return log.topics[2] === nonce && log.topics[0] === topic && log.topics[1] === topicOf(from)
}

/** An address as an indexed argument. */
export const topicOf = (address: Address): Hex => `0x${address.slice(2).padStart(64, '0')}`

/** Money that a token says it moved. */
export type Move = Pick<Authorization, 'from' | 'to' | 'value'>

/**
 * The token's own word that exactly this money moved, among the logs of one transaction.
 *
 * @example
 * findTransferOf(receipt.logs, token, { from, to, value })?.logIndex
 */
export const findTransferOf = <L extends LogParts>(logs: readonly L[], token: Address, move: Move): L | undefined =>
  logs.find((log) => log.address === token && log.topics[0] === TRANSFER && isTransferOf(log, move))

/** What a log says, whether it was written or only would be. */
type LogParts = Pick<Log, 'address' | 'topics' | 'data'>

function isTransferOf({ topics, data }: LogParts, { from, to, value }: Move): boolean {
  return topics[1] === topicOf(from) && topics[2] === topicOf(to) && decodeInteger(data) === value
}
