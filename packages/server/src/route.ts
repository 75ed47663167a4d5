import {
  type Clock,
  type ExtensionServer,
  type HeaderDialect,
  type Json,
  type JsonObject,
  parseMoney,
  parseUnits,
  type Random,
  type ResourceInfo,
  type SchemeServer,
  type Supported,
  X402Error,
} from '@groat/core'
import type { HeaderFields } from './answer.js'
import type { Sold } from './entitled.js'
import { announcedBy, compileExtensions, type RouteExtension } from './extensions.js'
import { createLossBudget, type LossBudget } from './loss-budget.js'
import { createLru } from './lru.js'
import {
  kindOf,
  makeOffer,
  type Offer,
  type OfferDefaults,
  type OfferOptions,
  type OfferTemplate,
  offerTemplates,
  type Price,
} from './offers.js'
import type { SoldRoute } from './paywall.js'
import { type Factor, type Priced, type PriceWords, type Pricing, saysMore, type Tally } from './price-words.js'
import type { Quotes } from './quotes.js'
import type { Support } from './support.js'
import { createTerms, type GateRequest, resourceUrl, type Terms } from './terms.js'
import { watched } from './watched.js'

/** What a route costs, when the price depends on the request. The unpaid and the paid request must get the same answer. */
export type PriceFunction = (request: GateRequest) => Price | Promise<Price>

/**
 * When a route is settled, and when its answer leaves.
 * `strict`: verify, work, settle, release; the answer is held back until it is paid for.
 * `upfront`: verify, settle, work; the answer streams, and what is not delivered stays owed.
 * `accepted`: as upfront, but what the facilitator has in its journal and has sent to the chain counts as paid.
 * `optimistic`: verify, work, settle at the end; the answer streams, and what is lost comes out of `lossBudget`.
 */
export type RouteMode = 'strict' | 'upfront' | 'accepted' | 'optimistic'

/** How one route is sold. */
export type RouteOptions = PriceWords & {
  /** The price of every offer that names none of its own; beside prices by use, what a request costs before anything is used. */
  readonly price?: Price | PriceFunction
  /** Several ways to pay, in order of preference. Default: one for each network of the paywall. */
  readonly offers?: readonly OfferOptions[]
  /** What is sold, for buyers. */
  readonly description?: string
  readonly mimeType?: string
  readonly serviceName?: string
  readonly tags?: readonly string[]
  readonly iconUrl?: string
  /** Seconds for which what the payer signs may be valid. Default: the paywall's. */
  readonly maxTimeoutSeconds?: number
  /** Bytes that may be held back until the payment is settled. Default: the paywall's. */
  readonly maxResponseBytes?: number
  /** When it is settled. Default: the paywall's, or `strict`. */
  readonly mode?: RouteMode
  /** Says that the answer leaves while it is made: such a route cannot be strict. */
  readonly streams?: boolean
  /** In optimistic mode: how much one process may have delivered unpaid before it asks for payment first, such as `$1`. */
  readonly lossBudget?: Price
  /** One payment buys this many uses, the first of which it is presented with. */
  readonly bundle?: number
  /** One payment buys as many uses as one likes for this long: a number and `s`, `m`, `h` or `d`. */
  readonly pass?: string
  /** What a bundle or a pass is good for: the routes of one scope. Default: whatever this paywall sells on the same terms. */
  readonly scope?: string
  /**
   * What becomes of a payment when the work fails after it: `on-failure` gives the money back, `never` (the default) leaves it open, to be
   * presented again. In strict mode nothing is charged for work that fails.
   */
  readonly refund?: 'on-failure' | 'never'
  /** Says that an answer below 400 is a failure all the same. `body` is absent where it was longer than `maxResponseBytes`. */
  readonly invalid?: (answer: FinishedAnswer) => boolean
  /** What the books count it under, with other routes of that group. */
  readonly group?: string
  /** How long a price that a function gave holds for the request that it was given for, by a signed quote: a number and `s`, `m`, `h` or `d`. */
  readonly quote?: string
  /** Requests without a payment reach the handler too, with a payment of 0: it throws `PaymentRequiredError` where it wants more. */
  readonly asks?: boolean
  /** What extensions are told of the route, by their keys; `true` where there is nothing to tell, `false` where one is not meant. Each has to be registered with the paywall. */
  readonly extensions?: Readonly<Record<string, Json>>
  /** Names of the dialects in which it can be paid for too. Each has to be registered with the paywall. */
  readonly dialects?: readonly string[]
  /** The route's name in errors and in messages of this library; two routes cannot share one. */
  readonly name?: string
}

