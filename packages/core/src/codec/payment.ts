import type { JsonObject } from '../model/json.js'
import { networkByV1Name, v1NameOf } from '../model/network.js'
import { type Decoded, refuse } from '../model/outcome.js'
import type { PaymentPayload, X402Version } from '../model/payment.js'
import * as v1 from '../schema/v1.shapes.js'
import * as v2 from '../schema/v2.shapes.js'
import { decodeBase64Text, encodeBase64Text } from './base64.js'
import { check } from './check.js'
import { type GetHeader, headerNames } from './headers.js'
import { asciiJson, decodeJsonObject } from './json.js'
import { encodeRequirements, objectOf, requirementsFromV2 } from './requirements.js'
import { readResource, resourceFrom } from './resource.js'

/** A payment as one header. */
export type PaymentHeader = { readonly name: string; readonly value: string }

/**
 * The header that carries a payment, in the version of the challenge it answers.
 *
 * @example
 * const { name, value } = encodePayment(payment)
 */
export function encodePayment(payment: PaymentPayload): PaymentHeader {
  return {
    name: headerNames[payment.x402Version].payment,
    value: encodeBase64Text(asciiJson(encodePaymentObject(payment))),
  }
}

/**
 * Reads the payment of a request. `undefined` when the request carries none.
 * Refuses `invalid_payload` for a header that cannot be read and for two headers at once, `invalid_x402_version` for a version that
 * does not belong to its header.
 *
 * @example
 * decodePayment((name) => request.headers.get(name))
 */
export function decodePayment(getHeader: GetHeader): Decoded<PaymentPayload> | undefined {
  const newer = getHeader(headerNames[2].payment)
  const older = getHeader(headerNames[1].payment)
  if (newer && older) return refuse('invalid_payload', 'both payment headers are present')
  if (newer) return decodePaymentHeader(2, newer)
  return older ? decodePaymentHeader(1, older) : undefined
}

/** A payment from the parsed object, as it stands in a header or in a facilitator's request. */
export function decodePaymentObject(object: unknown): Decoded<PaymentPayload> {
  const version = objectOf(object).x402Version
  if (version === 2) return paymentFromV2(object)
  if (version === 1) return paymentFromV1(object)
  return refuse('invalid_x402_version', typeof version === 'number' ? `version ${version}` : undefined)
}

/** The wire object of a payment. */
export function encodePaymentObject(payment: PaymentPayload): JsonObject {
  const { x402Version, payload, resource, extensions, accepted } = payment
  if (x402Version === 1) {
    return { x402Version, scheme: payment.scheme, network: v1NameOf(payment.network) ?? payment.network, payload }
  }
  return { x402Version, payload, extensions, resource, accepted: accepted && encodeRequirements(2, accepted) }
}

function decodePaymentHeader(version: X402Version, header: string): Decoded<PaymentPayload> {
  const text = decodeBase64Text(header)
  if (!text.ok) return text
  const object = decodeJsonObject(text.value)
  if (!object.ok) return object
  const payment = decodePaymentObject(object.value)
  if (payment.ok && payment.value.x402Version !== version) {
    return refuse(
      'invalid_x402_version',
      `version ${payment.value.x402Version} does not travel in ${headerNames[version].payment}`,
    )
  }
  return payment
}

function paymentFromV2(object: unknown): Decoded<PaymentPayload> {
  const strict = check(v2.PaymentPayload, object)
  // What a server says too long of its resource is the fault of no payer, who copies it (CORE-023).
  const checked = strict.ok ? strict : check(v2.PaymentPayload, withReadableResource(objectOf(object)))
  if (!checked.ok) return checked
  const accepted = requirementsFromV2(checked.value.accepted)
  if (!accepted.ok) return accepted
  const { resource, extensions, payload } = checked.value
  const { scheme, network } = accepted.value
  return {
    ok: true,
    value: {
      x402Version: 2,
      scheme,
      network,
      accepted: accepted.value,
      payload: objectOf(payload),
      ...(resource == null ? undefined : { resource: resourceFrom(resource) }),
      ...(extensions == null ? undefined : { extensions: objectOf(extensions) }),
    },
  }
}

function withReadableResource(object: JsonObject): JsonObject {
  const resource = readResource(object.resource)
  return resource === undefined ? object : { ...object, resource }
}

/** A v1 payment that echoes an offer mixes two versions: it would be matched by less than it claims. */
function paymentFromV1(object: unknown): Decoded<PaymentPayload> {
  const checked = check(v1.PaymentPayload, object)
  if (!checked.ok) return checked
  if ('accepted' in checked.value) return refuse('invalid_payload', 'accepted does not belong to version 1')
  const network = networkByV1Name(checked.value.network)
  if (network === undefined) return refuse('invalid_network', 'network is not a v1 name')
  return {
    ok: true,
    value: { x402Version: 1, scheme: checked.value.scheme, network, payload: objectOf(checked.value.payload) },
  }
}
