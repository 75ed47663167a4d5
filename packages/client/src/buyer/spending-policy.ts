import { type Asset, isNetwork, network, X402Error } from '@groat/core'
import { invalid, type ParsedPolicy, type Policy, parseLimit, parseOrigin, parsePolicy } from '../policy.js'
import { addValues, type Value } from '../value.js'
import { DIRECT_ORIGIN } from './direct.js'

/** Limits in money and in numbers of payments. What is not limited here is limited only by what stands around it. */
export type Allowance = {
  /** Most that one payment may take, such as `$0.05`. */
  readonly perPayment?: string
  /** Most within any hour, and within any day: the last 60 minutes and the last 24 hours, counted in steps of 5 minutes and of 1 hour. */
  readonly perHour?: string
  readonly perDay?: string
  /** Most for one task: what carries the same `metadata.task`. Payments without a task share one. */
  readonly perTask?: string
  /** Most for ever. */
  readonly total?: string
  /** How many payments. */
  readonly payments?: {
    readonly perHour?: number
    readonly perDay?: number
    readonly perTask?: number
    readonly total?: number
  }
}

/** Services that share an allowance, such as "up to $10 a day on research". */
export type Category = Allowance & {
  /** Origins of these services; `https://*.example.com` stands for every name below it. */
  readonly origins: readonly string[]
}

/**
 * What a buyer may do: the words of `Policy`, and those that need a memory. In YAML the same words are written with underscores:
 * `per_day: $10`.
 */
export type SpendingPolicy = Omit<Policy, 'perPayment' | 'origins'> &
  Allowance & {
    /** Seconds for which the terms of a URL need not be asked for again after it was paid by them, as `knownTerms` says. Default 0. */
    readonly knownTermsSeconds?: number
    /** Origins that may be paid; `direct` stands for payments that belong to no request. Default: any. */
    readonly origins?: readonly string[]
    /** What each origin may get, every one for itself. */
    readonly eachOrigin?: Allowance
    /** Allowances for groups of services. A service in several of them has to fit into all. */
    readonly categories?: Readonly<Record<string, Category>>
    /** Assets to pay with, by address or by the ticker of the payer's own registry. Default: every known one. */
    readonly assets?: readonly string[]
    /** Accounts that an origin may be paid at. */
    readonly pins?: Readonly<Record<string, readonly string[]>>
    /** Whether the account that was paid first, at a URL or at an origin, is the only one from then on. Default `url`. */
    readonly trustFirst?: 'url' | 'origin' | 'off'
    /** By how much the price of the same request may rise above what was paid last, such as `20%`. Default `20%`. */
    readonly priceRise?: string
    /** Above that a person is asked, by `approve` of the buyer. Default: nobody is asked. */
    readonly askAbove?: string
    /** What one whole unit of an asset counts for, by ticker, such as `{ EURC: '$1.10' }`. Default `$1`, whatever the asset. */
    readonly worth?: Readonly<Record<string, string>>
    /**
     * What a payment costs beside its amount, by network: the gas of an approval, the fee of a wallet or a bridge, such as `{ base: '$0.001' }`. It
     * decides which offer is the cheapest, and counts in no limit. Default: nothing.
     */
    readonly fees?: Readonly<Record<string, string>>
    /** Nothing is signed while this stands. */
    readonly stopped?: boolean
    /** Whether hosts that are written as an address inside a private network may be paid. Default `false`; loopback always may. */
    readonly privateAddresses?: boolean
  }

/** A spending policy, read once. */
export type ParsedSpending = {
  readonly policy: ParsedPolicy
  readonly knownTermsSeconds: number
  readonly budgets: readonly Budget[]
  /** Limits per payment of origins and categories. */
  readonly caps: readonly Cap[]
  readonly assets: readonly string[] | undefined
  readonly pins: ReadonlyMap<string, readonly string[]>
  readonly trustFirst: 'url' | 'origin' | 'off'
  /** Per cent, in hundredths; `undefined`: any rise. */
  readonly priceRise: bigint | undefined
  readonly askAbove: Value | undefined
  readonly stopped: boolean
  readonly privateAddresses: boolean
}