/** An answer of the work, for whoever judges it. */
export type FinishedAnswer = {
  readonly status: number
  /** Of an answer that was longer than `maxResponseBytes` the content type alone. */
  readonly headers: HeaderFields
  readonly body?: string | Uint8Array<ArrayBuffer>
}

/** What is given for a route: its price alone, a price function, or all there is to say. */
export type RouteInput = Price | PriceFunction | RouteOptions

/** A route, compiled. */
export type Route = {
  readonly name: string
  readonly mode: RouteMode
  readonly budget: LossBudget | undefined
  /** What one payment buys beyond its own answer. */
  readonly sold: Sold | undefined
  /** Whether work that fails after it was paid for is refunded. */
  readonly refunds: boolean
  /** Whether an answer that reads as good is a failure. A rule that throws says so. */
  readonly isInvalid: (answer: FinishedAnswer) => boolean
  /** What the books count it under. */
  readonly group: string | undefined
  /** All that the paywall sells by, also what this route does not offer any more. */
  readonly schemes: readonly SchemeServer[]
  readonly maxResponseBytes: number
  /** Counts what an answer comes to, where that is charged by use. `ceiling`: atomic units, by default the amount of the offer. */
  tally?(request: GateRequest, offer: Offer, ceiling?: bigint): Tally
  /** Atomic units that one use of what was prepaid may take. */
  mostPerUse?(decimals: number): bigint
  readonly free: Priced['free']
  readonly extensions: readonly RouteExtension[]
  /** Other headers that are read for a payment. */
  readonly dialects: readonly HeaderDialect[]
  /** What a request is asked to pay; a promise only when the price function gives one. */
  terms(request: GateRequest): Terms | Promise<Terms>
  /** What a request is asked to pay at a price that was quoted for it; a description replaces the route's. */
  quoted(request: GateRequest, price: Price, quote: string, description?: string): Terms
  /** What a request without a payment is run for, where the handler asks for one itself. */
  readonly asks: Offer | undefined
  /** What its challenges say of it, whatever is asked for. */
  listed(): Omit<SoldRoute, 'name' | 'method' | 'path'>
  /** Takes what the facilitator says of itself. Throws `X402Error` `unsupported_offer`. */
  confirm(supported: Supported): void
}

/** What a paywall gives each of its routes. */
export type RouteDefaults = OfferDefaults & {
  readonly support: Support
  readonly origin: string | undefined
  readonly maxResponseBytes: number
  readonly mode: RouteMode
  readonly pricing: Pricing | undefined
  readonly clock: Clock
  /** Whether the store can give money back. */
  readonly canRefund: boolean
  readonly quotes: Quotes
  readonly extensions: readonly ExtensionServer[]
  readonly dialects: readonly HeaderDialect[]
  readonly random: Random
}

/**
 * Compiles a route: static offers are made here, so what is wrong with them is said at start.
 * Throws `X402Error` with the route's name: what `offerTemplates` and `makeOffer` throw, and `invalid_config` for a missing price.
 */
