import { parseJson } from '../model/json.js'

/** Terms of version 2, or of version 1 under the names of that version. */
export type Requirements = Readonly<Record<string, unknown>>

/** A payment, or anything that is put in the place of one. */
export type Payment = Readonly<Record<string, unknown>>

/** The terms of one offer, before a version gives them names. Amounts are decimal text of atomic units. */
export type Terms = {
  /** `exact` unless told. */
  readonly scheme?: string
  readonly network: string
  /** Its name in version 1. */
  readonly v1Network: string
  readonly asset: string
  readonly payTo: string
  readonly amount: string
  readonly maxTimeoutSeconds: number
  readonly extra: Readonly<Record<string, unknown>>
}

/** The terms as a facilitator or a client is given them. */
export function encodeRequirements(terms: Terms, version: 1 | 2, resource = 'http://127.0.0.1/paid'): Requirements {
  const { scheme = 'exact', network, v1Network, asset, payTo, amount, maxTimeoutSeconds, extra } = terms
  const common = { scheme, asset, payTo, maxTimeoutSeconds, extra }
  if (version === 2) return { ...common, network, amount }
  const described = { resource, description: 'a test', mimeType: 'application/json' }
  return { ...common, ...described, network: v1Network, maxAmountRequired: amount }
}

/** A payment for the requirements. */
export function encodePayment(requirements: Requirements, payload: unknown, version: 1 | 2): Payment {
  if (version === 1) return { x402Version: 1, scheme: 'exact', network: requirements.network, payload }
  return { x402Version: 2, accepted: requirements, payload }
}

/** The body of `/verify` and `/settle`. */
export function encodeRequest(payment: Payment, requirements: Requirements): Readonly<Record<string, unknown>> {
  return { x402Version: payment.x402Version, paymentPayload: payment, paymentRequirements: requirements }
}

/** The offers of version 2 as a value for `PAYMENT-REQUIRED`. */
export function encodeOffers(accepts: readonly Requirements[], url: string, more: object = {}): string {
  return encodeHeader({ x402Version: 2, error: 'payment_required', resource: { url }, accepts, ...more })
}

/** A value for a header. */
export const encodeHeader = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

/** What a header says, or undefined. Reads more than the specification allows; checks look at the text themselves. */
export function decodeHeader(value: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const decoded = parseJson(Buffer.from(value ?? '', 'base64').toString('utf8'))
  return typeof decoded === 'object' && decoded !== null ? (decoded as Record<string, unknown>) : undefined
}
