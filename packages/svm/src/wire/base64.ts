/**
 * Bytes from padded standard base64 in its one spelling; `undefined` for anything else, white space and stray bits included.
 *
 * @example
 * decodeBase64('AQI=') // Uint8Array [1, 2]
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = looseBytes(text)
  // Two spellings of one payment would be two requests to everybody who compares texts.
  return bytes !== undefined && encodeBase64(bytes) === text ? bytes : undefined
}

/**
 * Padded standard base64 of bytes.
 *
 * @example
 * encodeBase64(new Uint8Array([1, 2])) // 'AQI='
 */
export function encodeBase64(bytes: Uint8Array): string {
  if (typeof Buffer !== 'undefined') {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
  }
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

function looseBytes(text: string): Uint8Array | undefined {
  if (typeof Buffer !== 'undefined') return new Uint8Array(Buffer.from(text, 'base64'))
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return undefined
  }
}
