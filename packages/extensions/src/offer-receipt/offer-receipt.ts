import { canonicalJson, check, defineExtension, isJsonObject, type Shape } from '@groat/core'
import * as shapes from './schema.shapes.js'

/** `offer-receipt`: the seller signs what it offers, and that it delivered. */
export const offerReceipt = defineExtension({
  key: 'offer-receipt',
  info: shapes.OfferReceiptInfo,
  fresh: ['offers'],
})

/** What a signed offer says. `validUntil` in seconds since 1970. */
export type OfferPayload = {
  readonly version: 1
  readonly resourceUrl: string
  readonly scheme: string
  readonly network: string
  readonly asset: string
  readonly payTo: string
  readonly amount: string
  readonly validUntil?: number | undefined
}

/** What a signed receipt says. `issuedAt` in seconds since 1970. */
export type ReceiptPayload = {
  readonly version: 1
  readonly network: string
  readonly resourceUrl: string
  readonly payer: string
  readonly issuedAt: number
  readonly transaction?: string | undefined
}

/** An offer or a receipt with its signature. */
export type SignedArtifact = {
  readonly format: 'eip712' | 'jws'
  readonly payload?: OfferPayload | ReceiptPayload
  readonly signature: string
}

/** A signed thing as a stranger sent it. */
export type ReceivedArtifact = {
  readonly format: string
  readonly payload?: unknown
  readonly signature: string
}

/** The two things that are signed. */
export type Signable =
  | { readonly kind: 'offer'; readonly payload: OfferPayload }
  | { readonly kind: 'receipt'; readonly payload: ReceiptPayload }

/** The payload of one kind; `undefined` where it is of another form, or says more than its kind: what is not understood is not vouched for. */
export function readPayload(kind: 'offer', value: unknown): OfferPayload | undefined
export function readPayload(kind: 'receipt', value: unknown): ReceiptPayload | undefined
export function readPayload(kind: Signable['kind'], value: unknown): OfferPayload | ReceiptPayload | undefined {
  return kind === 'offer' ? exactly(shapes.OfferPayload, value) : exactly(shapes.ReceiptPayload, value)
}

/** The bytes that a JWS signs: RFC 8785. `undefined` for text that is no Unicode. */
export function canonicalBytes(payload: OfferPayload | ReceiptPayload): Uint8Array | undefined {
  // Members are text and whole numbers, checked above.
  const text = canonicalJson(payload)
  return LONE_SURROGATE.test(text) ? undefined : new TextEncoder().encode(text)
}

/** `JSON.stringify` escapes what is half a character. */
const LONE_SURROGATE = /\\ud[89a-f][0-9a-f]{2}/

function exactly<T extends object>(shape: Shape<T>, value: unknown): T | undefined {
  const checked = check(shape, value)
  if (!checked.ok || !isJsonObject(value)) return undefined
  const known = Object.keys(shape.properties ?? {})
  const times = [value.validUntil, value.issuedAt].filter((time) => time !== undefined)
  if (!times.every((time) => Number.isSafeInteger(time) && Number(time) >= 0)) return undefined
  return Object.keys(value).every((name) => known.includes(name)) ? checked.value : undefined
}

/** The `schema` that travels with offers. */
export const OFFERS_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    offers: {
      type: 'array',
      items: { type: 'object', required: ['format', 'signature'] },
    },
  },
  required: ['offers'],
} as const

/** The `schema` that travels with a receipt. */
export const RECEIPT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: { receipt: { type: 'object', required: ['format', 'signature'] } },
  required: ['receipt'],
} as const
