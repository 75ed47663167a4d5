import { isErrorCode } from '../errors/is-error-code.js'
import { isJsonObject, type JsonObject } from '../model/json.js'
import { isNetwork, networkByV1Name, v1NameOf } from '../model/network.js'
import { type Decoded, refuse, type Verdict } from '../model/outcome.js'
import type {
  PaymentPayload,
  PaymentRequirements,
  ResourceInfo,
  Supported,
  SupportedKind,
  X402Version,
} from '../model/payment.js'
import * as v2 from '../schema/v2.shapes.js'
import { check } from './check.js'
import { decodePaymentObject, encodePaymentObject } from './payment.js'
import { decodeRequirements, encodeRequirements, objectOf } from './requirements.js'
import { wireCode } from './wire-code.js'

/** What `/verify` and `/settle` are asked. */
export type FacilitatorRequest = {
  readonly payment: PaymentPayload
  readonly requirements: PaymentRequirements
  /** What is sold; version 1 sends it along with every offer. */
  readonly resource?: ResourceInfo
  /**
   * Extensions in `payment` that are the server's own words, as `payment.resource` then is: the server has written them in place of what the payer echoed (BAZAAR-038). It is said beside the body
   * (`VOUCHED_HEADER`), where no payer writes and no other facilitator looks.
   */
  readonly vouched?: readonly string[]
}

/** The header of `/settle` in which a resource server names the extensions that it has written itself, separated by commas. */
export const VOUCHED_HEADER = 'extension-vouched'

/**
 * The body of `/verify` and `/settle`.
 *
 * @example
 * JSON.stringify(encodeFacilitatorRequest({ payment, requirements }))
 */
export function encodeFacilitatorRequest({ payment, requirements, resource }: FacilitatorRequest): JsonObject {
  const { x402Version } = payment
  return {
    x402Version,
    paymentPayload: encodePaymentObject(payment),
    paymentRequirements: encodeRequirements(x402Version, requirements, resource ?? payment.resource),
  }
}

/**
 * Reads the body of `/verify` or `/settle`; the payment's own version decides. Refuses `invalid_payload`,
 * `invalid_payment_requirements`, `invalid_x402_version` or `invalid_network`.
 *
 * @example
 * decodeFacilitatorRequest(JSON.parse(body))
 */
export function decodeFacilitatorRequest(body: unknown): Decoded<FacilitatorRequest> {
  const wrapper = objectOf(body)
  if (wrapper.paymentPayload === undefined) return refuse('invalid_payload', 'paymentPayload is missing or malformed')
  const payment = decodePaymentObject(withTime(wrapper.paymentPayload))
  if (!payment.ok) return payment
  if (wrapper.x402Version !== undefined && wrapper.x402Version !== payment.value.x402Version) {
    return refuse('invalid_x402_version', 'x402Version is not that of the payment')
  }
  const requirements = decodeRequirements(payment.value.x402Version, timed(wrapper.paymentRequirements))
  if (!requirements.ok) {
    return requirements.code === 'invalid_payload'
      ? refuse('invalid_payment_requirements', requirements.detail)
      : requirements
  }
  return { ok: true, value: { payment: payment.value, requirements: requirements.value } }
}

/** What a seller has put on chain is no offer, and has no time: official sellers write 0, which no offer may have (EVM-BATCH-065). */
const timed = (terms: unknown): unknown =>
  isJsonObject(terms) && terms.maxTimeoutSeconds === 0 ? { ...terms, maxTimeoutSeconds: 1 } : terms

const withTime = (payment: unknown): unknown =>
  isJsonObject(payment) && isJsonObject(payment.accepted) && payment.accepted.maxTimeoutSeconds === 0
    ? { ...payment, accepted: { ...payment.accepted, maxTimeoutSeconds: 1 } }
    : payment

/**
 * The wire `VerifyResponse` of a verdict.
 *
 * @example
 * encodeVerdict(2, verdict)
 */
export function encodeVerdict(version: X402Version, verdict: Verdict): JsonObject {
  if (verdict.ok) return { isValid: true, payer: verdict.payer, extra: verdict.extra }
  return {
    isValid: false,
    invalidReason: wireCode(version, verdict.code),
    invalidMessage: verdict.detail,
    payer: verdict.payer,
    extra: verdict.extra,
  }
}

/**
 * A verdict from its wire form. A reason outside the registry becomes `unexpected_verify_error`, its words going into `detail`.
 *
 * @example
 * decodeVerdict(await response.json())
 */
export function decodeVerdict(wire: unknown): Decoded<Verdict> {
  const checked = check(v2.VerifyResponse, wire)
  if (!checked.ok) return checked
  const { isValid, invalidReason, invalidMessage, payer, extra } = checked.value
  const more = extra == null ? {} : { extra: objectOf(extra) }
  if (isValid) return { ok: true, value: { ok: true, payer: payer ?? '', ...more } }
  const reason = invalidReason?.split(': ', 1)[0] ?? ''
  const code = isErrorCode(reason) ? reason : 'unexpected_verify_error'
  const detail = (invalidMessage ?? (code === reason ? undefined : (invalidReason ?? undefined)))?.slice(0, 500)
  return { ok: true, value: { ...refuse(code, detail), ...(payer == null ? {} : { payer }), ...more } }
}

/**
 * The wire `SupportedResponse`.
 *
 * @example
 * encodeSupported({ kinds, extensions: [], signers: {} })
 */
export function encodeSupported({ kinds, extensions, signers }: Supported): JsonObject {
  const wireKinds = kinds.map(({ x402Version, scheme, network, extra }) => ({
    x402Version,
    scheme,
    network: x402Version === 1 ? (v1NameOf(network) ?? network) : network,
    extra,
  }))
  return { kinds: wireKinds, extensions, signers }
}

/**
 * What a facilitator supports, from its wire form. Kinds that cannot be read (a version or network we do not know) are left out.
 *
 * @example
 * decodeSupported(await response.json())
 */
export function decodeSupported(wire: unknown): Decoded<Supported> {
  const checked = check(v2.SupportedResponse, wire)
  if (!checked.ok) return checked
  const kinds = checked.value.kinds.flatMap((kind): SupportedKind[] => {
    const network = kind.x402Version === 1 ? networkByV1Name(kind.network) : kind.network
    if (network === undefined || !isNetwork(network)) return []
    if (kind.x402Version !== 1 && kind.x402Version !== 2) return []
    const extra = kind.extra == null ? {} : { extra: objectOf(kind.extra) }
    return [{ x402Version: kind.x402Version, scheme: kind.scheme, network, ...extra }]
  })
  return {
    ok: true,
    value: { kinds, extensions: checked.value.extensions ?? [], signers: checked.value.signers ?? {} },
  }
}
