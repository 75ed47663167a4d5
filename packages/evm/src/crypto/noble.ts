import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { getPublicKey, hashes, recoverPublicKey, sign } from '@noble/secp256k1'
import { type CryptoEngine, createEngine } from './engine.js'

// The library leaves its synchronous hashes to the caller.
hashes.sha256 = sha256
hashes.hmacSha256 = (key, message) => hmac(sha256, key, message)

/**
 * The engine that runs everywhere: `@noble/secp256k1` and `@noble/hashes`. The only one a browser bundle contains.
 *
 * @example
 * nobleEngine.keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export const nobleEngine: CryptoEngine = createEngine({
  name: 'noble',
  keccak256: keccak_256,
  sign(digest, privateKey) {
    const signature = sign(digest, privateKey, { prehash: false, format: 'recovered' })
    return { compact: signature.subarray(1), recovery: signature[0] ?? 0 }
  },
  recover: (digest, compact, recovery) =>
    recoverPublicKey(Uint8Array.of(recovery, ...compact), digest, { prehash: false, isCompressed: false }),
  publicKey: (privateKey) => getPublicKey(privateKey, false),
})
