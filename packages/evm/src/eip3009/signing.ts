import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import { defineStruct, domainSeparator, type Eip712Domain, typedDataDigest } from '../crypto/eip712.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'

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

/** What EIP-3009 calls its two messages: anybody may hand in the first, only the payee the second. */
type AuthorizationName = 'TransferWithAuthorization' | 'ReceiveWithAuthorization'

/** One of the two messages, in both forms in which accounts take it. */
export function defineAuthorization(name: AuthorizationName) {
  const hash = defineStruct<
    [from: Address, to: Address, value: bigint, validAfter: bigint, validBefore: bigint, nonce: Hex]
  >(`${name}(${FIELDS.map((field) => `${field.type} ${field.name}`).join(',')})`)
  return {
    /** The 32 bytes that are signed. */
    digest(engine: SigningEngine, domain: TokenDomain, authorization: Authorization): Uint8Array {
      const { from, to, value, validAfter, validBefore, nonce } = authorization
      const struct = hash(engine, from, to, value, validAfter, validBefore, nonce)
      return typedDataDigest(engine, domainSeparator(engine, domain), struct)
    },
    /** The same as typed data, for wallets that show what they sign. */
    typedData(domain: TokenDomain, authorization: Authorization): TypedData {
      return {
        domain: { ...domain, chainId: Number(domain.chainId) },
        types: { [name]: FIELDS },
        primaryType: name,
        message: authorization,
      }
    },
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
