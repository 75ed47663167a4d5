import {
  type Asset,
  type BoundPayment,
  type Clock,
  findScheme,
  MAX_ATOMIC,
  type PaymentEffect,
  type PaymentRequired,
  type PaymentRequirements,
  type PreparedPayment,
  type Random,
  type Refusal,
  refuse,
  type SchemeClient,
} from '@groat/core'
import type { Entry, RuleRefusal } from './entry.js'
import type { ParsedPolicy } from './policy.js'
import { checkAmount, type RuleContext, worthOf } from './rules.js'
import { compareValues, type Value } from './value.js'

/** What a choice is made from. */
export type ChooseInput = {
  readonly challenge: PaymentRequired
  /** The payer's schemes, the preferred first. */
  readonly schemes: readonly SchemeClient[]
  readonly policy: ParsedPolicy
  readonly requested: URL
  /** Where the challenge came from. */
  readonly challenged: URL
  /** What the seller calls what is sold, if not by the URL in the challenge. */
  readonly named?: string | undefined
  readonly clock: Clock
  readonly random: Random
  /** What a payment for an offer draws from, where an extension ties it to the request. */
  readonly bind?: ((offer: PaymentRequirements) => Promise<Bound | undefined>) | undefined
}

/** A payment that draws from an extension, and what it holds under that one's key. */
export type Bound = BoundPayment & { readonly key: string }

/** An offer that must not be paid, and which rule says so. */
export type OfferRefusal = RuleRefusal & { readonly offer: PaymentRequirements }

/** The offer to pay, decided to the last byte but not signed. */
export type Chosen = {
  readonly ok: true
  readonly offer: PaymentRequirements
  readonly asset: Asset
  readonly scheme: SchemeClient
  readonly prepared: PreparedPayment
  /** The offers that were refused on the way. Dearer acceptable ones are in neither place. */
  readonly refusals: readonly OfferRefusal[]
  /** What a guard wants written down with the intent. */
  readonly entry?: Entry
  /** What a node says that it would do to balances, where a guard has asked one. */
  readonly effect?: PaymentEffect
  /** What ties the payment to its request. */
  readonly bound?: Bound
}

/** No offer may be paid. `code` is the reason that all offers share, else `no_acceptable_offer`. */
export type NoneChosen = Refusal & { readonly refusals: readonly OfferRefusal[] }

/**
 * Chooses the cheapest offer that the policy allows, by what it costs in all (what its asset counts for, and its fees) and whatever
 * the order in which the seller lists them. Of offers of one cost those that are settled after the work come first (CORE-092), then the payer's order of schemes, then of `policy.networks`. Nothing is signed, and nobody is told of it.
 *
 * @example
 * const choice = await choose({ challenge, schemes, policy: parsePolicy(), requested: url, challenged: url, clock, random })
 * if (choice.ok) console.log(choice.prepared.preview)
 */
export async function choose(input: ChooseInput): Promise<Chosen | NoneChosen> {
  const refusals: OfferRefusal[] = []
  const candidates: Candidate[] = []
  for (const offer of input.challenge.accepts) {
    const judged = judge(offer, input)
    if ('code' in judged) refusals.push(judged)
    else candidates.push(judged)
  }
  candidates.sort(inOrderOf(input))
  for (const { offer, asset, scheme } of candidates) {
    const bound = await input.bind?.(offer)
    const prepared = await prepare(
      offer,
      asset,
      scheme,
      bound === undefined ? input : { ...input, random: bound.random },
    )
    if (prepared.ok) return { ok: true, offer, asset, scheme, prepared, refusals, ...(bound && { bound }) }
    refusals.push({ ...prepared, offer })
  }
  return { ...sharedReason(refusals), refusals }
}

type Candidate = { readonly offer: PaymentRequirements; readonly asset: Asset; readonly scheme: SchemeClient }

