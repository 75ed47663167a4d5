import type { Address, Hex, TypedDataDefinition } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { evmContracts } from '../src/evm/contracts.js'
import { type EvmRole, usdcAddress } from '../src/index.js'
import type { useChain } from './kit.js'

const tokenPermissions = [
  { name: 'token', type: 'address' },
  { name: 'amount', type: 'uint256' },
]
const authorization = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
]
const cancellation = [
  { name: 'authorizer', type: 'address' },
  { name: 'nonce', type: 'bytes32' },
]
const permit = [
  { name: 'owner', type: 'address' },
  { name: 'spender', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint256' },
]
const batchTypes = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
  ],
  Refund: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'nonce', type: 'uint256' },
    { name: 'amount', type: 'uint128' },
  ],
  ClaimBatch: [{ name: 'claims', type: 'ClaimEntry[]' }],
  ClaimEntry: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'maxClaimableAmount', type: 'uint128' },
    { name: 'totalClaimed', type: 'uint128' },
  ],
}

/** The witness of a Permit2 signature: its struct, by name, and its values. */
export type Witness = {
  readonly name: string
  readonly fields: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly value: Record<string, unknown>
}

/** The name, as typed data has it, and version of a token. */
export type TokenDomain = { readonly address: Address; readonly name: string; readonly version: string }

const usdcDomain: TokenDomain = { address: usdcAddress, name: 'USDC', version: '2' }

/** Signatures of a chain's accounts, as clients would make them. */
export function useSignatures(on: ReturnType<typeof useChain>) {
  const sign = (role: EvmRole, data: object): Promise<Hex> =>
    privateKeyToAccount(on.chain.account(role).privateKey).signTypedData(data as TypedDataDefinition)
  const tokenData = ({ address, name, version }: TokenDomain) => ({
    name,
    version,
    chainId: on.chain.chainId,
    verifyingContract: address,
  })
  const domain = () => ({
    name: 'x402 Batch Settlement',
    version: '1',
    chainId: on.chain.chainId,
    verifyingContract: evmContracts.x402BatchSettlement.address,
  })

  return {
    /** Permit2's PermitWitnessTransferFrom, or PermitTransferFrom without a witness. */
    permit2(role: EvmRole, message: Record<string, unknown>, witness?: Witness) {
      const name = witness ? 'PermitWitnessTransferFrom' : 'PermitTransferFrom'
      return sign(role, {
        domain: { name: 'Permit2', chainId: on.chain.chainId, verifyingContract: evmContracts.permit2.address },
        types: {
          [name]: [
            { name: 'permitted', type: 'TokenPermissions' },
            { name: 'spender', type: 'address' },
            { name: 'nonce', type: 'uint256' },
            { name: 'deadline', type: 'uint256' },
            ...(witness ? [{ name: 'witness', type: witness.name }] : []),
          ],
          TokenPermissions: tokenPermissions,
          ...(witness && { [witness.name]: witness.fields }),
        },
        primaryType: name,
        message: { ...message, ...(witness && { witness: witness.value }) },
      })
    },
    /** EIP-3009. */
    authorization(
      role: EvmRole,
      kind: 'TransferWithAuthorization' | 'ReceiveWithAuthorization',
      message: object,
      token = usdcDomain,
    ) {
      return sign(role, { domain: tokenData(token), types: { [kind]: authorization }, primaryType: kind, message })
    },
    /** EIP-3009's way to take an authorization back. */
    cancellation: (role: EvmRole, authorizer: Address, nonce: Hex, token = usdcDomain) =>
      sign(role, {
        domain: tokenData(token),
        types: { CancelAuthorization: cancellation },
        primaryType: 'CancelAuthorization',
        message: { authorizer, nonce },
      }),
    /** EIP-2612. */
    permit: (role: EvmRole, message: object, token = usdcDomain) =>
      sign(role, { domain: tokenData(token), types: { Permit: permit }, primaryType: 'Permit', message }),
    voucher: (role: EvmRole, channelId: Hex, maxClaimableAmount: bigint) =>
      sign(role, {
        domain: domain(),
        types: batchTypes,
        primaryType: 'Voucher',
        message: { channelId, maxClaimableAmount },
      }),
    refund: (role: EvmRole, channelId: Hex, nonce: bigint, amount: bigint) =>
      sign(role, { domain: domain(), types: batchTypes, primaryType: 'Refund', message: { channelId, nonce, amount } }),
    claimBatch: (role: EvmRole, claims: readonly object[]) =>
      sign(role, { domain: domain(), types: batchTypes, primaryType: 'ClaimBatch', message: { claims } }),
  }
}

/** 32 random bytes. */
export const randomWord = (): Hex => generatePrivateKey()

/** A signature in its parts, as EIP-2612 takes them. */
export function parts(signature: Hex) {
  return {
    r: `0x${signature.slice(2, 66)}` as const,
    s: `0x${signature.slice(66, 130)}` as const,
    v: Number.parseInt(signature.slice(130), 16),
  }
}
