import type { Random } from '@groat/core'

/**
 * What a memo says when nobody asks for anything: 16 random bytes as text, so that no two messages are the same (SVM-EXACT-014).
 *
 * @example
 * nonceMemo(systemRandom) // 32 bytes
 */
export function nonceMemo(random: Random): Uint8Array {
  const hex = Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return new TextEncoder().encode(hex)
}
