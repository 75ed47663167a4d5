const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const INVALID = 255
const DIGITS = new Uint8Array(128).fill(INVALID)
for (let digit = 0; digit < 58; digit++) DIGITS[ALPHABET.charCodeAt(digit)] = digit

/** The longest text that is read: a signature has at most 88 characters, the rest is no business of ours. */
const MAX_LENGTH = 128

/**
 * Bytes from base58 text in Bitcoin's alphabet; `undefined` for any other character, and for texts of more than 128 characters.
 *
 * @example
 * decodeBase58('2g') // Uint8Array [0x61]
 */
export function decodeBase58(text: string): Uint8Array | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const bytes = new Uint8Array(text.length)
  let start = bytes.length
  let zeros = 0
  for (let at = 0; at < text.length; at++) {
    let carry = DIGITS[text.charCodeAt(at)] ?? INVALID
    if (carry === INVALID) return undefined
    if (carry === 0 && zeros === at) {
      zeros++
      continue
    }
    for (let i = bytes.length - 1; i >= start || carry > 0; i--) {
      carry += (bytes[i] ?? 0) * 58
      bytes[i] = carry & 0xff
      carry >>= 8
      if (i < start) start = i
    }
  }
  return bytes.subarray(start - zeros)
}

/**
 * Base58 text of bytes.
 *
 * @example
 * encodeBase58(new Uint8Array([0x61])) // '2g'
 */
export function encodeBase58(bytes: Uint8Array): string {
  let zeros = 0
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++
  // Least significant first; a byte is worth 1.37 digits.
  const digits = new Uint8Array(Math.ceil((bytes.length - zeros) * 1.38))
  let length = 0
  for (let at = zeros; at < bytes.length; at++) {
    let carry = bytes[at] ?? 0
    for (let i = 0; i < length || carry > 0; i++) {
      carry += (digits[i] ?? 0) << 8
      digits[i] = carry % 58
      carry = (carry / 58) | 0
      if (i >= length) length = i + 1
    }
  }
  let text = ALPHABET.charAt(0).repeat(zeros)
  for (let i = length - 1; i >= 0; i--) text += ALPHABET.charAt(digits[i] ?? 0)
  return text
}