export function compileRoute(name: string, options: RouteOptions, defaults: RouteDefaults): Route {
  return named(name, () => {
    const { maxTimeoutSeconds = defaults.maxTimeoutSeconds, maxResponseBytes = defaults.maxResponseBytes } = options
    const sold = soldBy(options)
    const { mode = sold?.prepaid === undefined ? defaults.mode : 'upfront' } = options
    checkMode(mode, options)
    checkRefund(options, defaults)
    const priced = pricedBy(name, options, defaults.pricing)
    const { tally } = priced
    const rates = tally && ratesOf(options)
    const templates = offerTemplates(options.offers ?? [{}], { ...defaults, maxTimeoutSeconds, sold, rates })
    if (mode !== 'strict' && mode !== 'optimistic' && templates.some(({ scheme }) => scheme.metered)) {
      throw new X402Error('invalid_config', {
        field: 'mode',
        reason: 'what is metered is known when the work has ended: such a route is strict or optimistic',
      })
    }
    const { upTo } = options
    const price = options.prepaid ?? upTo ?? options.price
    const { asks = false, quote } = options
    checkAsking(options, mode)
    const quoteSeconds = quote === undefined ? undefined : secondsOf(quote, 'quote')
    if (!asks && price === undefined && templates.some((template) => template.price === undefined)) {
      throw new X402Error('invalid_config', { field: 'price' })
    }
    const about = describe(options)
    const extensions = compileExtensions(options.extensions, defaults.extensions, {
      ...{ name, mode, about, clock: defaults.clock, random: defaults.random },
      ...(defaults.origin === undefined ? {} : { origin: defaults.origin }),
      ...(sold === undefined ? {} : { scope: sold.scope }),
    })
    const announced = announcedBy(extensions)
    const dialects = dialectsOf(options.dialects ?? [], defaults.dialects)
    const cache = createLru<Terms>(MAX_CACHED_TERMS)
    const needsFacilitator = templates.some(({ scheme }) => scheme.offersNeedFacilitator)
    let supported: Supported | undefined
    let offersAt = createOfferList(templates, supported)
    // A price that is not known yet must not hide what else is wrong.
    const sample = typeof price === 'function' || price === undefined ? '1' : price
    offersAt(sample)

    const confirm = (says: Supported): void => {
      if (says === supported) return
      for (const template of templates) {
        const { scheme, network } = template
        if (kindOf(template, says) === undefined) {
          throw new X402Error('unsupported_offer', { scheme: scheme.scheme.name, network })
        }
      }
      const offers = createOfferList(templates, says)
      offers(sample)
      supported = says
      offersAt = offers
      cache.clear()
    }
    /** What a facilitator says later must not take away offers that were good: it still settles what it offered. */
    const renew = (says: Supported): void => {
      try {
        confirm(says)
      } catch (error) {
        if (supported === undefined) throw error
      }
    }
    const known = defaults.support.known()
    if (known !== undefined) confirm(known)

    /** Offers with times in them are made anew; those before them are answered once more. */
    const lasting = Math.min(...templates.map(({ scheme }) => scheme.offersLast ?? Number.POSITIVE_INFINITY))
    let period = Math.floor(defaults.clock() / lasting)
    let outgoing: typeof offersAt = () => []
    const freshen = (): void => {
      const now = Math.floor(defaults.clock() / lasting)
      if (now === period) return
      outgoing = now === period + 1 ? offersAt : () => []
      offersAt = createOfferList(templates, supported)
      period = now
      cache.clear()
    }

    const termsAt = (url: string, at: Price | undefined, factor?: Factor): Terms => {
      const key = `${at} ${factor?.key} ${url}`
      freshen()
      const cached = cache.get(key)
      if (cached !== undefined) return cached
      const terms = createTerms({ url, ...about }, offersAt(at, factor), outgoing(at, factor), announced, dialects)
      cache.set(key, terms)
      return terms
    }

    const termsOf = (request: GateRequest): Terms | Promise<Terms> => {
      const url = resourceUrl(request.url, defaults.origin)
      if (asks && price === undefined) return createTerms({ url, ...about }, [], [], announced)
      // A fixed price hangs on nothing.
      const seen = typeof price === 'function' || priced.factor !== undefined ? watched(request) : request
      const factor = tally === undefined ? priced.factor?.(seen) : undefined
      if (typeof price !== 'function') return termsAt(url, price, factor)
      const at = price(seen)
      if (quoteSeconds !== undefined)
        return Promise.resolve(at).then((price) => quotedNow(request, price, quoteSeconds))
      return at instanceof Promise ? at.then((price) => termsAt(url, price, factor)) : termsAt(url, at, factor)
    }

    const quoted: Route['quoted'] = (request, at, quote, description = about.description) => {
      const url = resourceUrl(request.url, defaults.origin)
      const offers = templates.map((template) =>
        makeOffer({ ...template, extra: { ...template.extra, quote } }, at, supported),
      )
      return createTerms(
        { url, ...about, ...(description === undefined ? {} : { description }) },
        offers,
        [],
        announced,
        dialects,
      )
    }

    const quotedNow = async (request: GateRequest, at: Price, seconds: number): Promise<Terms> => {
      const expires = Math.floor(defaults.clock() / 1000) + seconds
      return quoted(request, at, await defaults.quotes.make(name, request, at, expires))
    }

    return {
      name,
      mode,
      quoted,
      asks: asks ? offersAt(sample)[0] : undefined,
      schemes: defaults.schemes,
      sold,
      group: options.group,
      refunds: options.refund === 'on-failure',
      isInvalid: judgeOf(options.invalid),
      extensions,
      dialects,
      budget: options.lossBudget === undefined ? undefined : createLossBudget(options.lossBudget),
      maxResponseBytes,
      free: priced.free,
      ...(tally && {
        tally: (request: GateRequest, { requirements, decimals = 0 }: Offer, ceiling = requirements.amount) =>
          tally({
            ...{ decimals, ceiling, factor: priced.factor?.(request), clock: defaults.clock },
            bodyBytes: lengthOf(request),
          }),
      }),
      ...(upTo !== undefined && {
        mostPerUse: (decimals: number) => parseUnits(parseMoney(upTo).decimal, decimals),
      }),
      terms(request) {
        if (!needsFacilitator) return termsOf(request)
        const says = defaults.support.known()
        if (says === undefined) {
          return defaults.support.ask().then((first) => {
            confirm(first)
            return termsOf(request)
          })
        }
        renew(says)
        return termsOf(request)
      },
      listed: () => ({
        about,
        offers: typeof price === 'function' || (asks && price === undefined) ? [] : offersAt(price).map(listedOffer),
        ...(typeof price === 'string' ? { price } : {}),
        extensions: announced,
      }),
      confirm: (says) => named(name, () => confirm(says)),
    }
  })
}

