import { type CryptoEngine, createEngine } from './engine.js'
import { createKeccak } from './keccak-wasm.js'

/**
 * The fastest engine: libsecp256k1 through the optional npm package `secp256k1`, or `undefined` where it has no binary.
 *
 * The package's own entry point falls back to a slow JavaScript curve without saying so. This loads the file that
 * holds the binding and nothing else, so a missing binary is a missing engine.
 *
 * @example
 * const engine = (await loadNativeEngine()) ?? nobleEngine
 */
export async function loadNativeEngine(): Promise<CryptoEngine | undefined> {
  try {
    const { default: curve } = await import('secp256k1/bindings.js')
    return createEngine({
      name: 'native',
      keccak256: createKeccak(),
      sign(digest, privateKey) {
        const { signature, recid } = curve.ecdsaSign(digest, privateKey)
        return { compact: signature, recovery: recid }
      },
      recover: (digest, compact, recovery) => curve.ecdsaRecover(compact, recovery, digest, false),
      publicKey: (privateKey) => curve.publicKeyCreate(privateKey, false),
    })
  } catch {
    return undefined
  }
}
