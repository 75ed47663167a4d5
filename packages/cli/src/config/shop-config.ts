import { dirname, resolve } from 'node:path'
import type { RouteOptions } from '@groat/server'
import * as z from 'zod/mini'
import { type Environment, readYamlFile } from './yaml-file.js'

/** What `groat serve` runs: routes of an API elsewhere, and what each of them costs. */
export type ShopConfig = {
  readonly host: string
  readonly port: number
  /** The API that is sold; what it is asked for is put behind this. */
  readonly upstream: URL
  /** Milliseconds until the API has to have begun its answer. */
  readonly upstreamTimeoutMs: number
  /** With this the API can tell who paid: see `identify`. */
  readonly upstreamSecret?: string
  readonly facilitator: string
  readonly allowHttp: boolean
  readonly payTo: Readonly<Record<string, string>>
  readonly origin?: string
  /** Absolute path of the claims, or the URL of their database. */
  readonly store: string
  readonly routes: readonly ShopRoute[]
  readonly books: BooksConfig
  /** What becomes of a request to no route: it is answered with 404, or goes to the API unpaid. */
  readonly rest: 'blocked' | 'free'
}

/** How the books are kept, and compared with the chain. */
export type BooksConfig = {
  /** Nodes by network, as the file names it. */
  readonly rpc: Readonly<Record<string, string>>
  readonly fiat?: { readonly currency: string; readonly rates: Readonly<Record<string, string>> }
  readonly webhook?: {
    readonly url: string
    readonly secrets: readonly [string, ...string[]]
    readonly allowPrivate: boolean
  }
  /** What the facilitator takes for a settlement. */
  readonly settlementFee?: string
}

/** One route: a method and a path, and how it is sold; without terms it is free. */
export type ShopRoute = { readonly method: string; readonly path: string; readonly terms?: RouteOptions }

const Price = z.string().check(z.minLength(1))
const Route = z.union([
  z.literal('free'),
  Price,
  z.strictObject({
    price: Price,
    bundle: z.optional(z.int()),
    pass: z.optional(z.string()),
    scope: z.optional(z.string()),
    group: z.optional(z.string().check(z.minLength(1))),
    mode: z.optional(z.enum(['strict', 'upfront', 'accepted', 'optimistic'])),
    loss_budget: z.optional(Price),
    streams: z.optional(z.boolean()),
    networks: z.optional(z.array(z.string()).check(z.minLength(1))),
    description: z.optional(z.string()),
    mime_type: z.optional(z.string()),
    max_timeout_seconds: z.optional(z.int()),
    max_response_bytes: z.optional(z.int()),
  }),
])

const Secret = z.string().check(z.minLength(16, 'at least 16 characters'))

const File = z.strictObject({
  listen: z._default(z.string(), '127.0.0.1:8402'),
  upstream: z.string(),
  upstream_timeout: z._default(z.int().check(z.positive()), 30),
  upstream_secret: z.optional(Secret),
  facilitator: z.string(),
  allow_http: z._default(z.boolean(), false),
  payTo: z.record(z.string(), z.string()),
  origin: z.optional(z.string()),
  store: z._default(z.string().check(z.minLength(1)), 'shop.db'),
  routes: z.record(z.string(), Route),
  rpc: z.optional(z.record(z.string(), z.string().check(z.regex(/^https?:\/\//, 'expected an http or https URL')))),
  fiat: z.optional(
    z.strictObject({ currency: z.string(), rates: z.record(z.string(), z.union([z.string(), z.number()])) }),
  ),
  webhook: z.optional(
    z.strictObject({
      url: z.string(),
      secret: z.union([Secret, z.array(Secret).check(z.minLength(1))]),
      allow_private: z._default(z.boolean(), false),
    }),
  ),
  settlement_fee: z.optional(Price),
  rest: z._default(z.enum(['blocked', 'free']), 'blocked'),
})

/** The JSON Schema of the file, for editors. */
export function shopSchema(): object {
  return z.toJSONSchema(File, { io: 'input' })
}

/** Reads the configuration of a shop. Throws a usage error with file, line and reason. */
export async function readShopConfig(file: string, environment: Environment): Promise<ShopConfig> {
  const { value, fail } = await readYamlFile(file, File, environment)
  const listen = /^(.+):([0-9]{1,5})$/.exec(value.listen)
  if (listen?.[1] === undefined || Number(listen[2]) > 65_535) throw fail(['listen'], 'expected HOST:PORT')
  const upstream = URL.canParse(value.upstream) ? new URL(value.upstream) : undefined
  if (upstream === undefined || !/^https?:$/.test(upstream.protocol)) {
    throw fail(['upstream'], 'expected an http or https URL')
  }
  const routes = Object.entries(value.routes).map(([name, sold]): ShopRoute => {
    const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(name) ?? []
    if (method === undefined || path === undefined) {
      throw fail(['routes', name], 'a route is a method and a path, such as GET /weather')
    }
    return sold === 'free' ? { method, path } : { method, path, terms: termsOf(name, sold) }
  })
  if (routes.length === 0) throw fail(['routes'], 'no route is given')
  const { upstream_secret, origin } = value
  return {
    host: listen[1],
    port: Number(listen[2]),
    upstream,
    upstreamTimeoutMs: value.upstream_timeout * 1000,
    ...(upstream_secret === undefined ? {} : { upstreamSecret: upstream_secret }),
    facilitator: value.facilitator,
    allowHttp: value.allow_http,
    payTo: value.payTo,
    ...(origin === undefined ? {} : { origin }),
    store: /^[a-z][a-z0-9+.-]+:/i.test(value.store) ? value.store : resolve(dirname(file), value.store),
    routes,
    books: booksOf(value),
    rest: value.rest,
  }
}

function booksOf({ rpc = {}, fiat, webhook, settlement_fee }: z.output<typeof File>): BooksConfig {
  const secrets = webhook === undefined ? [] : [webhook.secret].flat()
  const [first, ...more] = secrets
  const rates = Object.entries(fiat?.rates ?? {}).map(([ticker, rate]) => [ticker, String(rate)])
  return {
    rpc,
    ...(fiat === undefined ? {} : { fiat: { currency: fiat.currency, rates: Object.fromEntries(rates) } }),
    ...(webhook === undefined || first === undefined
      ? {}
      : { webhook: { url: webhook.url, secrets: [first, ...more], allowPrivate: webhook.allow_private } }),
    ...(settlement_fee === undefined ? {} : { settlementFee: settlement_fee }),
  }
}

/** The words of the file are those of the code, in the file's spelling. */
function termsOf(name: string, sold: string | Exclude<z.output<typeof Route>, string>): RouteOptions {
  if (typeof sold === 'string') return { name, price: sold }
  const { networks, ...words } = sold
  const named = Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([word, value]) => [word.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value])
  return { name, ...Object.fromEntries(named), ...(networks && { offers: networks.map((network) => ({ network })) }) }
}
