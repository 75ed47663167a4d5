import { extensionInfo, type PaymentPayload, type SchemeFacilitator, X402Error } from '@groat/core'
import { formatHex, type Hex, parseHex } from '@groat/evm/crypto'
import { type BuilderCodes, builderCode, isCode } from './builder-code.js'

export type { BuilderCodes } from './builder-code.js'

/** The facilitator's own codes. */
export type FacilitatorCodes = { readonly wallet?: string; readonly service?: string }

/**
 * The codes of a payment, with the facilitator's own: what is no code is left out, at most ten services are the payer's and the seller's.
 * Nothing of it is signed by anybody.
 *
 * @example
 * codesOf(payment, { wallet: 'fac_one' })
 */
export function codesOf({ x402Version, extensions }: PaymentPayload, own: FacilitatorCodes = {}): BuilderCodes {
  const info = x402Version === 2 ? extensionInfo(extensions, builderCode.key) : undefined
  const named = Array.isArray(info?.s) ? info.s.filter(isCode).slice(0, 10) : []
  const s = [...new Set([...named, ...(own.service === undefined ? [] : [own.service])])]
  return {
    ...(isCode(info?.a) ? { a: info.a } : {}),
    ...(own.wallet === undefined ? {} : { w: own.wallet }),
    ...(s.length === 0 ? {} : { s }),
  }
}

/**
 * The suffix of a call that names these codes (ERC-8021, schema 2): a CBOR map, its length in two bytes, the schema, the mark. `undefined` where there are none.
 *
 * @example
 * encodeSuffix({ a: 'shop_app' }) // '0xa161616873686f705f617070000c0280218021…'
 */
export function encodeSuffix({ a, w, s }: BuilderCodes): Hex | undefined {
  const members = [
    ...(a === undefined ? [] : [[0x61, 0x61, ...textBytes(a)]]),
    ...(w === undefined ? [] : [[0x61, 0x77, ...textBytes(w)]]),
    ...(s === undefined || s.length === 0 ? [] : [[0x61, 0x73, 0x80 + s.length, ...s.flatMap(textBytes)]]),
  ]
  if (members.length === 0) return undefined
  const map = [0xa0 + members.length, ...members.flat()]
  return formatHex(Uint8Array.from([...map, map.length >> 8, map.length & 0xff, SCHEMA, ...MARK]))
}

/**
 * The codes at the end of a call; `undefined` where there are none that can be read in full.
 *
 * @example
 * decodeSuffix(transaction.data)?.a
 */
export function decodeSuffix(data: string): BuilderCodes | undefined {
  const bytes = parseHex(data)
  if (bytes === undefined) return undefined
  const tail = bytes.length - MARK.length
  if (tail < 3 || !MARK.every((byte, i) => bytes[tail + i] === byte) || bytes[tail - 1] !== SCHEMA) return undefined
  const size = (bytes[tail - 3] ?? 0) * 256 + (bytes[tail - 2] ?? 0)
  const map = bytes.subarray(Math.max(0, tail - 3 - size), tail - 3)
  return map.length === size ? readMap(map) : undefined
}

/** A call that settles a payment on an EVM chain. */
export type SettlingCall = { readonly data: Hex; readonly gas: bigint }

/**
 * Writes the codes of payments behind the calls that settle them (EXT-CODE-007). A payment without codes is settled as before; payments that travel together have their codes behind their own
 * calls within the one that carries them, where readers of suffixes do not look.
 * Throws `X402Error` `invalid_config` for codes of its own that are none.
 *
 * @example
 * const facilitator = createFacilitator({ schemes: [withBuilderCodes({ wallet: 'fac_one' })(exactEvm({ chains }))], store })
 */
export function withBuilderCodes(
  own: FacilitatorCodes = {},
): <Call extends SettlingCall>(next: SchemeFacilitator<Call>) => SchemeFacilitator<Call> {
  if (![own.wallet, own.service].every((code) => code === undefined || isCode(code))) {
    throw new X402Error('invalid_config', { field: 'builderCodes', reason: '1 to 32 of a-z, 0-9 and _' })
  }
  return (next) => ({
    ...next,
    extensions: [...(next.extensions ?? []), builderCode.key],
    prepare: (payment, requirements) => {
      const suffix = encodeSuffix(codesOf(payment, own))
      const call = next.prepare(payment, requirements)
      if (suffix === undefined) return call
      return call instanceof Promise ? call.then((made) => suffixed(made, suffix)) : suffixed(call, suffix)
    },
  })
}

function suffixed<Call extends SettlingCall>(call: Call | undefined, suffix: Hex): Call | undefined {
  if (call === undefined) return undefined
  const bytes = BigInt(suffix.length / 2 - 1)
  return { ...call, data: `${call.data}${suffix.slice(2)}`, gas: call.gas + bytes * GAS_PER_BYTE }
}

/** The most that a chain takes for a byte of a call (EIP-7623). */
const GAS_PER_BYTE = 40n

const SCHEMA = 2
const MARK = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 0x80 : 0x21))

/** CBOR text: up to 23 bytes their length stands in the first byte, then in a second one. */
function textBytes(code: string): number[] {
  const bytes = [...new TextEncoder().encode(code)]
  return bytes.length < 24 ? [0x60 + bytes.length, ...bytes] : [0x78, bytes.length, ...bytes]
}

function readMap(map: Uint8Array): BuilderCodes | undefined {
  let at = 0
  const byte = (): number => map[at++] ?? 0xff
  const text = (): string | undefined => {
    const head = byte()
    const size = head === 0x78 ? byte() : head - 0x60
    if (size < 1 || size > 32 || (head !== 0x78 && (head < 0x60 || head > 0x77))) return undefined
    const code = new TextDecoder().decode(map.subarray(at, at + size))
    at += size
    return at <= map.length && isCode(code) ? code : undefined
  }
  const codes: { a?: string; w?: string; s?: string[] } = {}
  const members = byte() - 0xa0
  if (members < 1 || members > 3) return undefined
  for (let i = 0; i < members; i++) {
    const key = text()
    if (key === 's' && codes.s === undefined) {
      const count = byte() - 0x80
      if (count < 0 || count > 11) return undefined
      const services = Array.from({ length: count }, text)
      const named = services.filter(isCode)
      if (named.length !== count) return undefined
      codes.s = named
    } else if ((key === 'a' || key === 'w') && codes[key] === undefined) {
      const code = text()
      if (code === undefined) return undefined
      codes[key] = code
    } else return undefined
  }
  return at === map.length ? codes : undefined
}
