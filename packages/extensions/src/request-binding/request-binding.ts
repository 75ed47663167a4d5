import { canonicalJson, defineExtension, sha256Hex } from '@groat/core'
import * as shapes from './schema.shapes.js'

/**
 * `groat-request-binding`, an experiment: the nonce that a payer signs is a hash of the request, so that whoever sees the payment cannot spend it on another one
 * of the same seller.
 */
export const requestBinding = defineExtension({ key: 'groat-request-binding', info: shapes.BindingInfo })

/** The `schema` that travels with it: that of a completed `info`. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    version: { type: 'integer', const: 1 },
    required: { type: 'boolean' },
    headers: { type: 'array', items: { type: 'string', pattern: '^[a-z0-9-]{1,64}$' }, minItems: 1, maxItems: 16 },
    salt: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  },
  required: ['version', 'required'],
} as const

/** A request, as both sides of it know it. */
export type BoundRequest = {
  readonly method: string
  /** Absolute, with its query and without a fragment. */
  readonly url: string
  readonly body: Uint8Array
  /** Values of the headers that the seller has named, in lower case; an empty one is absent. */
  readonly headers?: Readonly<Record<string, string>>
  /** 16 bytes in hex, so that the chain does not tell what was asked for. */
  readonly salt: string
}

/**
 * What a payment for a request draws its nonce from: SHA-256 over the canonical JSON (RFC 8785) of domain, method, URL, body hash, salt and the headers that the
 * seller has named (EXT-BIND-002).
 *
 * @example
 * bindingOf({ method: 'POST', url: 'https://shop.example/orders', body, salt }) // 32 bytes
 */
export function bindingOf({ method, url, body, headers, salt }: BoundRequest): Uint8Array {
  const text = canonicalJson({
    domain: 'groat-request-binding/1',
    method: method.toUpperCase(),
    url,
    bodySha256: sha256Hex(body),
    ...(headers === undefined ? {} : { headers }),
    salt,
  })
  return bytesOf(sha256Hex(text))
}

/**
 * What is bound of a request's headers, those that the seller has named: an absent one is empty, but for `accept` and `accept-language`, which platforms fill in by what absence means.
 *
 * @example
 * boundHeaders(['content-type'], () => 'text/plain') // { headers: { 'content-type': 'text/plain' } }
 */
export function boundHeaders(
  names: readonly string[] | undefined,
  header: (name: string) => string | null | undefined,
): { readonly headers?: Readonly<Record<string, string>> } {
  if (names === undefined || names.length === 0) return {}
  return { headers: Object.fromEntries(names.map((name) => [name, boundValue(name, header) || (ABSENT[name] ?? '')])) }
}

/** A form that is sent again has another boundary: it counts no more in the header than in the body. */
function boundValue(name: string, header: (name: string) => string | null | undefined): string | undefined {
  const value = header(name)?.trim()
  return name === 'content-type' ? value?.replace(/;\s*boundary=(?:"[^"]*"|[^;]*)/i, '') : value
}

const ABSENT: Readonly<Record<string, string>> = { accept: '*/*', 'accept-language': '*' }

/** Bytes of hex. */
export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))
}

/** Hex of bytes. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
