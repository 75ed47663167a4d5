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
  const binary = decodeBinary(encoded)
  if (binary === undefined) return refuse('invalid_payload', 'the header is not standard base64')
  const text = decodeUtf8(binary)
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

const WHITE_SPACE = /\s/
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One character per byte, or `undefined`. The platform forgives white space and nothing else. */
function decodeBinary(encoded: string): string | undefined {
  if (encoded === '' || WHITE_SPACE.test(encoded)) return undefined
  try {
    return atob(encoded)
  } catch {
    return undefined
  }
}

function decodeUtf8(binary: string): string | undefined {
  if (isAscii(binary)) return binary
  try {
    return strictUtf8.decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
}

function isAscii(binary: string): boolean {
  for (let at = 0; at < binary.length; at++) if (binary.charCodeAt(at) > 0x7f) return false
  return true
}