/** An offer for documents: whose claims it is good for is this server's own affair. */
function listedOffer({ requirements, scheme }: Offer): SoldRoute['offers'][number] {
  const { audience: _, ...extra } = requirements.extra
  return { requirements: { ...requirements, extra }, ceiling: scheme.metered === true }
}

function judgeOf(invalid: RouteOptions['invalid']): Route['isInvalid'] {
  return (answer) => {
    try {
      return invalid?.(answer) === true
    } catch {
      return true
    }
  }
}

/** Bytes of a request's body, where it says so: framing that says nothing hides them. */
function lengthOf({ header }: GateRequest): number | undefined {
  const length = header('content-length')
  if (!length) return header('transfer-encoding') ? undefined : 0
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined
}

/** Throws `X402Error` `invalid_config`. */
function dialectsOf(names: readonly string[], known: readonly HeaderDialect[]): readonly HeaderDialect[] {
  return names.map((name) => {
    const dialect = known.find((each) => each.name === name)
    if (dialect === undefined)
      throw new X402Error('invalid_config', { field: 'dialects', reason: `no dialect ${name}` })
    return dialect
  })
}

/** Throws `X402Error` `invalid_config`. */
function pricedBy(name: string, options: RouteOptions, pricing: Pricing | undefined): Priced {
  if (!saysMore(options)) return {}
  if (pricing !== undefined) return pricing.compile(options, name)
  throw new X402Error('invalid_config', {
    field: 'pricing',
    reason: 'these prices need the pricing of @groat/server/pricing, given to the paywall',
  })
}

/** What buyers are told of the prices below the ceiling. */
function ratesOf({ price, perToken, perMinute, perMillisecond, perByte, perGigabyte, perCycle }: RouteOptions) {
  const rates = { price, perToken, perMinute, perMillisecond, perByte, perGigabyte, perCycle }
  const given = Object.entries(rates).filter(([, rate]) => rate !== undefined)
  // What was checked before is text, whole numbers and objects of them.
  return Object.fromEntries(given) as JsonObject
}

/** Throws `X402Error` `invalid_config`. */
function checkAsking({ asks, quote, price, times }: RouteOptions, mode: RouteMode): void {
  if (asks === true && mode !== 'strict') {
    throw new X402Error('invalid_config', { field: 'asks', reason: 'a handler that asks may run twice: it is strict' })
  }
  if (quote !== undefined && (typeof price !== 'function' || times !== undefined)) {
    throw new X402Error('invalid_config', { field: 'quote', reason: 'it is for prices that a function gives' })
  }
}

function checkMode(mode: RouteMode, { streams, lossBudget, prepaid }: RouteOptions): void {
  if (prepaid !== undefined && mode !== 'upfront') {
    throw new X402Error('invalid_config', { field: 'mode', reason: 'what is prepaid is upfront' })
  }
  if (!MODES.includes(mode)) throw new X402Error('invalid_config', { field: 'mode', value: mode })
  if (streams === true && mode === 'strict') {
    throw new X402Error('invalid_config', {
      field: 'mode',
      reason: 'a strict route holds its answer back: one that streams is upfront, accepted or optimistic',
    })
  }
  if ((mode === 'optimistic') !== (lossBudget !== undefined)) {
    throw new X402Error('invalid_config', {
      field: 'lossBudget',
      reason: 'the optimistic mode, and no other, has a budget for loss',
    })
  }
}

function checkRefund({ refund = 'never' }: RouteOptions, { canRefund }: RouteDefaults): void {
  if (refund !== 'never' && refund !== 'on-failure') {
    throw new X402Error('invalid_config', { field: 'refund', value: refund, reason: 'on-failure, or never' })
  }
  if (refund === 'on-failure' && !canRefund) {
    throw new X402Error('invalid_config', {
      field: 'refund',
      reason: 'the store keeps no refunds: sqlClaims(store, { ledger, refunds })',
    })
  }
}

