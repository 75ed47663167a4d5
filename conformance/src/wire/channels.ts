import { concat, type Hex, hashTypedData, keccak256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

/** The contract that holds the channels, and who brings deposits by EIP-3009, on every chain. */
export const batchSettlement = '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003'
export const erc3009Collector = '0x4020806089470a89826cB9fB1f4059150b550004'

/** What makes a channel the one it is. */
export type ChannelConfig = {
  readonly payer: string
  readonly payerAuthorizer: string
  readonly receiver: string
  readonly receiverAuthorizer: string
  readonly token: string
  /** Seconds. */
  readonly withdrawDelay: number
  readonly salt: string
}

/** How much of a channel may be claimed, in all; amounts as decimal text. */
export type Voucher = { readonly channelId: string; readonly maxClaimableAmount: string; readonly signature: string }

/** A row of a claim. */
export type ClaimRow = {
  readonly voucher: { readonly channel: ChannelConfig; readonly maxClaimableAmount: string }
  readonly signature: string
  readonly totalClaimed: string
}

/** The id of a channel: the digest of its configuration. */
export function channelIdOf(chainId: number, config: ChannelConfig): Hex {
  const types = {
    ChannelConfig: [
      { name: 'payer', type: 'address' },
      { name: 'payerAuthorizer', type: 'address' },
      { name: 'receiver', type: 'address' },
      { name: 'receiverAuthorizer', type: 'address' },
      { name: 'token', type: 'address' },
      { name: 'withdrawDelay', type: 'uint40' },
      { name: 'salt', type: 'bytes32' },
    ],
  }
  // The addresses and the salt are hexadecimal text that the kit made.
  const message = config as unknown as Record<string, unknown>
  return hashTypedData({ domain: domain(chainId), types, primaryType: 'ChannelConfig', message })
}

/** A voucher, signed with the key. */
export async function signVoucher(
  key: Hex,
  chainId: number,
  channelId: string,
  maxClaimableAmount: string,
): Promise<Voucher> {
  const types = {
    Voucher: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'maxClaimableAmount', type: 'uint128' },
    ],
  } as const
  const message = { channelId: channelId as Hex, maxClaimableAmount: BigInt(maxClaimableAmount) }
  const signature = await privateKeyToAccount(key).signTypedData({
    domain: domain(chainId),
    types,
    primaryType: 'Voucher',
    message,
  })
  return { channelId, maxClaimableAmount, signature }
}

/** The word of a receiver's authorizer for a claim. */
export function signClaim(key: Hex, chainId: number, rows: readonly ClaimRow[]): Promise<Hex> {
  const types = {
    ClaimBatch: [{ name: 'claims', type: 'ClaimEntry[]' }],
    ClaimEntry: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'maxClaimableAmount', type: 'uint128' },
      { name: 'totalClaimed', type: 'uint128' },
    ],
  } as const
  const claims = rows.map(({ voucher, totalClaimed }) => ({
    channelId: channelIdOf(chainId, voucher.channel),
    maxClaimableAmount: BigInt(voucher.maxClaimableAmount),
    totalClaimed: BigInt(totalClaimed),
  }))
  return privateKeyToAccount(key).signTypedData({
    domain: domain(chainId),
    types,
    primaryType: 'ClaimBatch',
    message: { claims },
  })
}

/** The word of a receiver's authorizer for a refund. */
export function signRefund(
  key: Hex,
  chainId: number,
  refund: { readonly channelId: string; readonly nonce: bigint; readonly amount: bigint },
): Promise<Hex> {
  const types = {
    Refund: [
      { name: 'channelId', type: 'bytes32' },
      { name: 'nonce', type: 'uint256' },
      { name: 'amount', type: 'uint128' },
    ],
  } as const
  const message = { ...refund, channelId: refund.channelId as Hex }
  return privateKeyToAccount(key).signTypedData({ domain: domain(chainId), types, primaryType: 'Refund', message })
}

/** What a payer signs to fill a channel by EIP-3009; integers as decimal text. */
export type Receive = {
  readonly from: string
  readonly value: string
  readonly validAfter: string
  readonly validBefore: string
}

/** Signs a deposit: the nonce opens this channel and no other. */
export function signReceive(
  key: Hex,
  token: { readonly name: string; readonly version: string; readonly chainId: number; readonly address: string },
  channel: { readonly channelId: string; readonly salt: string },
  { from, value, validAfter, validBefore }: Receive,
): Promise<Hex> {
  const { name, version, chainId, address } = token
  return privateKeyToAccount(key).signTypedData({
    domain: { name, version, chainId, verifyingContract: address as Hex },
    types: {
      ReceiveWithAuthorization: [
        { name: 'from', type: 'address' },
        { name: 'to', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'validAfter', type: 'uint256' },
        { name: 'validBefore', type: 'uint256' },
        { name: 'nonce', type: 'bytes32' },
      ],
    },
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from: from as Hex,
      to: erc3009Collector,
      value: BigInt(value),
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      nonce: keccak256(concat([channel.channelId as Hex, channel.salt as Hex])),
    },
  })
}

const domain = (chainId: number) =>
  ({ name: 'x402 Batch Settlement', version: '1', chainId, verifyingContract: batchSettlement }) as const
