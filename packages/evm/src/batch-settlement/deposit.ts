import { encodeCall, encodeCallWithBytes } from '../abi.js'
import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import { defineAuthorization, type TokenDomain } from '../eip3009/signing.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import { definePermit, type PermitTransfer } from '../permit2/signing.js'
import type { Eip2612Permit } from '../sponsoring/eip2612.js'
import type { ChannelConfig } from './channel.js'
import { ERC3009_COLLECTOR, PERMIT2_COLLECTOR } from './identity.js'

/** A deposit that the token takes on the payer's word (EIP-3009). Amounts in atomic units, times in seconds since 1970. */
export type Eip3009Deposit = {
  readonly method: 'eip3009'
  readonly amount: bigint
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly salt: Hex
  readonly signature: Uint8Array
}

/** A deposit that Permit2 takes. */
export type Permit2Deposit = {
  readonly method: 'permit2'
  readonly amount: bigint
  readonly nonce: bigint
  readonly deadline: bigint
  readonly signature: Uint8Array
}

export type Deposit = Eip3009Deposit | Permit2Deposit

/** The token's nonce of a deposit: it opens this channel and no other (EVM-BATCH-014). */
export function depositNonce(engine: SigningEngine, channelId: Hex, salt: Hex): Hex {
  return formatHex(engine.keccak256(parseHex(encodeCall(channelId, salt)) ?? new Uint8Array()))
}

/** What a payer signs for a deposit by EIP-3009 (EVM-BATCH-014). */
export function receiveDigest(
  engine: SigningEngine,
  domain: TokenDomain,
  payer: Address,
  nonce: Hex,
  { amount, validAfter, validBefore }: Omit<Eip3009Deposit, 'signature'>,
): Uint8Array {
  const authorization = { from: payer, to: ERC3009_COLLECTOR, value: amount, validAfter, validBefore, nonce }
  return receive.digest(engine, domain, authorization)
}

/** The same as typed data, for wallets that show what they sign. */
export function receiveTypedData(
  domain: TokenDomain,
  payer: Address,
  nonce: Hex,
  { amount, validAfter, validBefore }: Omit<Eip3009Deposit, 'signature'>,
): TypedData {
  return receive.typedData(domain, {
    from: payer,
    to: ERC3009_COLLECTOR,
    value: amount,
    validAfter,
    validBefore,
    nonce,
  })
}

/** Permit2 signatures of deposits: the witness is the channel. */
export const depositPermit = definePermit<{ channelId: Hex }>({
  name: 'DepositWitness',
  fields: [{ name: 'channelId', type: 'bytes32' }],
})

/** The transfer of a deposit by Permit2. */
export const depositTransfer = (
  token: Address,
  { amount, nonce, deadline }: Pick<Permit2Deposit, 'amount' | 'nonce' | 'deadline'>,
): PermitTransfer => ({ token, amount, spender: PERMIT2_COLLECTOR, nonce, deadline })

/** When a deposit can be made no more, in seconds since 1970. */
export const endOf = (deposit: Deposit): bigint =>
  deposit.method === 'eip3009' ? deposit.validBefore : deposit.deadline

/** What has been signed for a deposit into a channel; `undefined` where the terms name no domain of the token. */
export function depositDigest(
  engine: SigningEngine,
  { chainId, config, channelId, deposit, domain }: SignedDeposit,
): Uint8Array | undefined {
  if (deposit === undefined) return undefined
  if (deposit.method === 'permit2') {
    return depositPermit.digest(engine, chainId, depositTransfer(config.token, deposit), { channelId })
  }
  const nonce = depositNonce(engine, channelId, deposit.salt)
  return domain && receiveDigest(engine, domain, config.payer, nonce, deposit)
}

type SignedDeposit = {
  readonly chainId: bigint
  readonly config: Pick<ChannelConfig, 'payer' | 'token'>
  readonly channelId: Hex
  readonly deposit?: Deposit
  readonly domain?: TokenDomain
}

/** Who brings a deposit, and what it is told; with a permit (EIP-2612), Permit2 is let take the token in the same breath. */
export function collectorOf(
  deposit: Deposit,
  permit?: Eip2612Permit,
): { readonly collector: Address; readonly data: Uint8Array } {
  if (deposit.method === 'eip3009') {
    const { validAfter, validBefore, salt, signature } = deposit
    const data = encodeCallWithBytes('0x', [validAfter, validBefore, salt], signature)
    return { collector: ERC3009_COLLECTOR, data: parseHex(data) ?? new Uint8Array() }
  }
  // (uint256 nonce, uint256 deadline, bytes signature, bytes permit): the last is empty where none comes along, and stands behind the first.
  const { nonce, deadline, signature } = deposit
  const padded = 32 * Math.ceil(signature.length / 32)
  const head = encodeCall('0x', nonce, deadline, 128n, BigInt(128 + 32 + padded), BigInt(signature.length))
  const words = permit ? encodeCall('0x', permit.value, permit.deadline, permit.v, permit.r, permit.s) : '0x'
  const tail = parseHex(words) ?? new Uint8Array()
  const bytes = new Uint8Array(32 * 5 + padded + 32 + tail.length)
  bytes.set(parseHex(head) ?? new Uint8Array())
  bytes.set(signature, 160)
  bytes.set(parseHex(encodeCall('0x', BigInt(tail.length))) ?? new Uint8Array(), 160 + padded)
  bytes.set(tail, 160 + padded + 32)
  return { collector: PERMIT2_COLLECTOR, data: bytes }
}

const receive = defineAuthorization('ReceiveWithAuthorization')
