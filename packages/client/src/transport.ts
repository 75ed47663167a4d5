import {
  decodeHeaderObject,
  encodeHeaderObject,
  headerNames,
  isJsonObject,
  type JsonObject,
  PROBLEM_TYPE,
  type X402Version,
} from '@groat/core'
import { sellersNames } from './sellers-name.js'

/** The header of what was bought beyond one answer. */
const ENTITLEMENT_HEADER = 'PAYMENT-ENTITLEMENT'

/** What a payer wants to have sent by another transport than HTTP. */
export type CarriedPayment = {
  readonly version: X402Version
  /** `PaymentPayload`; `undefined` on the first, unpaid request. */
  readonly payment?: JsonObject
  /** The same as text, as it stands in the header. */
  readonly text?: string
  readonly entitlement?: string
}

/** What came back, in the words of that transport. */
export type CarriedAnswer = {
  readonly version: X402Version
  /** What the answer is, for whoever keeps a digest of it. */
  readonly body: JsonObject
  /** Whether it is what was asked for, and no error. */
  readonly ok: boolean
  /** `SettleResponse`, if it is one. */
  readonly receipt?: unknown
  readonly entitlement?: unknown
  /** What may be the problem details of our servers: its status and its `retryAfter` are believed. */
  readonly problem?: unknown
}

/**
 * Reads what a payer's request carries, for a `fetch` that is another transport.
 *
 * @example
 * const { payment } = carriedPayment(new Headers(init.headers))
 */
export function carriedPayment(headers: Headers): CarriedPayment {
  const entitlement = headers.get(ENTITLEMENT_HEADER)
  const version = headers.has(headerNames[1].payment) ? 1 : 2
  const text = headers.get(headerNames[version].payment)
  const payment = decodeHeaderObject(text)
  return {
    version,
    ...(payment && { payment }),
    ...(text !== null && { text }),
    ...(entitlement !== null && { entitlement }),
  }
}

/** Whether something can be a challenge: `PaymentRequired` of either version. Its offers are read by whoever pays. */
export function isPaymentRequired(value: unknown): value is JsonObject {
  return isJsonObject(value) && (value.x402Version === 1 || value.x402Version === 2) && Array.isArray(value.accepts)
}

/**
 * A challenge as a payer reads it, in the place of a 402. `receipt`: of a settlement that was refused. `named`: what the seller calls the resource, where the payer knows it by another URL: who signs
 * what a payment is for signs that.
 *
 * @example
 * challengeResponse(result.structuredContent)
 */
export function challengeResponse(required: JsonObject, receipt?: unknown, named?: string): Response {
  const headers = new Headers({ 'PAYMENT-REQUIRED': encodeHeaderObject(required) })
  if (isJsonObject(receipt))
    headers.set(headerNames[required.x402Version === 1 ? 1 : 2].response, encodeHeaderObject(receipt))
  const response = new Response('', { status: 402, headers })
  if (named !== undefined) sellersNames.set(response, named)
  return response
}

/**
 * An answer as a payer reads it: a status, the receipt, and a body.
 *
 * @example
 * answerResponse({ version: 2, body: result, ok: true, receipt })
 */
export function answerResponse({ version, body, ok, receipt, entitlement, problem }: CarriedAnswer): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (isJsonObject(receipt)) headers.set(headerNames[version].response, encodeHeaderObject(receipt))
  if (typeof entitlement === 'string' && /^[ -~]{1,1024}$/.test(entitlement))
    headers.set(ENTITLEMENT_HEADER, entitlement)
  const status = ok ? 200 : statusOf(problem, headers)
  return new Response(JSON.stringify(body), { status, headers })
}

/** Our servers say what hinders them as an RFC 9457 problem; any other error is one of the work. */
function statusOf(problem: unknown, headers: Headers): number {
  if (!isJsonObject(problem)) return 500
  const { status, retryAfter, code } = problem
  const isKnown = typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
  if (!isKnown || typeof code !== 'string') return 500
  headers.set('content-type', PROBLEM_TYPE)
  if (typeof retryAfter === 'number' && retryAfter >= 0) headers.set('retry-after', String(Math.ceil(retryAfter)))
  return status
}
