import { decodeInteger, encodeCall, encodeCallWithBytes } from '../abi.js'
import type { Address } from '../address.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import type { CallRequest, EvmRpc } from '../rpc.js'
import type { ChannelConfig, ChannelState, ClaimRow } from './channel.js'
import { BATCH_SETTLEMENT } from './identity.js'

type Call = Pick<CallRequest, 'to' | 'data'>
const to = (data: Hex): Call => ({ to: BATCH_SETTLEMENT, data })

/** `deposit(ChannelConfig,uint128,address,bytes)` */
export const depositCall = (config: ChannelConfig, amount: bigint, collector: Address, data: Uint8Array): Call =>
  to(encodeCallWithBytes('0x140f1e75', [...configWords(config), amount, collector], data))

/** `claimWithSignature(VoucherClaim[],bytes)`: for anybody, with the word of the one authorizer of all rows. */
export function claimCall(rows: readonly ClaimRow[], authorizerSignature: Uint8Array): Call {
  const tuples = rows.map(claimTuple)
  let at = 32 * tuples.length
  const offsets = tuples.map((tuple) => {
    const offset = at
    at += tuple.length / 2
    return word(BigInt(offset))
  })
  const list = word(BigInt(tuples.length)) + offsets.join('') + tuples.join('')
  const head = word(64n) + word(BigInt(64 + list.length / 2))
  return to(`0xe43ce1f2${head}${list}${bytesTail(authorizerSignature)}`)
}

/** `settle(address,address)`: sends a receiver what was claimed. */
export const sweepCall = (receiver: Address, token: Address): Call => to(encodeCall('0x9db32a8f', receiver, token))

/** `refundWithSignature(ChannelConfig,uint128,uint256,bytes)` */
export const refundCall = (config: ChannelConfig, amount: bigint, nonce: bigint, signature: Uint8Array): Call =>
  to(encodeCallWithBytes('0xb77433e9', [...configWords(config), amount, nonce], signature))

/** `initiateWithdraw(ChannelConfig,uint128)`: for the payer and its authorizer. */
export const initiateWithdrawCall = (config: ChannelConfig, amount: bigint): Call =>
  to(encodeCall('0xcf5cf3dc', ...configWords(config), amount))

/** `finalizeWithdraw(ChannelConfig)`: once the delay is over. */
export const finalizeWithdrawCall = (config: ChannelConfig): Call =>
  to(encodeCall('0xe88377b1', ...configWords(config)))

/** `multicall(bytes[])`: several calls in one transaction. */
export function multicall(calls: readonly Call[]): Call {
  const parts = calls.map(({ data }) => bytesTail(parseHex(data) ?? new Uint8Array()))
  let at = 32 * parts.length
  const offsets = parts.map((part) => {
    const offset = at
    at += part.length / 2
    return word(BigInt(offset))
  })
  return to(`0xac9650d8${word(32n)}${word(BigInt(parts.length))}${offsets.join('')}${parts.join('')}`)
}

/**
 * A channel as it stands on chain, in one round trip. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * (await readChannel(chain.rpc, channelId)).balance
 */
export async function readChannel(rpc: EvmRpc, channelId: Hex): Promise<ChannelState> {
  const [channel, withdrawal, nonce] = await Promise.all(
    READS.map((selector) => rpc.call(to(encodeCall(selector, channelId)))),
  )
  const words = (answer: typeof channel) => (answer?.ok ? answer.data : '0x')
  return {
    balance: at(words(channel), 0),
    totalClaimed: at(words(channel), 1),
    withdrawing: at(words(withdrawal), 0),
    withdrawRequestedAt: Number(at(words(withdrawal), 1)),
    refundNonce: at(words(nonce), 0),
  }
}

const CHANNELS: Hex = '0x7a7ebd7b'
const REFUND_NONCE: Hex = '0xf0dc792e'
/** `channels`, `pendingWithdrawals`, `refundNonce`, each of a channel's id. */
const READS: readonly Hex[] = [CHANNELS, '0xb7f06ebe', REFUND_NONCE]

/** What is claimed of each of these channels, in atomic units, in the newest block unless told in which. */
export async function readClaimed(rpc: EvmRpc, ids: readonly Hex[], block?: bigint): Promise<readonly bigint[]> {
  const answers = await Promise.all(ids.map((id) => rpc.call(to(encodeCall(CHANNELS, id)), block)))
  return answers.map((answer) => (answer.ok ? at(answer.data, 1) : 0n))
}

/** The number of a channel's next refund. */
export async function readRefundNonce(rpc: EvmRpc, channelId: Hex, block?: bigint): Promise<bigint> {
  const answer = await rpc.call(to(encodeCall(REFUND_NONCE, channelId)), block)
  return answer.ok ? at(answer.data, 0) : 0n
}

/** What was claimed for a receiver in a token and not sent yet, in atomic units. */
export async function readDue(rpc: EvmRpc, receiver: Address, token: Address): Promise<bigint> {
  const answer = await rpc.call(to(encodeCall('0x21ff6389', receiver, token)))
  return answer.ok ? at(answer.data, 0) - at(answer.data, 1) : 0n
}

function configWords(config: ChannelConfig): readonly (Hex | bigint)[] {
  const { payer, payerAuthorizer, receiver, receiverAuthorizer, token, withdrawDelay, salt } = config
  return [payer, payerAuthorizer, receiver, receiverAuthorizer, token, BigInt(withdrawDelay), salt]
}

/** `((ChannelConfig,uint128),bytes,uint128)`: the bytes stand behind ten words. */
function claimTuple({ channel, maxClaimable, signature, totalClaimed }: ClaimRow): string {
  const words = encodeCall('0x', ...configWords(channel), maxClaimable, 320n, totalClaimed).slice(2)
  return words + bytesTail(parseHex(signature) ?? new Uint8Array())
}

function bytesTail(bytes: Uint8Array): string {
  const padded = formatHex(bytes).slice(2)
  return word(BigInt(bytes.length)) + padded.padEnd(64 * Math.ceil(bytes.length / 32), '0')
}

const word = (value: bigint) => value.toString(16).padStart(64, '0')
const at = (data: Hex, index: number): bigint => decodeInteger(`0x${data.slice(2 + 64 * index)}`) ?? 0n
