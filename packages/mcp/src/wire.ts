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

/** An object without some of its members. */
export function without(object: Meta | undefined, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object ?? {}).filter(([name]) => !names.includes(name)))
}
