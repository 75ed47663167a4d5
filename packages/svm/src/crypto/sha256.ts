import { sha256Hex } from '@groat/core'

/**
 * SHA-256 as bytes.
 *
 * @example
 * sha256(new Uint8Array()) // 32 bytes
 */
export function sha256(bytes: Uint8Array): Uint8Array {
  const hex = sha256Hex(bytes)
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}
