import { attempt, createSigningEngine, type SigningBackend, type SigningEngine } from './signing.js'

/**
 * What the schemes need of cryptography. Three engines answer it and are held equal by property tests: `native`
 * (libsecp256k1 bound to Node), `wasm` (libsecp256k1 as WebAssembly) and `noble` (JavaScript, everywhere).
 *
 * Every engine is synchronous, signs deterministically (RFC 6979) and canonically (low s, v 27 or 28), and recovers only
 * from canonical signatures.
 */
export interface CryptoEngine extends SigningEngine {
  readonly name: 'native' | 'wasm' | 'noble'
  /** The public key (x, y: 64 bytes) that signed a 32-byte digest, or `undefined` when no key can have. */
  recover(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined
}

/** What one library does, in its own terms: it throws or answers `undefined` where it cannot. */
export interface CurveBackend extends SigningBackend {
  readonly name: CryptoEngine['name']
  /** The uncompressed key, 65 bytes. */
  recover(digest: Uint8Array, compact: Uint8Array, recovery: number): Uint8Array | undefined
}

/**
 * An engine from one library: the rules that all engines share stand here once.
 *
 * @example
 * const engine = createEngine({ name: 'noble', keccak256, sign, recover, publicKey })
 */
export function createEngine(backend: CurveBackend): CryptoEngine {
  return {
    ...createSigningEngine(backend),
    name: backend.name,
    recover(digest, signature) {
      if (!isCanonicalSignature(signature)) return undefined
      const recovery = (signature[64] ?? 0) - 27
      return attempt(() => backend.recover(digest, signature.subarray(0, 64), recovery))?.subarray(1)
    },
  }
}

/**
 * True for exactly 65 bytes with v 27 or 28, 0 < r < n and 0 < s <= n / 2: the one form the tokens' own checks accept.
 * Malleated twins (high s, v 0 or 1) are refused everywhere alike, so that what verify accepts, settle can use.
 *
 * @example
 * isCanonicalSignature(engine.sign(digest, key)) // true
 */
export function isCanonicalSignature(signature: Uint8Array): boolean {
  if (signature.length !== 65) return false
  const v = signature[64]
  return (v === 27 || v === 28) && inRange(signature, 0, ORDER_LESS_ONE) && inRange(signature, 32, HALF_ORDER)
}

/** 0 < the 32 bytes at `offset` <= `max`. Public values only: this need not take constant time. */
function inRange(bytes: Uint8Array, offset: number, max: Uint8Array): boolean {
  let zero = 0
  for (let i = 0; i < 32; i++) zero |= bytes[offset + i] ?? 0
  if (zero === 0) return false
  for (let i = 0; i < 32; i++) {
    const difference = (bytes[offset + i] ?? 0) - (max[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return true
}

const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const ORDER_LESS_ONE = bytesOf('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140')
const HALF_ORDER = bytesOf('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0')
