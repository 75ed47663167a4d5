import { isJsonObject, type JsonObject } from '@groat/core'

/** Keys of message metadata (A2A-010). */
export const metadataKeys = {
  status: 'x402.payment.status',
  required: 'x402.payment.required',
  payload: 'x402.payment.payload',
  receipts: 'x402.payment.receipts',
  error: 'x402.payment.error',
  /** Problem details of our servers: nobody knows yet, or something is down. */
  problem: 'groat.problem',
  /** The id of the message that a payment would be for: the history of a task has no order that one could go by. */
  message: 'groat.message',
} as const

/** How payment stands in a task. */
export type PaymentStatus =
  | 'payment-required'
  | 'payment-rejected'
  | 'payment-submitted'
  | 'payment-verified'
  | 'payment-completed'
  | 'payment-failed'

/** The names of the x402 extension of A2A: an agent declares both, a client asks for both. */
export const extensionUris: readonly string[] = [
  'https://github.com/google-a2a/a2a-x402/v0.1',
  'https://github.com/google-agentic-commerce/a2a-x402/blob/main/spec/v0.2',
]

/** Metadata of a message, as far as it is an object. */
export function metadataOf(message: { readonly metadata?: unknown } | undefined): JsonObject {
  const metadata = message?.metadata
  return isJsonObject(metadata) ? metadata : {}
}

/** The receipts that stand in metadata, the oldest first. */
export function receiptsIn(metadata: JsonObject): readonly JsonObject[] {
  const receipts = metadata[metadataKeys.receipts]
  return Array.isArray(receipts) ? receipts.filter(isJsonObject) : []
}
