import { answerResponse, type CarriedPayment, challengeResponse, isPaymentRequired } from '@groat/client/transport'
import { isJsonObject, type JsonObject, type X402Version } from '@groat/core'
import { type Meta, metaKeys, PAYMENT_ERROR_CODES } from '../wire.js'

/** What a call is known by to the payer, and what sellers call it. */
export type Names = {
  /** The URL that the payer and its policy know: the server's, with the name in its path. */
  readonly url: string
  /** What `resource.url` of a challenge may be, the usual one first; the server's own URL is among them. */
  readonly aliases: readonly string[]
}

/** `_meta` of a request that carries a payment. `named`: what the seller calls it. */
export function metaOfPayment(
  { version, payment, text, entitlement }: CarriedPayment,
  { url }: Names,
  named: string,
): Record<string, unknown> {
  return {
    ...(payment && { [metaKeys.payment]: renamed(payment, url, named) }),
    // Servers of version 1 may be older than the key.
    ...(version === 1 && { [metaKeys.oldPayment]: text }),
    ...(entitlement !== undefined && { [metaKeys.entitlement]: entitlement }),
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

/** A challenge as the payer reads it, by the payer's own name. `named` is what its seller calls the resource. */
export function challenged(
  required: JsonObject,
  said: unknown,
  names: Names,
): { readonly response: Response; readonly named: string } {
  const offers = Array.isArray(required.accepts) ? required.accepts : []
  const [offer] = offers
  const resource = isJsonObject(required.resource)
    ? required.resource
    : isJsonObject(offer)
      ? { url: offer.resource }
      : {}
  const named = names.aliases.find((alias) => alias === resource.url)
  const object =
    named === undefined
      ? required
      : required.x402Version === 1
        ? { ...required, accepts: offers.map((one) => (isJsonObject(one) ? { ...one, resource: names.url } : one)) }
        : renamed(required, named, names.url)
  const response = challengeResponse(object, receiptIn(said), named)
  return { response, named: named ?? names.aliases[0] ?? '' }
}

/** A result, or the data of an error that was answered, as the payer reads it. */
export function answered(said: unknown, version: X402Version, problem: unknown): Response {
  const body = isJsonObject(said) ? said : {}
  const meta = metaIn(said)
  const ok = problem === undefined
  return answerResponse({
    version,
    body,
    ok,
    receipt: receiptIn(said),
    entitlement: meta[metaKeys.entitlement],
    problem,
  })
}

const metaIn = (said: unknown): Meta => (isJsonObject(said) && isJsonObject(said._meta) ? said._meta : {})

function receiptIn(said: unknown): unknown {
  const meta = metaIn(said)
  return meta[metaKeys.receipt] ?? meta[metaKeys.oldReceipt]
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
