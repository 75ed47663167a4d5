import {
  type JsonObject,
  judgeAccepted,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
} from '@groat/core'
import { isSvmNetwork } from '../network.js'
import { type Key, parseAddress } from '../wire/address.js'
import { MAX_U64 } from '../wire/bytes.js'
import { exactOnSvm } from './identity.js'

/** What an offer asks for, as bytes. */
export type ExactTerms = {
  readonly ok: true
  readonly mint: Key
  readonly payTo: Key
  /** Atomic units. */
  readonly amount: bigint
  readonly feePayer: Key
  /** What the memo must say; absent when the payer may say anything. */
  readonly memo?: Uint8Array
}

/** The most bytes that a memo has. */
export const MAX_MEMO_BYTES = 256

/**
 * The parts of an offer that a transaction is held against (SVM-EXACT-001 to 006). Refuses `invalid_network`,
 * `invalid_payment_requirements` and `invalid_exact_svm_payload_missing_fee_payer`.
 *
 * @example
 * const terms = readTerms(offer)
 */
export function readTerms({ network, asset, payTo, amount, extra }: PaymentRequirements): ExactTerms | Refusal {
  if (!isSvmNetwork(network)) return refuse('invalid_network')
  const [mint, payee] = [parseAddress(asset), parseAddress(payTo)]
  if (mint === undefined) return refuse('invalid_payment_requirements', 'asset')
  if (payee === undefined) return refuse('invalid_payment_requirements', 'payTo')
  if (amount < 1n || amount > MAX_U64) return refuse('invalid_payment_requirements', 'amount')
  const feePayer = typeof extra.feePayer === 'string' ? parseAddress(extra.feePayer) : undefined
  if (feePayer === undefined) return refuse('invalid_exact_svm_payload_missing_fee_payer')
  const memo = readMemo(extra)
  if (memo === 'malformed') return refuse('invalid_payment_requirements', 'extra.memo')
  return { ok: true, mint, payTo: payee, amount, feePayer, ...(memo ? { memo } : {}) }
}

/**
 * Whether a payment is one for this offer, before its transaction is read (SVM-EXACT-020, SVM-EXACT-021, SVM-EXACT-083).
 * Refuses `invalid_exact_svm_unsupported_scheme`, `invalid_exact_svm_network_mismatch` and `no_matching_requirements`.
 *
 * @example
 * const refusal = judgeEcho(payment, offer)
 */
export function judgeEcho(payment: PaymentPayload, terms: PaymentRequirements): Refusal | undefined {
  const { accepted } = payment
  const schemes = [payment.scheme, terms.scheme, accepted?.scheme ?? exactOnSvm.name]
  if (schemes.some((scheme) => scheme !== exactOnSvm.name)) return refuse('invalid_exact_svm_unsupported_scheme')
  if (payment.network !== terms.network || (accepted && accepted.network !== terms.network)) {
    return refuse('invalid_exact_svm_network_mismatch')
  }
  return judgeAccepted(accepted, terms)
}

/**
 * The memo that an offer asks for: 1 to 256 bytes of text. `undefined` when it asks for none.
 *
 * @example
 * readMemo({ memo: 'order-7' }) // Uint8Array of 7 bytes
 */
export function readMemo({ memo }: JsonObject): Uint8Array | undefined | 'malformed' {
  if (memo === undefined) return undefined
  if (typeof memo !== 'string' || memo === '' || memo.length > MAX_MEMO_BYTES) return 'malformed'
  const bytes = new TextEncoder().encode(memo)
  return bytes.length <= MAX_MEMO_BYTES ? bytes : 'malformed'
}
