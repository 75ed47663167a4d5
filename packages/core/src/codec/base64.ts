import { type Decoded, refuse } from '../model/outcome.js'

/** The longest header value that is read: 16 KiB of base64. */
export const MAX_HEADER_LENGTH = 16_384

/**
 * Text from base64 as headers carry it: the standard alphabet, padding optional, strict UTF-8 inside.
 * Refuses `invalid_payload` for base64url, white space, impossible lengths, bad UTF-8, a byte-order mark and values over 16 KiB.
 *
 * @example
 * decodeBase64Text('e30') // { ok: true, value: '{}' }
 */
export function decodeBase64Text(encoded: string): Decoded<string> {
  if (encoded.length > MAX_HEADER_LENGTH) return refuse('invalid_payload', 'the header is longer than 16 KiB')
  if (!isBase64(encoded)) return refuse('invalid_payload', 'the header is not standard base64')
  const text = decodeUtf8(encoded)
  if (text === undefined) return refuse('invalid_payload', 'the header is not UTF-8')
  return { ok: true, value: text }
}

/**
 * Padded standard base64 of a text's UTF-8 bytes.
 *
 * @example
 * encodeBase64Text('{}') // 'e30='
 */
export function encodeBase64Text(text: string): string {
  if (typeof Buffer !== 'undefined') return Buffer.from(text, 'utf8').toString('base64')
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

const BASE64_PATTERN = /^[A-Za-z0-9+/]+={0,2}$/
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isBase64(encoded: string): boolean {
  if (!BASE64_PATTERN.test(encoded)) return false
  const padding = encoded.endsWith('==') ? 2 : encoded.endsWith('=') ? 1 : 0
  return padding === 0 ? encoded.length % 4 !== 1 : encoded.length % 4 === 0
}

function decodeUtf8(encoded: string): string | undefined {
  try {
    return strictUtf8.decode(decodeBytes(encoded))
  } catch {
    return undefined
  }
}

function decodeBytes(encoded: string): Uint8Array {
  if (typeof Buffer !== 'undefined') return Buffer.from(encoded, 'base64')
  return Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
}