/** Throws `X402Error` `invalid_config`. */
function soldBy(options: RouteOptions): Sold | undefined {
  const { bundle, pass, scope, prepaid, upTo } = options
  if (bundle === undefined && pass === undefined && prepaid === undefined) return undefined
  if ((prepaid === undefined) !== (upTo === undefined) || (prepaid !== undefined && bundle !== undefined)) {
    throw new X402Error('invalid_config', {
      field: 'prepaid',
      reason: 'it is what prices by use are sold by in advance',
    })
  }
  const seconds = pass === undefined ? undefined : secondsOf(pass)
  const uses = Number.isSafeInteger(bundle) && Number(bundle) >= 2 ? bundle : undefined
  if (bundle !== undefined && uses === undefined) {
    throw new X402Error('invalid_config', { field: 'bundle', value: bundle, reason: 'a whole number from 2 on' })
  }
  return {
    scope: scope ?? scopeOf(options),
    ...(prepaid === undefined ? {} : { prepaid }),
    ...(uses === undefined ? {} : { uses }),
    ...(seconds === undefined ? {} : { seconds }),
  }
}

/** What is sold on the same terms: the price, where it goes, and what it buys. Throws `X402Error` `invalid_config`. */
function scopeOf({ bundle, pass, price, prepaid, times, offers = [] }: RouteOptions): string {
  const fixed = prepaid ?? price
  const isFixed = typeof fixed === 'string' || (offers.length > 0 && offers.every((offer) => offer.price !== undefined))
  // What was bought for a cheap request is not used up by dear ones, unless somebody says so.
  if (!isFixed || (prepaid === undefined && times !== undefined)) {
    throw new X402Error('invalid_config', {
      field: 'scope',
      reason: 'a bundle or a pass without a fixed price needs one',
    })
  }
  const own = offers.some((offer) => offer.price !== undefined || offer.payTo !== undefined)
  const ways = offers.map(({ network, price, payTo, asset }) => [network, asset?.address, price, payTo])
  return [
    ...(typeof fixed === 'string' ? [fixed] : []),
    ...(bundle === undefined ? [] : [`x${bundle}`]),
    ...(pass === undefined ? [] : [pass]),
    ...(own ? [JSON.stringify(ways)] : []),
  ].join(' ')
}

/** Seconds of a time such as `1h`. Throws `X402Error` `invalid_config`. */
export function secondsOf(pass: string, field = 'pass'): number {
  const [, count, unit = ''] = /^([1-9][0-9]{0,5})([smhd])$/.exec(pass) ?? []
  if (count === undefined) {
    throw new X402Error('invalid_config', {
      field,
      value: pass,
      reason: 'a number and s, m, h or d, such as 1h',
    })
  }
  return Number(count) * ({ s: 1, m: 60, h: 3600, d: 86_400 }[unit] ?? 0)
}

const MODES: readonly RouteMode[] = ['strict', 'upfront', 'accepted', 'optimistic']

/** Resources of one route whose challenge is kept. */
const MAX_CACHED_TERMS = 256

/** The offers at a price; the last few prices are kept. */
function createOfferList(
  templates: readonly OfferTemplate[],
  supported: Supported | undefined,
): (price: Price | undefined, factor?: Factor) => readonly Offer[] {
  const cache = createLru<readonly Offer[]>(MAX_CACHED_TERMS)
  return (price = '', factor) => {
    const key = factor === undefined ? price : `${price} ${factor.key}`
    const cached = cache.get(key)
    if (cached !== undefined) return cached
    const offers = templates.map((template) => makeOffer(template, template.price ?? price, supported, factor))
    cache.set(key, offers)
    return offers
  }
}

function describe({ description, mimeType, serviceName, tags, iconUrl }: RouteOptions): Omit<ResourceInfo, 'url'> {
  return {
    ...(description === undefined ? {} : { description }),
    ...(mimeType === undefined ? {} : { mimeType }),
    ...(serviceName === undefined ? {} : { serviceName }),
    ...(tags === undefined ? {} : { tags }),
    ...(iconUrl === undefined ? {} : { iconUrl }),
  }
}

/** Runs start-up code of a route, so that what it throws names the route. */
function named<T>(route: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!X402Error.is(error)) throw error
    throw new X402Error(error.code, { route, ...error.context }, { cause: error })
  }
}
