import {
  type Clock,
  type ExtensionServer,
  type Facilitator,
  type HeaderDialect,
  type Json,
  type JsonObject,
  type OnEvent,
  type PaymentRequirements,
  type Random,
  type ResourceInfo,
  type SchemeServer,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { type Bearers, createBearers } from './bearer.js'
import type { ClaimStore } from './claims.js'
import { createFacilitatorClient } from './facilitator-client.js'
import { payToByNetwork } from './offers.js'
import type { Pricing } from './price-words.js'
import { createQuotes, type Quotes } from './quotes.js'
import { compileRoute, type Route, type RouteInput, type RouteMode, type RouteOptions } from './route.js'
import { createSupport } from './support.js'

/** What all routes behind one paywall share. */
export type PaywallOptions = {
  /** Who verifies and settles: its URL, or one in this process. */
  readonly facilitator: string | Facilitator
  /** The receiving account, by network (CAIP-2 id or v1 name), or one for all `networks`. */
  readonly payTo: string | Readonly<Record<string, string>>
  /** The networks that are offered, in order of preference. Default: those of `payTo`. */
  readonly networks?: readonly string[]
  /** The server halves of the schemes that may be paid with. */
  readonly schemes: readonly SchemeServer[]
  /** Where payments are claimed: `sqlClaims(…)`, shared by all replicas, or `createMemoryClaims({ singleProcess: true })`. */
  readonly store: ClaimStore
  /**
   * Where buyers reach this server, such as `https://shop.example`; a path that a proxy takes away may follow. Without it, offers name
   * the host that the request names.
   */
  readonly origin?: string
  /** Seconds for which what a payer signs may be valid. Default 300. */
  readonly maxTimeoutSeconds?: number
  /** When routes are settled that do not say so themselves: `strict`, `upfront` or `accepted`. Default `strict`. */
  readonly mode?: Exclude<RouteMode, 'optimistic'>
  /** Bytes of one answer that may be held back until it is paid for. Default 1 MiB. */
  readonly maxResponseBytes?: number
  /**
   * Seconds for which a claim protects running work. Make it longer than the slowest handler: when it is over, a copy of the payment
   * that reaches another process starts the work again, though still only one of them is settled and delivered. Default 60.
   */
  readonly leaseSeconds?: number
  /** Reads what routes charge by beside a price for each request: `pricing` of `@groat/server/pricing`. */
  readonly pricing?: Pricing
  /** The extensions that routes may declare. One that serves every route is declared by `everywhere`. */
  readonly extensions?: readonly ExtensionServer[]
  /** What every route tells its extensions that does not tell them anything itself, by their keys. */
  readonly everywhere?: Readonly<Record<string, Json>>
  /** Other headers in which routes may be paid for; a route names those that it takes. */
  readonly dialects?: readonly HeaderDialect[]
  /** What browsers are shown instead of the JSON of a challenge, when a person looks: `paywallPage()` of `@groat/server/page`. */
  readonly page?: PaywallPage
  /** Told of everything; cannot change anything. */
  readonly onEvent?: OnEvent
  readonly clock?: Clock
  readonly random?: Random
}

/** What a person is shown. */
export interface PaywallPage {
  /** The document for a resource and its offers, and its headers. Asked once for each of them. */
  render(sold: { readonly resource: ResourceInfo; readonly offers: readonly PaymentRequirements[] }): {
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }
}

/** A paywall: wraps handlers. */
export type Paywall<Wrap> = Wrap & {
  /**
   * Asks the facilitator what it supports and checks every route, those that are defined later too. Call it before listening.
   * Throws `X402Error` `unsupported_offer`, which names route, scheme and network, or what the facilitator throws when it cannot be
   * asked (`facilitator_unreachable`, `facilitator_busy`, `facilitator_unauthorized`, `facilitator_invalid_answer`).
   */
  readonly ready: () => Promise<void>
  /**
   * What is sold so far, for documents that describe the seller: `serviceDocuments` of `@groat/extensions/describe` takes it. Only routes
   * whose name is a method and a path, such as `GET /books/:isbn`, say where they are. Throws as `ready` does.
   */
  readonly sold: () => Promise<readonly SoldRoute[]>
}

/** One route, as its challenges describe it. */
export type SoldRoute = {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly about: Omit<ResourceInfo, 'url'>
  /** What a request is asked to pay, whatever it asks for; empty where that depends on the request. `ceiling`: it is the most that is charged. */
  readonly offers: readonly { readonly requirements: PaymentRequirements; readonly ceiling: boolean }[]
  /** The price as it is configured, where it is one. */
  readonly price?: string
  /** What extensions announce, by key. */
  readonly extensions: JsonObject
}

/** What serves requests to paid routes, whatever the framework. */
export type Gate = {
  readonly facilitator: Facilitator
  readonly claims: ClaimStore
  readonly bearers: Bearers
  readonly quotes: Quotes
  readonly leaseMs: number
  readonly clock: Clock
  readonly random: Random
  readonly onEvent: OnEvent | undefined
  readonly page: PaywallPage | undefined
}

/** A paywall before a framework's adapter has made it wrap handlers. */
export type PaywallCore = {
  readonly gate: Gate
  /** Throws `X402Error`: what `compileRoute` throws, and `duplicate_route`. */
  readonly define: (route: RouteInput) => Route
  readonly ready: () => Promise<void>
  readonly sold: Paywall<unknown>['sold']
}

/**
 * What every adapter builds on.
 * Throws `X402Error` `invalid_config`, `invalid_network`.
 */
export function createPaywall(options: PaywallOptions): PaywallCore {
  if (!options.schemes.every(isServerHalf)) {
    const reason = 'holds something that is no server half; import it from a path that ends in /server'
    throw new X402Error('invalid_config', { field: 'schemes', reason })
  }
  for (const [index, half] of (options.extensions ?? []).entries()) {
    const reason = whyNoExtension(half)
    if (reason !== undefined) throw new X402Error('invalid_config', { field: `extensions[${index}]`, reason })
  }
  const gate = gateOf(options)
  const support = createSupport(gate.facilitator, gate.clock)
  const defaults = {
    support,
    schemes: options.schemes,
    payTo: payToByNetwork(options.payTo, options.networks),
    origin: options.origin === undefined ? undefined : originOf(options.origin),
    maxTimeoutSeconds: options.maxTimeoutSeconds ?? 300,
    audience: options.store.audience,
    maxResponseBytes: options.maxResponseBytes ?? 1024 * 1024,
    mode: options.mode ?? 'strict',
    pricing: options.pricing,
    clock: gate.clock,
    canRefund: options.store.refund !== undefined,
    quotes: gate.quotes,
    extensions: options.extensions ?? [],
    dialects: options.dialects ?? [],
    random: gate.random,
  }
  const { everywhere } = options
  const routes = new Map<string, Route>()
  const ready = async () => {
    const supported = await support.ask()
    for (const route of routes.values()) route.confirm(supported)
  }
  return {
    gate,
    define: (input) => {
      const own: RouteOptions = typeof input === 'object' ? input : { price: input }
      const options = everywhere === undefined ? own : { ...own, extensions: { ...everywhere, ...own.extensions } }
      const name = options.name ?? `#${routes.size + 1}`
      if (routes.has(name)) throw new X402Error('duplicate_route', { route: name })
      const route = compileRoute(name, options, defaults)
      routes.set(name, route)
      return route
    },
    ready,
    sold: async () => {
      await ready()
      return [...routes.values()].flatMap(({ name, listed }) => {
        const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(name) ?? []
        return method === undefined || path === undefined ? [] : [{ name, method, path, ...listed() }]
      })
    },
  }
}

/** The halves of the other roles have the same names, and editors offer them first. */
function isServerHalf({ scheme, offer }: Partial<SchemeServer>): boolean {
  return scheme !== undefined && offer !== undefined
}

/** Some halves are values and some are made by a function, which only types tell apart. */
function whyNoExtension(half: unknown): string | undefined {
  if (typeof half === 'function') return `is a function that makes the extension: write ${half.name || 'it'}()`
  const isHalf = typeof half === 'object' && half !== null && 'extension' in half && 'declare' in half
  return isHalf ? undefined : "is no seller's half of an extension; import it from a path that ends in /server"
}

function gateOf({ facilitator, store, leaseSeconds = 60, onEvent, clock, random, page }: PaywallOptions): Gate {
  if (!(leaseSeconds > 0)) throw new X402Error('invalid_config', { field: 'leaseSeconds', value: leaseSeconds })
  const bearers = createBearers(store.entitlements.key)
  return {
    facilitator: typeof facilitator === 'string' ? createFacilitatorClient(facilitator) : facilitator,
    claims: store,
    bearers,
    quotes: createQuotes(bearers),
    leaseMs: leaseSeconds * 1000,
    onEvent,
    page,
    clock: clock ?? systemClock,
    random: random ?? systemRandom,
  }
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  ) {
    throw new X402Error('invalid_config', { field: 'origin', reason: 'not an http(s) origin' })
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}
