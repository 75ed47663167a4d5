import { decodeBase58, encodeBase58 } from './base58.js'
import { createCache } from './cache.js'

/** An address as bytes: 32 of them, a public key or the derived address of a program. Never changed in place. */
export type Key = Uint8Array

/**
 * The bytes of an address, or `undefined` when the text is not base58 of exactly 32 bytes.
 *
 * @example
 * parseAddress('11111111111111111111111111111111') // 32 zero bytes
 */
export function parseAddress(text: string): Key | undefined {
  if (text.length < 32 || text.length > 44) return undefined
  return (
    known(text, () => {
      const bytes = decodeBase58(text)
      return bytes?.length === 32 ? bytes : null
    }) ?? undefined
  )
}

/**
 * The one spelling of an address.
 *
 * @example
 * formatAddress(new Uint8Array(32)) // '11111111111111111111111111111111'
 */
export function formatAddress(key: Key): string {
  return encodeBase58(key)
}

/**
 * The bytes of an address that is known to be one. Throws a `TypeError` for anything else.
 *
 * @example
 * addressBytes('11111111111111111111111111111111')
 */
export function addressBytes(text: string): Key {
  const key = parseAddress(text)
  if (key === undefined) throw new TypeError('not an address: base58 of 32 bytes')
  return key
}

const known = createCache<Key | null>(2_000)
