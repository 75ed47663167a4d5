import type { CryptoEngine } from './crypto/engine.js'
import { keccak256 } from './crypto/keccak.js'
import type { SigningEngine } from './crypto/signing.js'
import { formatHex, isHex } from './hex.js'

declare const brand: unique symbol

/** An EVM address in its canonical spelling, lower case, so that equal addresses are equal strings. */
export type Address = `0x${string}` & { readonly [brand]: 'Address' }

/**
 * Text to an address, or `undefined` when it is not `0x` and 40 hexadecimal digits.
 *
 * Any letter case is accepted, also one that is not the address's checksum: x402 compares addresses by value, and
 * practice sends all three spellings.
 *
 * @example
 * parseAddress('0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266') // '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'
 */
export function parseAddress(text: string): Address | undefined {
  // The test above the cast is what the brand stands for.
  return isHex(text, 20) ? (text.toLowerCase() as Address) : undefined
}

/**
 * The address for people and receipts: mixed case, its checksum in the letters (EIP-55).
 *
 * @example
 * formatAddress(address) // '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
 */
export function formatAddress(address: Address): `0x${string}` {
  const digest = keccak256(new TextEncoder().encode(address.slice(2)))
  const letters = [...address.slice(2)].map((letter, i) => {
    const nibble = (digest[i >> 1] ?? 0) >> (i % 2 === 0 ? 4 : 0)
    return (nibble & 8) === 0 ? letter : letter.toUpperCase()
  })
  return `0x${letters.join('')}`
}

/**
 * The address of a public key (x, y: 64 bytes).
 *
 * @example
 * addressOfKey(engine, engine.publicKey(privateKey))
 */
export function addressOfKey(engine: SigningEngine, publicKey: Uint8Array): Address {
  // The last 20 bytes of a digest in lower case are an address by definition.
  return formatHex(engine.keccak256(publicKey).subarray(12)) as Address
}

/**
 * Who signed a digest, or `undefined` when the signature is not canonical or recovers to no key.
 *
 * @example
 * recoverAddress(engine, digest, signature) === payer
 */
export function recoverAddress(engine: CryptoEngine, digest: Uint8Array, signature: Uint8Array): Address | undefined {
  const key = engine.recover(digest, signature)
  return key && addressOfKey(engine, key)
}
