import {
  type Asset,
  assetByTicker,
  findScheme,
  type JsonObject,
  type Network,
  network as networkOf,
  type PaymentRequirements,
  parseMoney,
  parseUnits,
  type Rid,
  requirementsId,
  type SchemeServer,
  type Supported,
  type SupportedKind,
  X402Error,
} from '@groat/core'
import type { Sold } from './entitled.js'
import { WORTH_DECIMALS } from './loss-budget.js'
import type { Factor } from './price-words.js'

/** A price as a person writes it: `$0.001`, or `0.5 EURC` for an asset of that ticker. */
export type Price = string

/** One way to pay for a route. What is left out comes from the route, and then from the paywall. */
export type OfferOptions = {
  /** CAIP-2 id or v1 name. Left out: one offer for each network of the paywall. */
  readonly network?: string
  readonly price?: Price
  /** A token that is not among the default assets of the network. */
  readonly asset?: Asset
  readonly payTo?: string
  /** A scheme's name, where several of one family are given. Default: the first that serves the network. */
  readonly scheme?: string
  /** Seconds for which what the payer signs may be valid. */
  readonly maxTimeoutSeconds?: number
  readonly extra?: JsonObject
}

/** An offer, ready to be compared with payments. */
export type Offer = {
  readonly requirements: PaymentRequirements
  readonly scheme: SchemeServer
  readonly rid: Rid
  /** The price, as budgets for loss count it. */
  readonly worth: bigint
  /** Of the asset; unknown for an offer of which only a payment is left. */
  readonly decimals?: number
  /** What a challenge with it announces. */
  readonly extensions?: JsonObject
}

/** An offer without its price. */
export type OfferTemplate = {
  readonly network: Network
  readonly scheme: SchemeServer
  readonly payTo: string
  readonly maxTimeoutSeconds: number
  readonly price?: Price
  readonly asset?: Asset
  readonly extra: JsonObject
}

/** What a paywall says about all of its offers. */
export type OfferDefaults = {
  readonly schemes: readonly SchemeServer[]
  /** Receiving account by network, in the order in which offers are made. */
  readonly payTo: ReadonlyMap<Network, string>
  readonly maxTimeoutSeconds: number
  /** Whose claims a payment is good for. */
  readonly audience: string
  /** What one payment buys beyond its own answer: stands in the offer, for the buyer to see. */
  readonly sold?: Sold | undefined
  /** What is charged by use, below the ceiling that the offer's amount is: stands in the offer too. */
  readonly rates?: JsonObject | undefined
}

/**
 * The receiving accounts of a paywall by network.
 * Throws `X402Error` `invalid_network`, or `invalid_config` when a network has no account or no network is named.
 */
export function payToByNetwork(
  payTo: string | Readonly<Record<string, string>>,
  networks: readonly string[] | undefined,
): ReadonlyMap<Network, string> {
  if (typeof payTo === 'string' && networks === undefined) {
    const reason = "one account says no network: write { 'base-sepolia': account }, or name networks"
    throw new X402Error('invalid_config', { field: 'payTo', reason })
  }
  const accounts =
    typeof payTo === 'string'
      ? (networks ?? []).map((name) => [networkOf(name), payTo] as const)
      : Object.entries(payTo).map(([name, account]) => [networkOf(name), account] as const)
  const all = new Map(accounts)
  if (all.size === 0) throw new X402Error('invalid_config', { field: 'networks', reason: 'no network is named' })
  if (networks === undefined) return all
  return new Map(
    networks.map(networkOf).map((id) => {
      const account = all.get(id)
      if (account === undefined) throw new X402Error('invalid_config', { field: 'payTo', network: id })
      return [id, account]
    }),
  )
}

/**
 * The offers of a route before they have a price.
 * Throws `X402Error` `missing_scheme`, `invalid_network`, `invalid_config`.
 */