/** Whom a limit is for: everybody, each origin for itself, or the services of a category. */
export type Reach =
  | { readonly kind: 'all' }
  | { readonly kind: 'origin' }
  | { readonly kind: 'category'; readonly name: string; readonly includes: (origin: string) => boolean }

/** A limit over several payments. */
export type Budget = {
  /** The policy's word, such as `categories.research.perDay`. */
  readonly rule: string
  readonly reach: Reach
  readonly span: 'perHour' | 'perDay' | 'perTask' | 'total'
  readonly counts: 'money' | 'payments'
  /** As it was written. */
  readonly text: string
  /** 10^-18 of a whole unit, or payments. */
  readonly limit: bigint
}

/** A limit on one payment. */
export type Cap = { readonly rule: string; readonly reach: Reach; readonly text: string; readonly limit: Value }

/**
 * Reads a spending policy. Throws `X402Error` `invalid_config`, `invalid_price` or `invalid_network`, so that a mistake is said at start.
 *
 * @example
 * parseSpending({ perDay: '$10', categories: { research: { origins: ['https://api.example'], perDay: '$2' } } })
 */
export function parseSpending(spending: SpendingPolicy = {}): ParsedSpending {
  const { trustFirst = 'url', priceRise = '20%', askAbove } = spending
  if (!['url', 'origin', 'off'].includes(trustFirst)) throw invalid('trustFirst', 'is url, origin or off')
  const groups = groupsOf(spending)
  const worth = worthFrom(spending.worth)
  const withFee = feesFrom(spending.fees)
  return {
    policy: {
      ...parsePolicy(plainPolicy(spending)),
      ...(worth && { worth }),
      ...(withFee && { withFee }),
    },
    knownTermsSeconds: spending.knownTermsSeconds ?? 0,
    budgets: groups.flatMap(budgetsOf),
    caps: groups.slice(1).flatMap(capsOf),
    assets: spending.assets,
    pins: new Map(
      Object.entries(spending.pins ?? {}).map(([origin, to]) => [parseOrigin(withDirect(origin), 'pins'), to]),
    ),
    trustFirst,
    priceRise: priceRise === 'any' ? undefined : parsePercent(priceRise),
    askAbove: askAbove === undefined ? undefined : parseLimit(askAbove, 'askAbove'),
    stopped: spending.stopped === true,
    privateAddresses: spending.privateAddresses === true,
  }
}

/** Money in 10^-18 of a whole unit, rounded up: what counters of money count. */
export function inCounters({ units, decimals }: Value): bigint {
  if (decimals <= COUNTER_DECIMALS) return units * 10n ** BigInt(COUNTER_DECIMALS - decimals)
  const step = 10n ** BigInt(decimals - COUNTER_DECIMALS)
  return (units + step - 1n) / step
}

/** Digits after the point that counters of money have. */
export const COUNTER_DECIMALS = 18

type Group = { readonly path: string; readonly reach: Reach; readonly allowance: Allowance }

/** The policy's own allowance first: its limit per payment is checked by the plain policy. */
function groupsOf({ eachOrigin, categories = {}, ...spending }: SpendingPolicy): readonly Group[] {
  return [
    { path: '', reach: { kind: 'all' }, allowance: spending },
    ...(eachOrigin ? [{ path: 'eachOrigin.', reach: { kind: 'origin' as const }, allowance: eachOrigin }] : []),
    ...Object.entries(categories).map(([name, category]) => ({
      path: `categories.${name}.`,
      reach: {
        kind: 'category' as const,
        name,
        includes: originMatcher(category.origins, `categories.${name}.origins`),
      },
      allowance: category,
    })),
  ]
}

const SPANS = ['perHour', 'perDay', 'perTask', 'total'] as const

function budgetsOf({ path, reach, allowance }: Group): readonly Budget[] {
  return SPANS.flatMap((span): Budget[] => {
    const money = allowance[span]
    const count = allowance.payments?.[span]
    const rule = path + span
    const countRule = `${path}payments.${span}`
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0))
      throw invalid(countRule, 'is a whole number')
    return [
      ...(money === undefined
        ? []
        : [{ rule, reach, span, counts: 'money' as const, text: money, limit: inCounters(parseLimit(money, rule)) }]),
      ...(count === undefined
        ? []
        : [{ rule: countRule, reach, span, counts: 'payments' as const, text: `${count}`, limit: BigInt(count) }]),
    ]
  })
}

