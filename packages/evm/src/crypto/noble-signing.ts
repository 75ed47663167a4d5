import { publicKeyOf, signDigest } from './ecdsa.js'
import { keccak256 } from './keccak.js'
import { createSigningEngine, type SigningBackend, type SigningEngine } from './signing.js'

/** The curve of `@noble/secp256k1` and our own hashes, as far as a payer needs them. */
export const nobleSigningBackend: SigningBackend = { keccak256, sign: signDigest, publicKey: publicKeyOf }

/**
 * Signs everywhere. The only cryptography that a browser bundle contains.
 *
 * @example
 * nobleSigningEngine.keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export const nobleSigningEngine: SigningEngine = createSigningEngine(nobleSigningBackend)
