import { parseBase58 } from '../wire/base58.js'
import { DecodeError } from '../wire/reader.js'
import { invalidParams } from './rpc-error.js'

/** The bytes of a transaction or message in a call. Throws -32602. */
export function decodeWire(text: string, encoding: 'base58' | 'base64'): Uint8Array {
  const most = encoding === 'base58' ? 1_683 : 1_644
  if (text.length > most) {
    throw invalidParams(
      `${encoding} encoded transaction too large: ${text.length} bytes (max: encoded/raw ${most}/${mostBytes})`,
    )
  }
  const bytes = encoding === 'base58' ? parseBase58(text) : parseBase64(text)
  if (bytes === undefined) throw invalidParams(`invalid ${encoding} encoding`)
  if (bytes.length > mostBytes) {
    throw invalidParams(`decoded transaction too large: ${bytes.length} bytes (max: ${mostBytes} bytes)`)
  }
  return bytes
}

/** What `decode` makes of it; bytes that are none of it are the caller's fault: -32602. */
export function deserialized<T>(type: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof DecodeError) throw invalidParams(`failed to deserialize ${type}: ${error.message}`)
    throw error
  }
}

/** What fits into a packet. */
const mostBytes = 1_232

/** Base64 with padding and nothing else. */
function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
