import { isJsonObject, type JsonObject } from '../model/json.js'
import { MAX_ATOMIC } from '../model/money.js'
import { isNetwork, networkByV1Name, v1NameOf } from '../model/network.js'
import { type Decoded, refuse } from '../model/outcome.js'
import type { PaymentRequirements, ResourceInfo, X402Version } from '../model/payment.js'
import * as v1 from '../schema/v1.shapes.js'
import * as v2 from '../schema/v2.shapes.js'
import { check, type Fitting } from './check.js'

/**
 * One offer from its wire form. Refuses `invalid_payload`, naming the field, or `invalid_network`.
 *
 * @example
 * decodeRequirements(2, wire)
 */
export function decodeRequirements(version: X402Version, wire: unknown): Decoded<PaymentRequirements> {
  if (version === 1) {
    const checked = check(v1.PaymentRequirements, wire)
    return checked.ok ? requirementsFromV1(checked.value) : checked
  }
  const checked = check(v2.PaymentRequirements, wire)
  return checked.ok ? requirementsFromV2(checked.value) : checked
}

/**
 * The wire form of one offer. What a peer sent goes back exactly as it came.
 *
 * @example
 * encodeRequirements(2, offer)
 */
export function encodeRequirements(
  version: X402Version,
  offer: PaymentRequirements,
  resource?: ResourceInfo,
): JsonObject {
  if (offer.received !== undefined && version === versionOf(offer.received)) return offer.received
  return version === 1 ? requirementsToV1(offer, resource) : requirementsToV2(offer)
}

/**
 * Tells whether version 1 has a name for the offer's network.
 *
 * @example
 * hasV1Form(offer)
 */
export function hasV1Form(offer: PaymentRequirements): boolean {
  return v1NameOf(offer.network) !== undefined
}

/** Already checked wire fields to the canonical offer. */
export function requirementsFromV2(wire: Fitting<typeof v2.PaymentRequirements>): Decoded<PaymentRequirements> {
  const { scheme, network, asset, payTo, maxTimeoutSeconds, extra } = wire
  if (!isNetwork(network)) return refuse('invalid_network')
  const amount = BigInt(wire.amount)
  if (amount > MAX_ATOMIC) return refuse('invalid_payload', 'amount is above 2^256 - 1')
  const value = {
    scheme,
    network,
    amount,
    asset,
    payTo,
    maxTimeoutSeconds,
    extra: objectOf(extra),
    received: objectOf(wire),
  }
  return { ok: true, value }
}

function versionOf(received: JsonObject): X402Version {
  return 'maxAmountRequired' in received ? 1 : 2
}

function requirementsFromV1(wire: Fitting<typeof v1.PaymentRequirements>): Decoded<PaymentRequirements> {
  const { scheme, asset, payTo, maxTimeoutSeconds, extra } = wire
  const network = networkByV1Name(wire.network)
  if (network === undefined) return refuse('invalid_network', 'network is not a v1 name')
  const amount = BigInt(wire.maxAmountRequired)
  if (amount > MAX_ATOMIC) return refuse('invalid_payload', 'maxAmountRequired is above 2^256 - 1')
  const value = {
    scheme,
    network,
    amount,
    asset,
    payTo,
    maxTimeoutSeconds,
    extra: objectOf(extra),
    received: objectOf(wire),
  }
  return { ok: true, value }
}

function requirementsToV2(offer: PaymentRequirements): JsonObject {
  const { scheme, network, amount, asset, payTo, maxTimeoutSeconds, extra } = offer
  return { scheme, network, amount: amount.toString(), asset, payTo, maxTimeoutSeconds, extra }
}

function requirementsToV1(offer: PaymentRequirements, resource: ResourceInfo | undefined): JsonObject {
  const { scheme, amount, asset, payTo, maxTimeoutSeconds, extra } = offer
  return {
    scheme,
    network: v1NameOf(offer.network) ?? offer.network,
    maxAmountRequired: amount.toString(),
    resource: resource?.url ?? '',
    description: resource?.description ?? '',
    mimeType: resource?.mimeType ?? '',
    payTo,
    maxTimeoutSeconds,
    asset,
    extra,
  }
}

/** What a schema has found to be a JSON object, under its own name. */
export function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}
