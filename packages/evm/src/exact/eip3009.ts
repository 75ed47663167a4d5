import { type Network, type Pid, paymentId } from '@groat/core'
import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import { defineStruct, domainSeparator, type Eip712Domain, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'

/** The scheme's name and chains. */
export const exactOnEvm = { name: 'exact', family: 'eip155' } as const

/** What a payer signs under EIP-3009, every part in its one spelling. */
export type Authorization = {
  readonly from: Address
  readonly to: Address
  /** Atomic units. */
  readonly value: bigint
  /** Seconds since 1970; valid strictly after. */
  readonly validAfter: bigint
  /** Seconds since 1970; valid strictly before. */
  readonly validBefore: bigint
  /** 32 bytes, lower case. */
  readonly nonce: Hex
}

/** A token's own EIP-712 domain. */
export type TokenDomain = Eip712Domain & { readonly version: string }

/**
 * The identity of a payment (EVM-EXACT-068): a token takes a nonce of a payer once, however the rest is spelled.
 *
 * @example
 * authorizationId(network('base'), token, authorization)
 */
export function authorizationId(network: Network, token: Address, { from, nonce }: Authorization): Pid {
  return paymentId([network, token, from, nonce, exactOnEvm.name])
}

/**
 * The digest that the payer signs (EVM-EXACT-020, EVM-EXACT-021).
 *
 * @example
 * authorizationDigest(nobleEngine, domain, authorization) // 32 bytes
 */
export function authorizationDigest(
  engine: SigningEngine,
  domain: TokenDomain,
  authorization: Authorization,
): Uint8Array {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  const struct = hashTransfer(engine, from, to, value, validAfter, validBefore, nonce)
  return typedDataDigest(engine, domainSeparator(engine, domain), struct)
}

/**
 * The same as typed data, for wallets that show what they sign.
 *
 * @example
 * await account.signTypedData(authorizationTypedData(domain, authorization))
 */
export function authorizationTypedData(domain: TokenDomain, authorization: Authorization): TypedData {
  return {
    domain: { ...domain, chainId: Number(domain.chainId) },
    types: { TransferWithAuthorization: FIELDS },
    primaryType: 'TransferWithAuthorization',
    message: authorization,
  }
}

const FIELDS = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

const hashTransfer = defineStruct<
  [from: Address, to: Address, value: bigint, validAfter: bigint, validBefore: bigint, nonce: Hex]
>(`TransferWithAuthorization(${FIELDS.map(({ name, type }) => `${type} ${name}`).join(',')})`)
