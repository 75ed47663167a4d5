import type { JsonObject } from '../model/json.js'
import { type Decoded, refuse } from '../model/outcome.js'
import type { PaymentRequired, PaymentRequirements, ResourceInfo } from '../model/payment.js'
import { ChallengeEnvelope } from '../schema/shared.shapes.js'
import { decodeBase64Text, encodeBase64Text } from './base64.js'
import { check } from './check.js'
import type { GetHeader } from './headers.js'
import { asciiJson, decodeJsonObject } from './json.js'
import { decodeRequirements, encodeRequirements, hasV1Form, objectOf } from './requirements.js'
import { readResource } from './resource.js'

/** A challenge, ready to send: one answer that clients of both versions understand. */
export type EncodedChallenge = {
  readonly headers: Readonly<Record<string, string>>
  /** JSON text: the v1 challenge, or `{}` where no offer has a v1 form. */
  readonly body: string
}

/**
 * Encodes a challenge for both versions: the v2 header and the v1 body. Cheap to keep: encode once per route, not per request.
 *
 * @example
 * encodeChallenge({ x402Version: 2, accepts: [offer], resource: { url: 'https://shop.example/a' } })
 */
export function encodeChallenge(challenge: Omit<PaymentRequired, 'x402Version'>): EncodedChallenge {
  const { error, resource, accepts, extensions } = challenge
  const header = {
    x402Version: 2,
    error,
    resource: resource && { ...resource, description: resource.description ?? '', mimeType: resource.mimeType ?? '' },
    accepts: accepts.map((offer) => encodeRequirements(2, offer)),
    extensions,
  }
  const v1Offers = accepts.filter(hasV1Form)
  const body = {
    x402Version: 1,
    error: error ?? 'payment_required',
    accepts: v1Offers.map((offer) => encodeRequirements(1, offer, resource)),
  }
  return {
    headers: { 'PAYMENT-REQUIRED': encodeBase64Text(asciiJson(header)) },
    body: v1Offers.length === 0 ? '{}' : asciiJson(body),
  }
}

/**
 * Reads the challenge of a 402: the v2 header first, else the v1 body. `undefined` when the answer is no x402 challenge.
 * Offers that cannot be read are left out, so that one bad offer does not hide the good ones; a challenge without a readable offer
 * is refused with `invalid_payload`.
 *
 * @example
 * decodeChallenge((name) => response.headers.get(name), await response.text())
 */
export function decodeChallenge(getHeader: GetHeader, body?: string): Decoded<PaymentRequired> | undefined {
  const header = getHeader('PAYMENT-REQUIRED')
  if (header) {
    const text = decodeBase64Text(header)
    if (!text.ok) return text
    const object = decodeJsonObject(text.value)
    return object.ok ? challengeFrom(object.value) : object
  }
  const object = body === undefined ? undefined : decodeJsonObject(body)
  return object?.ok && object.value.x402Version === 1 ? challengeFrom(object.value) : undefined
}

function challengeFrom(object: JsonObject): Decoded<PaymentRequired> {
  const checked = check(ChallengeEnvelope, object)
  if (!checked.ok) return checked
  const { x402Version, error, extensions } = checked.value
  const accepts: PaymentRequirements[] = []
  for (const wire of checked.value.accepts) {
    const offer = decodeRequirements(x402Version, wire)
    if (offer.ok) accepts.push(offer.value)
  }
  if (accepts.length === 0) return refuse('invalid_payload', 'no offer can be read')
  const resource = x402Version === 1 ? resourceOfV1(accepts[0]) : readResource(object.resource)
  return {
    ok: true,
    value: {
      x402Version,
      accepts,
      ...(error == null ? {} : { error }),
      ...(resource === undefined ? {} : { resource }),
      ...(extensions == null ? {} : { extensions: objectOf(extensions) }),
    },
  }
}

function resourceOfV1(offer: PaymentRequirements | undefined): ResourceInfo | undefined {
  const wire = offer?.received
  return wire && readResource({ url: wire.resource, description: wire.description, mimeType: wire.mimeType })
}
