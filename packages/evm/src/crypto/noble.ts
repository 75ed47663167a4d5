import { recoverPublicKey } from '@noble/secp256k1'
import { type CryptoEngine, createEngine } from './engine.js'
import { nobleSigningBackend } from './noble-signing.js'

/**
 * The engine that runs everywhere: `@noble/secp256k1` over our own hashes.
 *
 * @example
 * nobleEngine.keccak256(new Uint8Array()) // 0xc5d246…a470
 */
export const nobleEngine: CryptoEngine = createEngine({
  ...nobleSigningBackend,
  name: 'noble',
  recover: (digest, compact, recovery) =>
    recoverPublicKey(Uint8Array.of(recovery, ...compact), digest, { prehash: false, isCompressed: false }),
})
