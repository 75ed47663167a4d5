import {
  canonicalAddress,
  defineScheme,
  encodePayment,
  type InspectContext,
  type Inspection,
  isJsonObject,
  type JsonObject,
  type PaymentHeader,
  type PaymentPayload,
  type PaymentRequirements,
  paymentId,
  refuse,
  type SchemeServer,
  X402Error,
  type X402Version,
} from '@groat/core'
import { AnyObject } from '@groat/core/schema'

/** A scheme whose payments are plain words: whoever says so, pays. Its server half does what a real one does. */
const scheme = defineScheme({ name: 'exact', family: 'eip155', payload: AnyObject, extra: AnyObject })

export const testScheme: SchemeServer = {
  scheme,
  offer: ({ network, asset, amount, payTo, maxTimeoutSeconds, extra }) => {
    if (!/^0x[0-9a-fA-F]{40}$/.test(payTo)) throw new X402Error('invalid_pay_to', { payTo })
    const { address, domain } = asset
    return {
      scheme: 'exact',
      network,
      amount,
      asset: address,
      payTo,
      maxTimeoutSeconds,
      extra: { ...(domain === undefined ? {} : { name: domain.name, version: domain.version }), ...extra },
    }
  },
  inspect,
}

function inspect(payment: PaymentPayload, offer: PaymentRequirements, { now }: InspectContext): Inspection {
  const { from, to, value, nonce, validBefore } = payment.payload
  if (typeof from !== 'string' || typeof nonce !== 'string' || typeof validBefore !== 'number') {
    return refuse('invalid_payload', 'payload.from is missing or malformed')
  }
  if (typeof to !== 'string' || canonicalAddress(to) !== canonicalAddress(offer.payTo)) {
    return refuse('invalid_exact_evm_recipient_mismatch')
  }
  if (value !== offer.amount.toString()) return refuse('invalid_exact_evm_payload_authorization_value_mismatch')
  const pid = paymentId([offer.network, canonicalAddress(offer.asset), canonicalAddress(from), nonce, 'exact'])
  const inspected = { ok: true, pid, payer: from, expiresAt: validBefore } as const
  return validBefore <= now / 1000
    ? { ...refuse('invalid_exact_evm_payload_authorization_valid_before'), payer: from, late: inspected }
    : inspected
}

export const payTo = `0x${'11'.repeat(20)}`
export const payer = `0x${'22'.repeat(20)}`

let nonces = 0

/** A payment for an offer, as an honest client makes it; `payload` members replace its own. */
export function paymentFor(
  offer: PaymentRequirements,
  { version = 2, now = Date.now(), payload = {} }: { version?: X402Version; now?: number; payload?: JsonObject } = {},
): PaymentPayload {
  return {
    x402Version: version,
    scheme: offer.scheme,
    network: offer.network,
    ...(version === 2 ? { accepted: offer } : {}),
    payload: {
      from: payer,
      to: offer.payTo,
      value: offer.amount.toString(),
      nonce: `nonce-${process.pid}-${++nonces}`,
      validBefore: Math.floor(now / 1000) + offer.maxTimeoutSeconds,
      ...payload,
    },
  }
}

/** Request headers that carry a payment. */
export function headersOf(payment: PaymentPayload): Record<string, string> {
  const { name, value }: PaymentHeader = encodePayment(payment)
  return { [name]: value }
}

/** What the facilitator tells payments apart by. */
export function nonceOf(payload: unknown): string {
  return isJsonObject(payload) && typeof payload.nonce === 'string' ? payload.nonce : ''
}
