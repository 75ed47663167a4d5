import {
  type Asset,
  type PaymentRequired,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeClient,
  sameAddress,
} from '@groat/core'
import type { ParsedPolicy } from './policy.js'
import { compareValues, type Value } from './value.js'

/** One question that a policy asks about an offer. Pure: it sees values and touches nothing. */
export type Rule = {
  /** Its name in refusals. */
  readonly name: string
  /** Why the offer must not be paid; `undefined` when this rule has nothing against it. */
  readonly check: (offer: PaymentRequirements, context: RuleContext) => Refusal | undefined
  /** What it has against whoever asks, whatever is offered: then nothing else is signed for them either. */
  readonly ofSeller?: SellerCheck
}

/** Looks at who asks, and at no offer. */
export type SellerCheck = (context: Pick<RuleContext, 'policy' | 'requested' | 'challenged'>) => Refusal | undefined

/** A rule about whoever asks. */
export const sellerRule = (name: string, ofSeller: SellerCheck): Rule => ({
  name,
  check: (_, context) => ofSeller(context),
  ofSeller,
})

/** What a rule may look at beside the offer. */
export type RuleContext = {
  readonly policy: ParsedPolicy
  readonly challenge: PaymentRequired
  /** What was asked for. */
  readonly requested: URL
  /** Where the challenge came from: another address when the request was redirected. */
  readonly challenged: URL
  /** The payer's half that would sign; `undefined` when there is none with an account on the network. */
  readonly scheme: SchemeClient | undefined
  /** The asset from the payer's own registry, never from the offer. */
  readonly asset: Asset | undefined
}

/** The built-in rules, in the order in which they are asked. The first that refuses gives the reason. */
export const rules: readonly Rule[] = [
  sellerRule('https', ({ requested }) =>
    requested.protocol === 'https:' || isLoopback(requested) ? undefined : refuse('insecure_origin'),
  ),
  sellerRule('redirect', ({ requested, challenged }) =>
    requested.origin === challenged.origin ? undefined : refuse('cross_origin_redirect', challenged.origin),
  ),
  // With a dot at its end a host has a second name, under which no budget, pin or category knows it.
  sellerRule('origins', ({ policy, requested: { origin, hostname } }) =>
    policy.origins?.has(origin) === false || hostname.endsWith('.') ? refuse('origin_not_allowed', origin) : undefined,
  ),
  {
    name: 'versions',
    check: (_, { policy, challenge }) =>
      policy.versions.includes(challenge.x402Version)
        ? undefined
        : refuse('version_not_allowed', `version ${challenge.x402Version}`),
  },
  {
    name: 'resource',
    check: (_, { policy, challenge, challenged }) =>
      challenge.resource === undefined || namesResource(challenge.resource.url, challenged, policy.resource)
        ? undefined
        : refuse('resource_mismatch', `the challenge is for ${challenge.resource.url.slice(0, 200)}`),
  },
  {
    name: 'schemes',
    check: (offer, { policy, scheme }) => {
      if (policy.schemes?.includes(offer.scheme) === false)
        return refuse('scheme_not_allowed', offer.scheme.slice(0, 80))
      return scheme === undefined ? refuse('missing_scheme', `${offer.scheme} on ${offer.network}`) : undefined
    },
  },
  {
    name: 'networks',
    check: (offer, { policy }) =>
      policy.networks?.includes(offer.network) === false ? refuse('network_not_allowed', offer.network) : undefined,
  },
  {
    name: 'payment-flow',
    check: ({ extra: { paymentFlow } }, { scheme }) => {
      const isPaid =
        paymentFlow == null || paymentFlow === 'authorization' || scheme?.flows?.some((flow) => flow === paymentFlow)
      return isPaid ? undefined : refuse('payment_flow_not_allowed')
    },
  },
  {
    name: 'assets',
    check: (offer, { asset }) =>
      asset === undefined ? refuse('asset_not_known', offer.asset.slice(0, 80)) : undefined,
  },
  {
    name: 'recipients',
    check: (offer, { policy }) =>
      policy.recipients?.some((recipient) => sameAddress(recipient, offer.payTo)) === false
        ? refuse('recipient_not_allowed', offer.payTo.slice(0, 80))
        : undefined,
  },
  {
    name: 'perPayment',
    check: (offer, context) => checkAmount(offer.amount, context),
  },
]

/** The limit per payment, for what an offer asks and again for what would really be signed. */
export function checkAmount(amount: bigint, { policy, asset }: ForAsset<Asset | undefined>): Refusal | undefined {
  if (asset === undefined) return refuse('asset_not_known')
  return compareValues(worthOf(amount, { policy, asset }), policy.perPayment) > 0
    ? refuse('amount_over_limit', `${amount} atomic units of ${asset.symbol}`)
    : undefined
}

/** What an amount counts for. */
export function worthOf(amount: bigint, { policy, asset }: ForAsset): Value {
  return policy.worth?.(amount, asset) ?? { units: amount, decimals: asset.decimals }
}

type ForAsset<A = Asset> = { readonly policy: ParsedPolicy; readonly asset: A }

/** The URL parser has already brought every spelling of an IPv4 address to four decimal numbers. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** The seller's URL is compared and never fetched. */
function namesResource(text: string, challenged: URL, depth: ParsedPolicy['resource']): boolean {
  if (depth === 'any') return true
  if (!URL.canParse(text, challenged.href)) return false
  const named = new URL(text, challenged)
  return named.origin === challenged.origin && (depth === 'origin' || named.pathname === challenged.pathname)
}
