/**
 * Tells whether two byte strings are the same.
 *
 * @example
 * sameBytes(new Uint8Array([1]), new Uint8Array([1])) // true
 */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false
  return true
}

/**
 * One byte string after the other.
 *
 * @example
 * joinBytes(new Uint8Array([1]), new Uint8Array([2])) // Uint8Array [1, 2]
 */
export function joinBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/**
 * A number of 16, 32 or 64 bits, least byte first.
 *
 * @example
 * littleEndian(1000n, 8) // Uint8Array [0xe8, 3, 0, 0, 0, 0, 0, 0]
 */
export function littleEndian(value: bigint | number, bytes: 2 | 4 | 8): Uint8Array {
  const out = new Uint8Array(bytes)
  let rest = BigInt(value)
  for (let i = 0; i < bytes; i++, rest >>= 8n) out[i] = Number(rest & 0xffn)
  return out
}

/**
 * The unsigned number of 64 bits at an offset, least byte first. What lies beyond the end counts as zero.
 *
 * @example
 * readU64(new Uint8Array([0xe8, 3, 0, 0, 0, 0, 0, 0]), 0) // 1000n
 */
export function readU64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readU32(bytes, at + 4)) << 32n) | BigInt(readU32(bytes, at))
}

/**
 * The unsigned number of 32 bits at an offset, least byte first.
 *
 * @example
 * readU32(new Uint8Array([0x20, 0x4e, 0, 0]), 0) // 20000
 */
export function readU32(bytes: Uint8Array, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0
}

/**
 * The unsigned number of 16 bits at an offset, least byte first.
 *
 * @example
 * readU16(new Uint8Array([0x20, 0x4e]), 0) // 20000
 */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
}

/** The largest amount a token account can hold: 2^64 - 1 atomic units. */
export const MAX_U64 = (1n << 64n) - 1n
