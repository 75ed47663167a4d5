import { formatHex, type Hex, parseHex } from './hex.js'

/**
 * Call data of fixed-size arguments: addresses, `bytes32` (as hex) and integers, each one word.
 *
 * @example
 * encodeCall('0x70a08231', owner) // balanceOf(address)
 */
export function encodeCall(selector: Hex, ...words: readonly (Hex | bigint)[]): Hex {
  let data: string = selector
  for (const word of words) data += encodeWord(word)
  // Hexadecimal digits behind a selector.
  return data as Hex
}

/**
 * Call data whose last argument is `bytes`.
 *
 * @example
 * encodeCallWithBytes('0x1626ba7e', [digest], signature) // isValidSignature(bytes32,bytes)
 */
export function encodeCallWithBytes(selector: Hex, words: readonly (Hex | bigint)[], bytes: Uint8Array): Hex {
  const padded = formatHex(bytes)
    .slice(2)
    .padEnd(64 * Math.ceil(bytes.length / 32), '0')
  return `${encodeCall(selector, ...words, BigInt(32 * (words.length + 1)), BigInt(bytes.length))}${padded}`
}

/**
 * The first word of an answer as an integer, or `undefined` when there is none.
 *
 * @example
 * decodeInteger(`0x${'0'.repeat(63)}1`) // 1n
 */
export function decodeInteger(data: Hex): bigint | undefined {
  return data.length >= 66 ? BigInt(data.slice(0, 66)) : undefined
}

/**
 * An answer that is one `string`, or `undefined` when it is not well formed.
 *
 * @example
 * decodeString(answer) // 'USD Coin'
 */
export function decodeString(data: Hex): string | undefined {
  const bytes = parseHex(data)
  const length = decodeInteger(`0x${data.slice(66)}`)
  if (bytes === undefined || decodeInteger(data) !== 32n || length === undefined || length > 1024n) return undefined
  const text = bytes.subarray(64, 64 + Number(length))
  return text.length === Number(length) ? new TextDecoder().decode(text) : undefined
}

function encodeWord(value: Hex | bigint): string {
  const digits = typeof value === 'bigint' ? value.toString(16) : value.slice(2)
  return digits.length < 64 ? ZEROS.slice(digits.length) + digits : digits
}

const ZEROS = '0'.repeat(64)
