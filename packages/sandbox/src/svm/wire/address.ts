import { formatBase58, parseBase58 } from './base58.js'

/** An account's address: 32 bytes as base58 text. */
export type Address = string

/** The 32 bytes of an address; undefined when the text is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  const known = bytesByText.get(text)
  if (known) return known
  const bytes = text.length <= 44 ? parseBase58(text) : undefined
  if (bytes?.length !== 32) return undefined
  remember(text, bytes)
  return bytes
}

/** The bytes of text that is known to be an address; anything else is a mistake of the caller. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = parseAddress(address)
  if (bytes === undefined) throw new TypeError(`${address} is not a Solana address.`)
  return bytes
}

/** The address of 32 bytes. */
export function formatAddress(bytes: Uint8Array): Address {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const known = textByBytes.get(key)
  if (known) return known
  const text = formatBase58(bytes)
  remember(text, Uint8Array.from(bytes))
  return text
}

// Base58 is slow and a chain sees the same few addresses again and again.
const bytesByText = new Map<string, Uint8Array>()
const textByBytes = new Map<string, Address>()
const mostKept = 10_000

function remember(text: Address, bytes: Uint8Array): void {
  if (bytesByText.size >= mostKept) {
    bytesByText.clear()
    textByBytes.clear()
  }
  bytesByText.set(text, bytes)
  textByBytes.set(Buffer.from(bytes).toString('latin1'), text)
}