function judge(offer: PaymentRequirements, input: ChooseInput): Candidate | OfferRefusal {
  const { challenge, policy, requested, challenged } = input
  const scheme = halfFor(offer, input.schemes)
  const asset = scheme?.asset(offer)
  const context: RuleContext = { policy, challenge, requested, challenged, scheme, asset }
  for (const rule of policy.rules) {
    const refusal = rule.check(offer, context)
    if (refusal !== undefined) return { ...refusal, rule: rule.name, offer }
  }
  // The built-in rules have refused these two; the types do not know.
  if (scheme === undefined) return { ...refuse('missing_scheme'), rule: 'schemes', offer }
  if (asset === undefined) return { ...refuse('asset_not_known'), rule: 'assets', offer }
  return { offer, asset, scheme }
}

/** The half that would sign for an offer. One without an account on the network does not hide one that has it. */
export function halfFor(offer: PaymentRequirements, schemes: readonly SchemeClient[]): SchemeClient | undefined {
  return findScheme(
    schemes.filter((half) => half.payer(offer.network) !== undefined),
    offer,
  )
}

/** What the scheme would really sign is held against the policy once more: the offer only says what is asked. */
async function prepare(
  offer: PaymentRequirements,
  asset: Asset,
  scheme: SchemeClient,
  { challenge: { extensions, resource }, named = resource?.url, policy, clock, random }: ChooseInput,
): Promise<PreparedPayment | RuleRefusal> {
  const { maxLifetimeSeconds } = policy
  const now = clock()
  const maxAllowance = allowanceLimit(policy, asset)
  const about = { extensions, resource: named, maxAllowance }
  const prepared = await scheme.prepare(offer, { clock: () => now, random, maxLifetimeSeconds, ...about })
  if (!prepared.ok) return { ...prepared, rule: 'scheme' }
  const lifetime = prepared.expiresAt - Math.floor(now / 1000)
  if (lifetime > maxLifetimeSeconds + 1) {
    return { ...refuse('lifetime_over_limit', `${lifetime} seconds`), rule: 'maxLifetimeSeconds' }
  }
  const { amount, allowance } = prepared
  // Whoever does not say what it grants is believed to grant more.
  if (!(allowance <= amount || allowance <= (maxAllowance ?? -1n))) {
    return { ...refuse('allowance_over_limit', `${allowance} atomic units`), rule: 'allowance' }
  }
  const over = checkAmount(amount, { policy, asset })
  return over ? { ...over, rule: 'perPayment' } : prepared
}

/** Most atomic units of an asset that an approval may be for; `undefined`: what the payment needs. */
function allowanceLimit(policy: ParsedPolicy, asset: Asset): bigint | undefined {
  const limit = policy.maxAllowance
  if (limit === undefined) return undefined
  const { units, decimals } = worthOf(1n, { policy, asset })
  // What is worth nothing is counted as if it were worth what it says.
  const most = (limit.units * 10n ** BigInt(decimals)) / ((units || 1n) * 10n ** BigInt(limit.decimals))
  return most < MAX_ATOMIC ? most : MAX_ATOMIC
}

function inOrderOf({ schemes, policy }: ChooseInput): (a: Candidate, b: Candidate) => number {
  // What is settled after the work comes first among equals (CORE-092).
  const place = ({ scheme, offer }: Candidate) => [
    (offer.extra.paymentFlow ?? 'authorization') === 'authorization' ? 0 : 1,
    schemes.indexOf(scheme),
    policy.networks?.indexOf(offer.network) ?? 0,
  ]
  return (a, b) => {
    const [placeA, placeB] = [place(a), place(b)]
    const apart = placeA.map((at, i) => at - (placeB[i] ?? 0)).find((difference) => difference !== 0)
    return compareValues(costOf(a, policy), costOf(b, policy)) || (apart ?? 0)
  }
}

/** What paying an offer costs the payer: what its amount counts for, and what is known to come on top. */
function costOf({ offer, asset }: Candidate, policy: ParsedPolicy): Value {
  const value = worthOf(offer.amount, { policy, asset })
  return policy.withFee?.(value, offer.network) ?? value
}

function sharedReason([first, ...rest]: readonly OfferRefusal[]): Refusal {
  if (first === undefined || rest.some(({ code }) => code !== first.code)) return refuse('no_acceptable_offer')
  return refuse(first.code, first.detail)
}