function capsOf({ path, reach, allowance: { perPayment } }: Group): readonly Cap[] {
  const rule = `${path}perPayment`
  return perPayment === undefined ? [] : [{ rule, reach, text: perPayment, limit: parseLimit(perPayment, rule) }]
}

function originMatcher(origins: readonly string[], field: string): (origin: string) => boolean {
  const exact = new Set<string>()
  const below: { readonly scheme: string; readonly suffix: string }[] = []
  for (const text of origins) {
    const [, scheme, host] = /^(https?:)\/\/\*\.([^/?#*@]+)\/?$/.exec(text) ?? []
    if (scheme === undefined || host === undefined) exact.add(parseOrigin(withDirect(text), field))
    else below.push({ scheme: `${scheme}//`, suffix: `.${new URL(parseOrigin(`${scheme}//${host}`, field)).host}` })
  }
  return (origin) =>
    exact.has(origin) || below.some(({ scheme, suffix }) => origin.startsWith(scheme) && origin.endsWith(suffix))
}

function worthFrom(worth: SpendingPolicy['worth']): ParsedPolicy['worth'] {
  if (worth === undefined) return undefined
  const rates = new Map(Object.entries(worth).map(([ticker, text]) => [ticker, parseLimit(text, `worth.${ticker}`)]))
  return (amount, { symbol, decimals }: Asset) => {
    const rate = rates.get(symbol) ?? { units: 1n, decimals: 0 }
    return { units: amount * rate.units, decimals: decimals + rate.decimals }
  }
}

function feesFrom(fees: SpendingPolicy['fees']): ParsedPolicy['withFee'] {
  if (fees === undefined) return undefined
  const known = new Map(
    Object.entries(fees).map(([name, text]) => {
      const id: string = isNetwork(name) ? name : network(name)
      return [id, parseLimit(text, `fees.${name}`)]
    }),
  )
  return (value, id) => {
    const fee = known.get(id)
    return fee === undefined ? value : addValues(value, fee)
  }
}

/** Hundredths of a per cent. */
function parsePercent(text: string): bigint {
  const [, whole, hundredths = ''] = /^([0-9]{1,9})(?:\.([0-9]{1,2}))?%$/.exec(text) ?? []
  if (whole === undefined) throw invalid('priceRise', 'is written as 20%, or any')
  return BigInt(whole) * 100n + BigInt(hundredths.padEnd(2, '0'))
}

function plainPolicy(spending: SpendingPolicy): Policy {
  const unknown = Object.keys(spending).find((word) => !PLAIN_WORDS.has(word) && !OWN_WORDS.has(word))
  // A misspelt limit would be no limit.
  if (unknown !== undefined)
    throw new X402Error('invalid_config', { field: `policy.${unknown}`, problem: 'is unknown' })
  const plain = Object.entries({ ...spending, origins: spending.origins?.map(withDirect) })
  return Object.fromEntries(plain.filter(([word, value]) => PLAIN_WORDS.has(word) && value !== undefined))
}

/** `direct` is the origin of payments that belong to no request. */
const withDirect = (origin: string) => (origin === 'direct' ? DIRECT_ORIGIN : origin)

/** The words that a policy without a memory has too. */
const PLAIN_WORDS: ReadonlySet<string> = new Set<keyof Policy>([
  ...(['perPayment', 'origins', 'recipients', 'networks', 'schemes'] as const),
  ...(['maxLifetimeSeconds', 'allowance', 'versions', 'resource', 'rules'] as const),
])

const OWN_WORDS: ReadonlySet<string> = new Set([
  ...SPANS,
  ...['payments', 'eachOrigin', 'categories', 'assets', 'pins', 'trustFirst', 'priceRise', 'askAbove', 'worth', 'fees'],
  'knownTermsSeconds',
  ...['stopped', 'privateAddresses'],
])
