/** `0x`-prefixed hexadecimal text. */
export type Hex = `0x${string}`

/**
 * Text to bytes, strictly: `0x` and an even number of hexadecimal digits of either case. Anything else is `undefined`.
 *
 * @example
 * parseHex('0xCAFE') // Uint8Array [0xca, 0xfe]
 */
export function parseHex(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.max(0, (text.length - 2) >> 1))
  return writeHex(text, bytes, 0, bytes.length) ? bytes : undefined
}

/**
 * Bytes to lower-case text.
 *
 * @example
 * formatHex(new Uint8Array([0xca, 0xfe])) // '0xcafe'
 */
export function formatHex(bytes: Uint8Array): Hex {
  let text: Hex = '0x'
  for (const byte of bytes) text += PAIRS[byte]
  // Template-literal types do not survive `+=`; the prefix is the literal above.
  return text as Hex
}

/**
 * Writes exactly `length` bytes of text into a buffer, without an array in between.
 * False, and the buffer is undefined from `offset` on, when the text is not `0x` and `2 * length` digits.
 *
 * @example
 * writeHex('0xcafe', new Uint8Array(4), 1, 2) // true; the buffer is 00 ca fe 00
 */
export function writeHex(text: string, target: Uint8Array, offset: number, length: number): boolean {
  if (text.length !== 2 + 2 * length || text.charCodeAt(0) !== 48 || text.charCodeAt(1) !== 120) return false
  let seen = 0
  for (let i = 0, at = 2; i < length; i++, at += 2) {
    const high = DIGITS[text.charCodeAt(at)] ?? INVALID
    const low = DIGITS[text.charCodeAt(at + 1)] ?? INVALID
    seen |= high | low
    target[offset + i] = (high << 4) | low
  }
  return seen < INVALID
}

/**
 * True for `0x` and exactly `length` bytes in hexadecimal digits of either case.
 *
 * @example
 * isHex('0xcafe', 2) // true
 */
export function isHex(text: string, length: number): text is Hex {
  return text.length === 2 + 2 * length && HEX.test(text)
}

const HEX = /^0x[0-9a-fA-F]*$/
const INVALID = 16
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const DIGITS = new Uint8Array(128).fill(INVALID)
for (let digit = 0; digit < 16; digit++) {
  DIGITS[digit.toString(16).charCodeAt(0)] = digit
  DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit
}
