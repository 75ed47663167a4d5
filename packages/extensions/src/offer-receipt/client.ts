import {
  type AnsweredPayment,
  check,
  type ExtensionClient,
  type JsonObject,
  type PaymentRequired,
  type PaymentRequirements,
  type Refusal,
  refuse,
  sameAddress,
} from '@groat/core'
import type { KeyFinder } from './did.js'
import { type OfferPayload, offerReceipt, type ReceiptPayload } from './offer-receipt.js'
import * as shapes from './schema.shapes.js'
import { type TrustOptions, type Verified, verifyOffer, verifySignedReceipt } from './verify.js'

export { didOf, didWebKeys, type KeyFinder, keptKeys, type SiteKeys } from './did.js'
export { jwkOfDidKey } from './did-key.js'
export type { OfferPayload, ReceiptPayload, ReceivedArtifact, SignedArtifact } from './offer-receipt.js'
export { type Authority, type TrustOptions, type Verified, verifyOffer, verifySignedReceipt } from './verify.js'

/** Whose word counts for signed receipts. */
export type SignedReceiptOptions = {
  /** Looks up what a site publishes: `didWebKeys()`. Without it only the payee and `trusted` are believed, and nothing is fetched. */
  readonly keysOf?: KeyFinder
  /** Ethereum accounts that are believed whatever they sign for. */
  readonly trusted?: readonly string[]
}

/**
 * The payer's half of `offer-receipt`: verifies the signed receipt of every payment, and tells in the outcome's receipt (`flaws`) what is wrong with it. Offers are not echoed.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [signedReceipts({ keysOf: didWebKeys() })] })
 */
export function signedReceipts(options: SignedReceiptOptions = {}): ExtensionClient {
  return {
    extension: offerReceipt,
    // They are long, and the seller does not read their echo.
    attach: () => undefined,
    check: async (answered, about) => {
      const verdict = await verifyAnswer(answered, about, options)
      return verdict.ok ? undefined : verdict.code
    },
  }
}

/** Verifies the receipt that came with an answer: that it is good, and that it is of this payment. Refuses what `verifySignedReceipt` refuses, and `receipt_mismatch`. */
export async function verifyAnswer(
  answered: JsonObject,
  {
    challenge,
    offer,
    payer,
    receipt,
    clock,
  }: Pick<AnsweredPayment, 'challenge' | 'offer' | 'payer' | 'receipt' | 'clock'>,
  options: SignedReceiptOptions = {},
): Promise<Verified<ReceiptPayload> | Refusal> {
  const info = check(shapes.OfferReceiptInfo, answered.info)
  if (!info.ok || info.value.receipt === undefined) return refuse('receipt_signature_invalid')
  const now = clock() / 1000
  const verdict = await verifySignedReceipt(info.value.receipt, { ...options, payTo: offer.payTo, now })
  if (!verdict.ok) return verdict
  const { resourceUrl, network, payer: named, issuedAt, transaction } = verdict.payload
  const isOurs =
    resourceUrl === challenge.resource?.url &&
    network === offer.network &&
    sameAddress(named, payer) &&
    issuedAt > now - MAX_AGE_SECONDS &&
    (transaction === undefined || transaction === '' || transaction === receipt.transaction)
  return isOurs ? verdict : refuse('receipt_mismatch')
}

/** A receipt comes with its answer, or with one that is asked for again. */
const MAX_AGE_SECONDS = 24 * 3_600

/**
 * The signed offer that stands for an offer of a challenge, verified. Refuses what `verifyOffer` refuses; `offer_signature_invalid` also where no signed offer says the same as that offer.
 *
 * @example
 * const verdict = await verifiedOffer(challenge, offer, { keysOf: didWebKeys(), now: Date.now() / 1000 })
 */
export async function verifiedOffer(
  { extensions, resource }: PaymentRequired,
  offer: PaymentRequirements,
  trust: TrustOptions,
): Promise<Verified<OfferPayload> | Refusal> {
  const value = extensions?.[offerReceipt.key]
  const info = check(shapes.OfferReceiptInfo, (value as JsonObject | undefined)?.info)
  let last: Refusal = refuse('offer_signature_invalid')
  for (const signed of info.ok ? (info.value.offers ?? []) : []) {
    const verdict = await verifyOffer(signed, trust)
    if (!verdict.ok) last = verdict
    else if (isFor(verdict.payload, offer, resource?.url)) return verdict
  }
  return last
}

function isFor(payload: OfferPayload, offer: PaymentRequirements, url: string | undefined): boolean {
  return (
    payload.resourceUrl === url &&
    payload.scheme === offer.scheme &&
    payload.network === offer.network &&
    payload.amount === offer.amount.toString() &&
    sameAddress(payload.asset, offer.asset) &&
    sameAddress(payload.payTo, offer.payTo)
  )
}
