import { canonicalAddress } from './address.js'
import { canonicalJson } from './json.js'
import type { PaymentRequirements } from './payment.js'
import { sha256Hex } from './sha256.js'

declare const brand: unique symbol

/** Identity of a payment: 64 lower-case hex digits. Two spellings of one payment share it; two payments never do. */
export type Pid = string & { readonly [brand]: 'Pid' }

/** Identity of terms: 64 lower-case hex digits over the canonical requirements. */
export type Rid = string & { readonly [brand]: 'Rid' }

/**
 * The identity of a payment from the parts its scheme names, each already in its one canonical spelling.
 * EVM: network, contract, payer, nonce, scheme. Solana: network, hash of the message.
 *
 * @example
 * paymentId(['eip155:8453', '0x8335…2913', '0xf39f…2266', '0x11…11', 'exact'])
 */
export function paymentId(parts: readonly string[]): Pid {
  // The one place that makes the brand.
  return sha256Hex(canonicalJson(['x402-pid', ...parts])) as Pid
}

/**
 * Tells whether a text has the form of a payment identity.
 *
 * @example
 * isPid('00') // false
 */
export function isPid(text: string): text is Pid {
  return /^[0-9a-f]{64}$/.test(text)
}

/**
 * The identity of terms. A stored answer serves only the same `(pid, rid)`.
 *
 * @example
 * requirementsId(offer) === requirementsId({ ...offer, payTo: offer.payTo.toLowerCase() }) // true
 */
export function requirementsId(requirements: PaymentRequirements): Rid {
  const { scheme, network, amount, asset, payTo, maxTimeoutSeconds, extra } = requirements
  const terms = {
    scheme,
    network,
    amount: amount.toString(),
    asset: canonicalAddress(asset),
    payTo: canonicalAddress(payTo),
    maxTimeoutSeconds,
    extra,
  }
  // The one place that makes the brand.
  return sha256Hex(canonicalJson(['x402-rid', terms])) as Rid
}
