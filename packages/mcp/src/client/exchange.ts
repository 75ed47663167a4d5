import { isJsonObject, type JsonObject, PROBLEM_TYPE, type X402Version } from '@groat/core'
import {
  CHALLENGE_HEADER,
  decodeHeader,
  ENTITLEMENT_HEADER,
  encodeHeader,
  isPaymentRequired,
  type Meta,
  metaKeys,
  PAYMENT_ERROR_CODES,
  paymentHeader,
  receiptHeader,
} from '../wire.js'

/** What a call is known by to the payer, and what sellers call it. */
export type Names = {
  /** The URL that the payer and its policy know: the server's, with the name in its query. */
  readonly url: string
  /** What `resource.url` of a challenge may be, beside the server's own URL; the usual one first. */
  readonly aliases: readonly string[]
}

/** `_meta` of a request that carries what stands in headers. `named`: what the seller calls it. */
export function metaFromHeaders(headers: Headers, { url }: Names, named: string): Record<string, unknown> {
  const newer = decodeHeader(headers.get(paymentHeader(2)))
  const oldText = headers.get(paymentHeader(1))
  const older = decodeHeader(oldText)
  const entitlement = headers.get(ENTITLEMENT_HEADER)
  return {
    ...(newer && { [metaKeys.payment]: renamed(newer, url, named) }),
    // Servers of version 1 may be older than the key.
    ...(older && { [metaKeys.payment]: older, [metaKeys.oldPayment]: oldText }),
    ...(entitlement !== null && { [metaKeys.entitlement]: entitlement }),
  }
}

/** The challenge in a result or in the error of a call, in every form that servers have given it. */
export function challengeIn(said: unknown): JsonObject | undefined {
  if (!isJsonObject(said)) return undefined
  if (said.isError === true) {
    const [first] = Array.isArray(said.content) ? said.content : []
    const text = isJsonObject(first) && first.type === 'text' ? parsed(first.text) : undefined
    const wrapped = isJsonObject(text) && isJsonObject(text['x402/error']) ? text['x402/error'].data : undefined
    return [said.structuredContent, text, wrapped].find(isPaymentRequired)
  }
  if (typeof said.code !== 'number' || !PAYMENT_ERROR_CODES.includes(said.code)) return undefined
  const data = isJsonObject(said.data) ? said.data : {}
  return [data, data.x402].find(isPaymentRequired)
}

/** A challenge as the payer reads it. `named` is what its seller calls the resource. */
export function challengeResponse(
  required: JsonObject,
  names: Names,
): { readonly response: Response; readonly named: string } {
  const offers = Array.isArray(required.accepts) ? required.accepts : []
  const [offer] = offers
  const said = isJsonObject(required.resource)
    ? required.resource.url
    : isJsonObject(offer)
      ? offer.resource
      : undefined
  const named = names.aliases.find((alias) => alias === said)
  const object =
    named === undefined
      ? required
      : required.x402Version === 1
        ? { ...required, accepts: offers.map((one) => (isJsonObject(one) ? { ...one, resource: names.url } : one)) }
        : renamed(required, named, names.url)
  const meta = isJsonObject(required._meta) ? required._meta : undefined
  const headers = new Headers({ [CHALLENGE_HEADER]: encodeHeader(object) })
  addReceipt(headers, meta, required.x402Version === 1 ? 1 : 2)
  return { response: new Response('', { status: 402, headers }), named: named ?? names.aliases[0] ?? '' }
}

/** A result as the payer reads it: its status, its receipt, and a body for whoever keeps a digest. */
export function resultResponse(result: JsonObject, version: X402Version): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  addReceipt(headers, isJsonObject(result._meta) ? result._meta : undefined, version)
  const status = result.isError === true ? statusOf(result.structuredContent, headers) : 200
  return new Response(JSON.stringify(result), { status, headers })
}

/** An error that was answered: the payment did not get lost on the way. */
export function errorResponse(data: unknown, version: X402Version): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  addReceipt(headers, isJsonObject(data) && isJsonObject(data._meta) ? data._meta : undefined, version)
  return new Response('{}', { status: statusOf(data, headers), headers })
}

function addReceipt(headers: Headers, meta: Meta | undefined, version: X402Version): void {
  const receipt = meta?.[metaKeys.receipt] ?? meta?.[metaKeys.oldReceipt]
  if (isJsonObject(receipt)) headers.set(receiptHeader(version), encodeHeader(receipt))
  const entitlement = meta?.[metaKeys.entitlement]
  if (typeof entitlement === 'string' && /^[ -~]{1,1024}$/.test(entitlement))
    headers.set(ENTITLEMENT_HEADER, entitlement)
}

/** Our servers say what hinders them as an RFC 9457 problem; any other error is one of the work. */
function statusOf(said: unknown, headers: Headers): number {
  if (!isJsonObject(said)) return 500
  const { status, retryAfter, code } = said
  const known = typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599
  if (!known || typeof code !== 'string') return 500
  headers.set('content-type', PROBLEM_TYPE)
  if (typeof retryAfter === 'number' && retryAfter >= 0) headers.set('retry-after', String(Math.ceil(retryAfter)))
  return status
}

/** The object with another `resource.url`, if it has this one. */
function renamed(object: JsonObject, from: string, to: string): JsonObject {
  const { resource } = object
  return isJsonObject(resource) && resource.url === from ? { ...object, resource: { ...resource, url: to } } : object
}

function parsed(text: unknown): unknown {
  if (typeof text !== 'string' || text.length > MAX_TEXT) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** As much as is read of the body of a 402. */
const MAX_TEXT = 65_536
