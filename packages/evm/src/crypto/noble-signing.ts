import { sha256Hex } from '@groat/core'
import { getPublicKey, hashes, sign } from '@noble/secp256k1'
import { writeHex } from '../hex.js'
import { keccak256 } from './keccak.js'
import { createSigningEngine, type SigningBackend, type SigningEngine } from './signing.js'

// The library leaves its synchronous hashes to the caller: they make the deterministic nonce (RFC 6979).
hashes.sha256 = sha256
hashes.hmacSha256 = hmacSha256

/** `@noble/secp256k1` over our own hashes, as far as a payer needs it. */
export const nobleSigningBackend: SigningBackend = {
  keccak256,
  sign(digest, privateKey) {
    const signature = sign(digest, privateKey, { prehash: false, format: 'recovered' })
    return { compact: signature.subarray(1), recovery: signature[0] ?? 0 }
  },
  publicKey: (privateKey) => getPublicKey(privateKey, false),
}

/**
 * Signs everywhere. The only cryptography that a browser bundle contains.
 *
 * @example
 * nobleSigningEngine.keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export const nobleSigningEngine: SigningEngine = createSigningEngine(nobleSigningBackend)

function sha256(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const digest = new Uint8Array(32)
  writeHex(`0x${sha256Hex(message)}`, digest, 0, 32)
  return digest
}

/** The library's keys are 32 bytes; one longer than a block would have to be hashed first. */
function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const pad = (byte: number) => {
    const block = new Uint8Array(64).fill(byte)
    key.forEach((k, i) => {
      block[i] = byte ^ k
    })
    return block
  }
  return sha256(join(pad(0x5c), sha256(join(pad(0x36), message))))
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}
