import {
  canonicalJson,
  type Decoded,
  findScheme,
  type InspectedPayment,
  isJsonObject,
  type Json,
  type PaymentPayload,
  type PaymentRequirements,
  type Refusal,
  refuse,
  requirementsId,
  type SchemeServer,
  sameAddress,
} from '@groat/core'
import type { Offer } from './offers.js'
import { type Terms, withoutQuery } from './terms.js'

/** What can be known of a request without asking anyone. */
export type Decision =
  /** It carries no payment. */
  | { readonly type: 'unpaid' }
  | {
      readonly type: 'refused'
      readonly refusal: Refusal
      /** Set when it reads as a payment, and answers none of today's offers: it may have answered one of yesterday's. */
      readonly payment?: PaymentPayload
    }
  /** It comes too late to be begun. It may be one that was paid for in time. */
  | ({ readonly type: 'late' } & Late)
  /** A payment that reads as good for one of the offers. */
  | ({ readonly type: 'candidate' } & Candidate)

/** A payment, the offer that it answers, and what the scheme reads from the two. */
export type Candidate = {
  readonly payment: PaymentPayload
  readonly offer: Offer
  readonly inspected: InspectedPayment
}

/** A payment that can no longer be begun, and why. If it was begun in time it is answered by what became of it (SRV-021). */
export type Late = Candidate & { readonly refusal: Refusal }

/**
 * Decides about a request from its payment header, the terms and the clock alone: no store, no facilitator, no chain (SRV-002).
 * Refuses what the codec refuses, `resource_mismatch`, `no_matching_requirements`, which names the term where one alone differs, and what the
 * scheme refuses.
 *
 * @example
 * decide(decodePayment(request.header), terms, Date.now())
 */
export function decide(
  decoded: Decoded<PaymentPayload> | undefined,
  { resource, offers }: Pick<Terms, 'resource' | 'offers'>,
  now: number,
): Decision {
  if (decoded === undefined) return { type: 'unpaid' }
  if (!decoded.ok) return { type: 'refused', refusal: decoded }
  const payment = decoded.value
  if (payment.resource !== undefined && withoutQuery(payment.resource.url) !== resource.url) {
    return { type: 'refused', refusal: refuse('resource_mismatch'), payment }
  }
  const refusals: Refusal[] = []
  let late: Decision | undefined
  for (const offer of offers) {
    if (!answers(payment, offer.requirements)) continue
    // A payment with little life left may be one that is settled already: how much must be left is asked when it is new.
    const inspected = offer.scheme.inspect(payment, offer.requirements, { now, minRemainingSeconds: 0 })
    if (inspected.ok) return { type: 'candidate', payment, offer, inspected }
    const refusal = refuse(inspected.code, inspected.detail)
    refusals.push(refusal)
    if (inspected.late !== undefined) late ??= { type: 'late', refusal, payment, offer, inspected: inspected.late }
  }
  if (late !== undefined) return late
  const [refusal] = refusals
  if (refusal !== undefined) return { type: 'refused', refusal }
  return { type: 'refused', refusal: refuse('no_matching_requirements', differenceOf(payment, offers)), payment }
}

/**
 * A payment read against the offer that it says it answers. That it was ever made is not known: only a claim that was made for this very
 * offer shows it.
 */
export function recall(payment: PaymentPayload, schemes: readonly SchemeServer[], now: number): Candidate | undefined {
  const { accepted } = payment
  const scheme = findScheme(schemes, payment)
  if (accepted === undefined || scheme === undefined) return undefined
  const inspected = inspect(scheme, payment, accepted, now)
  if (inspected === undefined) return undefined
  return { payment, offer: { requirements: accepted, scheme, rid: requirementsId(accepted), worth: 0n }, inspected }
}

/**
 * Tells whether a payment is meant for an offer. Money is compared by value; what the payer added to `extra`, and members that were
 * never offered, say nothing. Where the version has no echo, scheme and network have to do, and the scheme reads the rest.
 */
export function answers(payment: PaymentPayload, offer: PaymentRequirements): boolean {
  return TERMS.every(([, isSame]) => isSame(payment, offer))
}

type Term = readonly [name: string, isSame: (payment: PaymentPayload, offer: PaymentRequirements) => boolean]

/** What a payment and the offer that it answers have in common. */
const TERMS: readonly Term[] = [
  ['scheme', (payment, offer) => payment.scheme === offer.scheme],
  ['network', (payment, offer) => payment.network === offer.network],
  ['amount', ({ accepted }, { amount }) => accepted === undefined || accepted.amount === amount],
  ['asset', ({ accepted }, { asset }) => accepted === undefined || sameAddress(accepted.asset, asset)],
  ['payTo', ({ accepted }, { payTo }) => accepted === undefined || sameAddress(accepted.payTo, payTo)],
  ['extra', ({ accepted }, { extra }) => accepted === undefined || contains(accepted.extra, extra)],
]

/** The one term in which a payment differs from one of the offers; nothing where it differs in more from each. */
function differenceOf(payment: PaymentPayload, offers: readonly Offer[]): string | undefined {
  const lists = offers.map(({ requirements }) => TERMS.filter(([, isSame]) => !isSame(payment, requirements)))
  const [term] = lists.find(({ length }) => length === 1) ?? []
  return term && `${term[0]} is not what was offered`
}

/** Every member of `part` stands in `whole` with the same value; anything that is not an object is compared as it is. */
function contains(whole: Json | undefined, part: Json): boolean {
  if (!isJsonObject(part)) return whole === part || canonicalJson(whole) === canonicalJson(part)
  return (
    isJsonObject(whole) &&
    Object.entries(part).every(
      ([key, value]) => value === undefined || (Object.hasOwn(whole, key) && contains(whole[key], value)),
    )
  )
}

/** Reads a payment against terms that a stranger wrote: a scheme may throw over those. */
function inspect(
  scheme: SchemeServer,
  payment: PaymentPayload,
  accepted: PaymentRequirements,
  now: number,
): InspectedPayment | undefined {
  try {
    const read = scheme.inspect(payment, accepted, { now, minRemainingSeconds: 0 })
    return read.ok ? read : read.late
  } catch {
    return undefined
  }
}
