import type { CryptoEngine } from './engine.js'

/** Signatures whose key is kept, at the least; at the most it is twice as many. */
const KEPT = 4_096

/**
 * The engine, with the keys that it has recovered lately: what is verified is settled a moment later, under the same signature, and recovering is
 * the dearest thing that is computed for either.
 *
 * @example
 * const engine = rememberKeys(await loadEngine())
 */
export function rememberKeys(engine: CryptoEngine): CryptoEngine {
  let [recent, older] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()]
  return {
    ...engine,
    recover(digest, signature) {
      // Both have one length, or there is nothing to be kept: so no two pairs have one name.
      if (digest.length !== 32 || signature.length !== 65) return engine.recover(digest, signature)
      const name = textOf(digest) + textOf(signature)
      const known = recent.get(name) ?? older.get(name)
      if (known !== undefined) return known
      const key = engine.recover(digest, signature)
      if (key === undefined) return undefined
      if (recent.size >= KEPT) [recent, older] = [new Map(), recent]
      recent.set(name, key)
      return key
    },
  }
}

/** By a list of arguments: spread, each byte would go through an iterator, at ten times the cost. */
const textOf = (bytes: Uint8Array): string => Reflect.apply(String.fromCharCode, undefined, bytes)
