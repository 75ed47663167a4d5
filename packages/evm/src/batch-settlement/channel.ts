import { type JsonObject, parseAtomic } from '@groat/core'
import type { TypedData } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { defineStruct, domainSeparator, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import { formatHex, type Hex, isHex } from '../hex.js'
import { BATCH_SETTLEMENT } from './identity.js'

/** What makes a channel the one it is; none of it ever changes. */
export type ChannelConfig = {
  readonly payer: Address
  /** The key whose vouchers count; zero for a payer that is a contract. */
  readonly payerAuthorizer: Address
  readonly receiver: Address
  /** Whose word claims and refunds need. */
  readonly receiverAuthorizer: Address
  readonly token: Address
  /** Seconds. */
  readonly withdrawDelay: number
  /** 32 bytes; two channels between the same two differ in it. */
  readonly salt: Hex
}

/** A voucher: how much of a channel may be claimed, in all. */
export type Voucher = { readonly channelId: Hex; readonly maxClaimable: bigint }

/** A row of a claim: how much of a voucher is claimed, in all. */
export type ClaimRow = {
  readonly channel: ChannelConfig
  readonly maxClaimable: bigint
  readonly signature: Hex
  readonly totalClaimed: bigint
}

/** A channel on chain. Amounts in atomic units. */
export type ChannelState = {
  /** Deposits less refunds and withdrawals; what was claimed is part of it. */
  readonly balance: bigint
  readonly totalClaimed: bigint
  /** Seconds since 1970; zero while the payer takes nothing out. */
  readonly withdrawRequestedAt: number
  /** What the payer is about to take out. */
  readonly withdrawing: bigint
  readonly refundNonce: bigint
}

/** The most that the contract can count. */
export const MAX_UINT128 = (1n << 128n) - 1n

/**
 * The id of a channel: the EIP-712 digest of its configuration (EVM-BATCH-010).
 *
 * @example
 * channelIdOf(engine, 84532n, config) // '0xa426…e729'
 */
export function channelIdOf(engine: SigningEngine, chainId: bigint, config: ChannelConfig): Hex {
  const { payer, payerAuthorizer, receiver, receiverAuthorizer, token, withdrawDelay, salt } = config
  const delay = BigInt(withdrawDelay)
  const struct = hashConfig(engine, payer, payerAuthorizer, receiver, receiverAuthorizer, token, delay, salt)
  return formatHex(digestOf(engine, chainId, struct))
}

/**
 * What a payer signs for a voucher (EVM-BATCH-011).
 *
 * @example
 * voucherDigest(engine, 84532n, { channelId, maxClaimable: 1000n })
 */
export function voucherDigest(engine: SigningEngine, chainId: bigint, voucher: Voucher): Uint8Array {
  return digestOf(engine, chainId, hashVoucher(engine, voucher.channelId, voucher.maxClaimable))
}

/**
 * A voucher as typed data, for wallets that show what they sign.
 *
 * @example
 * await account.signTypedData(voucherTypedData(84532n, voucher))
 */
export function voucherTypedData(chainId: bigint, { channelId, maxClaimable }: Voucher): TypedData {
  return {
    domain: { ...domain(chainId), chainId: Number(chainId) },
    types: {
      Voucher: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'maxClaimableAmount', type: 'uint128' },
      ],
    },
    primaryType: 'Voucher',
    message: { channelId, maxClaimableAmount: maxClaimable },
  }
}

/**
 * What a receiver's authorizer signs for a refund (EVM-BATCH-012).
 *
 * @example
 * refundDigest(engine, 84532n, { channelId, nonce: 0n, amount: 4000n })
 */
export function refundDigest(
  engine: SigningEngine,
  chainId: bigint,
  { channelId, nonce, amount }: { readonly channelId: Hex; readonly nonce: bigint; readonly amount: bigint },
): Uint8Array {
  return digestOf(engine, chainId, hashRefund(engine, channelId, nonce, amount))
}

/**
 * What a receiver's authorizer signs for a claim of many channels (EVM-BATCH-012).
 *
 * @example
 * claimBatchDigest(engine, 84532n, rows)
 */
export function claimBatchDigest(engine: SigningEngine, chainId: bigint, rows: readonly ClaimRow[]): Uint8Array {
  const entries = new Uint8Array(32 * rows.length)
  rows.forEach(({ channel, maxClaimable, totalClaimed }, i) => {
    entries.set(hashEntry(engine, channelIdOf(engine, chainId, channel), maxClaimable, totalClaimed), 32 * i)
  })
  return digestOf(engine, chainId, hashBatch(engine, engine.keccak256(entries)))
}

/**
 * A channel's configuration from its wire form, or `undefined` when a part of it is not what it should be.
 *
 * @example
 * readConfig(payload.channelConfig)?.payer
 */
export function readConfig(wire: Readonly<Record<keyof ChannelConfig, string | number>>): ChannelConfig | undefined {
  const [payer, payerAuthorizer, receiver, receiverAuthorizer, token] = [
    wire.payer,
    wire.payerAuthorizer,
    wire.receiver,
    wire.receiverAuthorizer,
    wire.token,
  ].map((text) => parseAddress(String(text)))
  const salt = String(wire.salt).toLowerCase()
  const withdrawDelay = Number(wire.withdrawDelay)
  if (!payer || !payerAuthorizer || !receiver || !receiverAuthorizer || !token || !isHex(salt, 32)) return undefined
  if (!Number.isSafeInteger(withdrawDelay) || withdrawDelay < 0) return undefined
  return { payer, payerAuthorizer, receiver, receiverAuthorizer, token, withdrawDelay, salt }
}

/** A channel's configuration as it is sent. */
export const wireOfConfig = (config: ChannelConfig): JsonObject => ({ ...config })

/** An amount that fits into a channel; `undefined` for any other text. */
export function parseAmount(text: string): bigint | undefined {
  const amount = parseAtomic(text)
  return amount !== undefined && amount <= MAX_UINT128 ? amount : undefined
}

const domain = (chainId: bigint) => ({
  name: 'x402 Batch Settlement',
  version: '1',
  chainId,
  verifyingContract: BATCH_SETTLEMENT,
})

function digestOf(engine: SigningEngine, chainId: bigint, struct: Uint8Array): Uint8Array {
  return typedDataDigest(engine, domainSeparator(engine, domain(chainId)), struct)
}

const hashConfig = defineStruct<[Address, Address, Address, Address, Address, bigint, Hex]>(
  'ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)',
)
const hashVoucher = defineStruct<[Hex, bigint]>('Voucher(bytes32 channelId,uint128 maxClaimableAmount)')
const hashRefund = defineStruct<[Hex, bigint, bigint]>('Refund(bytes32 channelId,uint256 nonce,uint128 amount)')
const hashEntry = defineStruct<[Hex, bigint, bigint]>(
  'ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)',
)
const hashBatch = defineStruct<[Uint8Array]>(
  'ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)',
)