export function offerTemplates(options: readonly OfferOptions[], defaults: OfferDefaults): readonly OfferTemplate[] {
  return options.flatMap((option) => {
    if (option.network !== undefined) return [templateFor(networkOf(option.network), option, defaults)]
    const networks = [...defaults.payTo.keys()]
    const { schemes } = defaults
    // Not every chain has a scheme by which less than the ceiling can be charged; one has to.
    const served = networks.filter((network) => schemeFor(network, option.scheme, schemes, isCeiling(defaults)))
    return (served.length > 0 && isCeiling(defaults) ? served : networks).map((network) =>
      templateFor(network, option, defaults),
    )
  })
}

/** Whether what is paid is known only when the work has ended. */
const isCeiling = ({ rates, sold }: OfferDefaults): boolean => rates !== undefined && sold?.prepaid === undefined

/**
 * An offer at a price, times a factor where there is one: then a part of an atomic unit counts as one.
 * Throws `X402Error` `invalid_price`, `price_too_small`, `price_too_large`, `unknown_asset`, and what the scheme throws.
 */
export function makeOffer(
  template: OfferTemplate,
  price: Price,
  supported: Supported | undefined,
  factor?: Factor,
): Offer {
  const { scheme, network, payTo, maxTimeoutSeconds, extra } = template
  const { decimal, ticker } = parseMoney(price)
  const asset = template.asset ?? assetByTicker(network, ticker)
  if (asset === undefined) throw new X402Error('unknown_asset', { network, ticker })
  const unitsOf = (decimals: number) => factor?.times(decimal, decimals) ?? parseUnits(decimal, decimals)
  const amount = unitsOf(asset.decimals)
  if (amount === 0n) throw new X402Error('invalid_price', { price, reason: 'a free route needs no paywall' })
  const kind = supported && kindOf(template, supported)
  const requirements = scheme.offer({
    network,
    asset,
    amount,
    payTo,
    maxTimeoutSeconds,
    extra,
    ...(kind === undefined ? {} : { kind }),
  })
  const announced = Object.entries(scheme.announces?.(requirements) ?? {})
  const extensions = Object.fromEntries(announced.filter(([name]) => supported?.extensions.includes(name)))
  const rid = requirementsId(requirements)
  return { requirements, scheme, rid, worth: unitsOf(WORTH_DECIMALS), decimals: asset.decimals, extensions }
}

/** What a facilitator says of an offer's scheme and network; `undefined` when it serves them not. */
export function kindOf({ scheme, network }: OfferTemplate, { kinds }: Supported): SupportedKind | undefined {
  return kinds.find((kind) => kind.scheme === scheme.scheme.name && kind.network === network)
}

function templateFor(network: Network, option: OfferOptions, defaults: OfferDefaults): OfferTemplate {
  const { price, asset } = option
  const { audience, sold, rates } = defaults
  const { scope: _, ...entitlement } = sold ?? { scope: '' }
  const extra = {
    audience,
    ...(sold === undefined ? {} : { entitlement }),
    ...(rates === undefined ? {} : { rates }),
    ...option.extra,
  }
  const payTo = option.payTo ?? defaults.payTo.get(network)
  if (payTo === undefined) throw new X402Error('invalid_config', { field: 'payTo', network })
  const scheme = schemeFor(network, option.scheme, defaults.schemes, isCeiling(defaults))
  if (scheme === undefined) throw new X402Error('missing_scheme', { network, scheme: option.scheme })
  const maxTimeoutSeconds = option.maxTimeoutSeconds ?? defaults.maxTimeoutSeconds
  if (!Number.isInteger(maxTimeoutSeconds) || maxTimeoutSeconds < 1) {
    throw new X402Error('invalid_config', { field: 'maxTimeoutSeconds', value: maxTimeoutSeconds })
  }
  return {
    network,
    scheme,
    payTo,
    maxTimeoutSeconds,
    ...(price === undefined ? {} : { price }),
    ...(asset === undefined ? {} : { asset }),
    extra,
  }
}

function schemeFor(
  network: Network,
  name: string | undefined,
  schemes: readonly SchemeServer[],
  ofCeiling: boolean,
): SchemeServer | undefined {
  const serving = schemes.filter(
    (half) => findScheme([half], { scheme: name ?? half.scheme.name, network }) !== undefined,
  )
  const fit = serving.find(({ metered = false }) => metered === ofCeiling)
  return ofCeiling ? fit : (fit ?? serving[0])
}
