import { type CryptoEngine, createEngine } from './engine.js'
import { createKeccak } from './keccak-wasm.js'

/**
 * libsecp256k1 as WebAssembly through the optional npm package `@bitauth/libauth`, or `undefined` where it is not installed.
 * For machines that the native binding has no binary for.
 *
 * @example
 * const engine = (await loadWasmEngine()) ?? nobleEngine
 */
export async function loadWasmEngine(): Promise<CryptoEngine | undefined> {
  try {
    // The package's root would load the whole library, ten times slower than the one module.
    const { instantiateSecp256k1 } = await import('@bitauth/libauth/build/lib/crypto/secp256k1.js')
    const curve = await instantiateSecp256k1()
    return createEngine({
      name: 'wasm',
      keccak256: createKeccak(),
      sign(digest, privateKey) {
        const signed = curve.signMessageHashRecoverableCompact(privateKey, digest)
        return typeof signed === 'string' ? undefined : { compact: signed.signature, recovery: signed.recoveryId }
      },
      recover(digest, compact, recovery) {
        const key = curve.recoverPublicKeyUncompressed(compact, recovery === 1 ? 1 : 0, digest)
        return typeof key === 'string' ? undefined : key
      },
      publicKey(privateKey) {
        const key = curve.derivePublicKeyUncompressed(privateKey)
        return typeof key === 'string' ? undefined : key
      },
    })
  } catch {
    return undefined
  }
}
