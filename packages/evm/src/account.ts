import { type Address, addressOfKey } from './address.js'
import { nobleSigningEngine } from './crypto/noble-signing.js'
import type { SignatureBytes, SigningEngine } from './crypto/signing.js'
import { type Hex, parseHex } from './hex.js'

/** Typed data as wallets take it (EIP-712, `eth_signTypedData_v4`). */
export type TypedData = {
  readonly domain: {
    readonly name: string
    readonly version?: string
    readonly chainId: number
    readonly verifyingContract: Hex
  }
  readonly types: Readonly<Record<string, readonly { readonly name: string; readonly type: string }[]>>
  readonly primaryType: string
  readonly message: Readonly<Record<string, TypedValue | readonly TypedStruct[]>>
}

type TypedStruct = Readonly<Record<string, Hex | bigint>>
type TypedValue = Hex | bigint | TypedStruct

/** A wallet: any viem account is one, and so is a browser wallet behind three lines. */
export interface WalletAccount {
  readonly address: Hex
  signTypedData(data: TypedData): Promise<Hex>
}

/** A key that signs digests: in this process, or in a key-management service. */
export interface KeyAccount {
  readonly address: Hex
  /** The key is in this process: nothing is waited for. */
  readonly local?: true
  /** Signs 32 bytes. Answers r, s and v (27 or 28) with low s, 65 bytes. */
  signDigest(digest: Uint8Array): Promise<SignatureBytes>
}

/** Whoever signs for an address. */
export type EvmAccount = WalletAccount | KeyAccount

/** Whether an account signs in this process; `{}` when somebody else does. For a `PreparedPayment`. */
export function locality(account: EvmAccount): { readonly local?: true } {
  return 'local' in account && account.local ? { local: true } : {}
}

/**
 * An account from a private key. Throws a `RangeError`, which does not quote the key, when it is not one.
 *
 * @example
 * const account = privateKeyAccount('0xac09…ff80')
 * account.address // '0xf39f…2266'
 */
export function privateKeyAccount(
  privateKey: string | Uint8Array,
  { engine = nobleSigningEngine }: { readonly engine?: SigningEngine } = {},
): KeyAccount & { readonly address: Address } {
  // A copy, so that the caller may wipe its own.
  // What is no hex is no key either, and the engine says so.
  const key = typeof privateKey === 'string' ? (parseHex(privateKey) ?? new Uint8Array()) : Uint8Array.from(privateKey)
  return {
    address: addressOfKey(engine, engine.publicKey(key)),
    local: true,
    signDigest: async (digest) => engine.sign(digest, key),
  }
}
