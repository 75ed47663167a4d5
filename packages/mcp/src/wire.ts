import {
  asciiJson,
  decodeBase64Text,
  decodeJsonObject,
  encodeBase64Text,
  headerNames,
  isJsonObject,
  type JsonObject,
  type X402Version,
} from '@groat/core'

/** Keys of `_meta`. What travels under them is the object that HTTP has in a header as base64. */
export const metaKeys = {
  payment: 'x402/payment',
  receipt: 'x402/payment-response',
  /** As packages had them before there was a specification: base64 text, as in HTTP. */
  oldPayment: 'x402.payment',
  oldReceipt: 'x402.payment-response',
  /** What was bought beyond one answer: a bundle, or a pass. The same text as in HTTP. */
  entitlement: 'groat/entitlement',
} as const

/** The HTTP header of what was bought beyond one answer. */
export const ENTITLEMENT_HEADER = 'PAYMENT-ENTITLEMENT'

/** `_meta` of a request or a result. */
export type Meta = Readonly<Record<string, unknown>>

/** JSON-RPC error codes that carry a challenge where a result cannot: the first is what we send. */
export const PAYMENT_ERROR_CODES: readonly number[] = [-32042, 402]

/** The URL that names a tool in challenges. */
export function toolUrl(name: string): string {
  return `mcp://tool/${encodeURIComponent(name)}`
}

/** The URL that names a resource in challenges. */
export function resourceUrl(uri: string): string {
  return `mcp://resource/${encodeURIComponent(uri)}`
}

/** Whether something can be a challenge: `PaymentRequired` of either version. Its offers are read by whoever pays. */
export function isPaymentRequired(value: unknown): value is JsonObject {
  return isJsonObject(value) && (value.x402Version === 1 || value.x402Version === 2) && Array.isArray(value.accepts)
}

/** An object as the value of a header. An object that cannot be one, because it is too deep to be written, comes out as text that cannot be read. */
export function encodeHeader(object: JsonObject): string {
  try {
    return encodeBase64Text(asciiJson(object))
  } catch {
    return UNREADABLE
  }
}

/** The object in a header; `undefined` where there is none, or none that can be read. */
export function decodeHeader(value: string | null | undefined): JsonObject | undefined {
  if (!value) return undefined
  const text = decodeBase64Text(value)
  const object = text.ok ? decodeJsonObject(text.value) : undefined
  return object?.ok ? object.value : undefined
}

/** The header name of a payment, by its version. */
export const paymentHeader = (version: X402Version): string => headerNames[version].payment

/** The header name of a receipt, by its version. */
export const receiptHeader = (version: X402Version): string => headerNames[version].response

/** The header name of a challenge. */
export const CHALLENGE_HEADER = 'PAYMENT-REQUIRED'

/** No base64: every reader of payments refuses it by name. */
export const UNREADABLE = '!'

/** An object without some of its members. */
export function without(object: Meta | undefined, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([name]) => !names.includes(name)))
}
