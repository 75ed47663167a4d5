/** A secp256k1 signature as the wire and the token have it: r, s and v (27 or 28), 65 bytes. */
export type SignatureBytes = Uint8Array

/** What a payer needs of cryptography: to hash, and to sign with a key of its own. Every `CryptoEngine` can. */
export interface SigningEngine {
  /** The 32-byte Keccak-256 of any bytes. */
  keccak256(bytes: Uint8Array): Uint8Array
  /** Signs a 32-byte digest. Throws a `RangeError` when the key is not a 32-byte scalar of the curve. */
  sign(digest: Uint8Array, privateKey: Uint8Array): SignatureBytes
  /** The public key (x, y: 64 bytes) of a private key. Throws a `RangeError` when the key is not a 32-byte scalar of the curve. */
  publicKey(privateKey: Uint8Array): Uint8Array
}

/** The signing part of a library, in its own terms: it throws or answers `undefined` where it cannot. */
export interface SigningBackend {
  keccak256(bytes: Uint8Array): Uint8Array
  /** r‖s with low s, and the recovery bit. */
  sign(
    digest: Uint8Array,
    privateKey: Uint8Array,
  ): { readonly compact: Uint8Array; readonly recovery: number } | undefined
  /** The uncompressed key, 65 bytes. */
  publicKey(privateKey: Uint8Array): Uint8Array | undefined
}

/**
 * Signing with one library: the rules that all of them share stand here once.
 *
 * @example
 * const engine = createSigningEngine({ keccak256, sign, publicKey })
 */
export function createSigningEngine(backend: SigningBackend): SigningEngine {
  return {
    keccak256: (bytes) => backend.keccak256(bytes),
    sign(digest, privateKey) {
      const signed = attempt(() => backend.sign(digest, privateKey))
      if (!signed) throw notAKey()
      const signature = new Uint8Array(65)
      signature.set(signed.compact)
      signature[64] = 27 + signed.recovery
      return signature
    },
    publicKey(privateKey) {
      const key = attempt(() => backend.publicKey(privateKey))
      if (!key) throw notAKey()
      return key.subarray(1)
    },
  }
}

/** What the work gives, or `undefined` where it throws. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** The libraries' own messages may quote the key, so no cause is kept. */
const notAKey = () => new RangeError('not a secp256k1 private key: 32 bytes (0x and 64 digits), below the order')
