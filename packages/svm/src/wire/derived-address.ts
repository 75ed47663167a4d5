import { Point } from '@noble/ed25519'
import { sha256 } from '../crypto/sha256.js'
import type { Key } from './address.js'
import { joinBytes } from './bytes.js'
import { createCache } from './cache.js'
import { programs } from './programs.js'

/** An address that a program alone can sign for, and the bump that keeps it off the curve. */
export type DerivedAddress = { readonly key: Key; readonly bump: number }

/**
 * The derived address of a program for seeds: the first one, with the bump counting down from 255, that is no public key.
 *
 * @example
 * deriveAddress(programs.associatedToken, [owner, programs.token, mint]).key
 */
export function deriveAddress(program: Key, seeds: readonly Uint8Array[]): DerivedAddress {
  for (let bump = 255; bump >= 0; bump--) {
    const key = sha256(joinBytes(...seeds, new Uint8Array([bump]), program, MARKER))
    if (!isOnCurve(key)) return { key, bump }
  }
  // Half of all hashes are off the curve: this cannot be reached.
  throw new TypeError('no address is off the curve')
}

/**
 * The token account that belongs to an owner for a mint under a token program (SVM-EXACT-024). Deriving one takes half a millisecond, so the
 * last few thousand are kept.
 *
 * @example
 * associatedTokenAccount(owner, programs.token, mint)
 */
export function associatedTokenAccount(owner: Key, tokenProgram: Key, mint: Key): Key {
  const name = String.fromCharCode(...owner, ...tokenProgram, ...mint)
  return accounts(name, () => deriveAddress(programs.associatedToken, [owner, tokenProgram, mint]).key)
}

/**
 * Tells whether 32 bytes are a public key, that is a point on the Ed25519 curve. A derived address never is.
 *
 * @example
 * isOnCurve(programs.token)
 */
export function isOnCurve(key: Key): boolean {
  try {
    Point.fromBytes(key)
    return true
  } catch {
    return false
  }
}

const MARKER = new TextEncoder().encode('ProgramDerivedAddress')
const accounts = createCache<Key>(2_000)
