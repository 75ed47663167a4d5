import { METHODS } from 'node:http'
import { dirname, resolve } from 'node:path'
import { X402Error } from '@groat/core'
import type { SellerParty } from '@groat/extensions/compliance/server'
import type { DescribedService } from '@groat/extensions/describe'
import type { JwsKey } from '@groat/extensions/offer-receipt/server'
import type { RouteOptions } from '@groat/server'
import * as z from 'zod/mini'
import { isSamePlace, LISTEN, ListenText, lackOfStore, parseListen } from './operation-config.js'
import { Route, termsOf, wordInFile } from './shop-route.js'
import {
  AuthCapture,
  BatchSettlement,
  type ChannelsConfig,
  channelsOf,
  type HoldsConfig,
  holdsOf,
  lackOf,
  type ProofsConfig,
  proofsOf,
  TransferProofs,
} from './shop-schemes.js'
import { checkShopValues } from './shop-values.js'
import { type Environment, readYamlFile } from './yaml-file.js'

export type { ChannelsConfig, HoldsConfig } from './shop-schemes.js'

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
  /** What the facilitator knows the shop by. */
  readonly facilitatorKey?: string
  readonly allowHttp: boolean
  readonly payTo: Readonly<Record<string, string>>
  readonly origin?: string
  /** Absolute path of the claims, or the URL of their database. */
  readonly store: string
  readonly routes: readonly ShopRoute[]
  readonly books: BooksConfig
  readonly refunds?: RefundsConfig
  /** By which key offers and receipts are signed. */
  readonly receipts?: ReceiptsConfig
  /** Who sells, for records of sales. */
  readonly seller?: SellerParty
  readonly admin?: AdminConfig
  readonly holds?: HoldsConfig
  readonly channels?: ChannelsConfig
  /** Set where transfers that were made are taken for payments. */
  readonly proofs?: ProofsConfig
  /** Set where browsers are shown a page to pay on. */
  readonly page?: PageConfig
  /** Whether every route says in its challenge how it is called, so that facilitators can list it. */
  readonly bazaar: boolean
  /** What the documents say that describe the shop; absent: there are none. */
  readonly describe?: DescribeConfig
  /** What becomes of a request to no route: it is answered with 404, or goes to the API unpaid. */
  readonly rest: 'blocked' | 'free'
  /** What is wrong with a route, with the line of the file that says so. */
  explain(error: unknown): unknown
  /** Something is wrong with a field: an error with the line of the file. */
  wrong(path: readonly string[], reason: string): Error
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

/** By which keys money is given back, and from which price on two people must agree. */
export type RefundsConfig = {
  readonly evmKey?: string
  readonly svmKey?: string
  readonly approveAbove?: string
  /** Set where payers may ask for their money back. */
  readonly requests?: { readonly windowSeconds: number; readonly partial: boolean; readonly policyUrl?: string }
}

/** The key of receipts: of an Ethereum account, or one that is published under a DID. */
export type ReceiptsConfig = { readonly evmKey: string } | { readonly jws: JwsKey }

/** The seller's own listener, and who may use it: names, and the SHA-256 of their tokens in hex. */
export type AdminConfig = {
  readonly host: string
  readonly port: number
  readonly tokens: Readonly<Record<string, string>>
}

/** What the page says, and where browsers ask for blockhashes. */
export type PageConfig = { readonly title?: string; readonly solanaRpc?: Readonly<Record<string, string>> }

/** What the documents of a shop say beside its routes. */
export type DescribeConfig = Omit<DescribedService, 'origin' | 'routes'>

/** One route: a method and a path, and how it is sold; without terms it is free. `websocket`: what is sold is a socket. */
export type ShopRoute = {
  readonly method: string
  readonly path: string
  readonly terms?: RouteOptions
  readonly websocket?: boolean
}

const Price = z.string().check(z.minLength(1))
const Secret = z.string().check(z.minLength(16, 'at least 16 characters'))

/** What fits into `Authorization: Bearer`, as a facilitator of ours reads it. */
const ApiKey = z
  .string()
  .check(z.regex(/^[\x21-\x7e]{1,200}$/, 'expected an API key: at most 200 letters, digits and signs, without spaces'))

/** Who is paid, by network. */
const Accounts = z.record(z.string(), z.string())

const File = z.strictObject({
  listen: z._default(ListenText, '127.0.0.1:8402'),
  upstream: z.string(),
  upstream_timeout: z._default(z.int().check(z.positive()), 30),
  upstream_secret: z.optional(Secret),
  facilitator: z.union([z.string(), z.strictObject({ url: z.string(), key: ApiKey })]),
  allow_http: z._default(z.boolean(), false),
  pay_to: z.optional(Accounts),
  payTo: z.optional(Accounts),
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
  refunds: z.optional(
    z.strictObject({
      evm_key: z.optional(
        z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/, 'expected a private key: 0x and 64 hex digits')),
      ),
      svm_key: z.optional(
        z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{80,90}$/, 'expected a secret key: base58 of 64 bytes')),
      ),
      approve_above: z.optional(Price),
      requests: z.optional(
        z.strictObject({
          window_days: z.int().check(z.positive()),
          partial: z._default(z.boolean(), true),
          policy_url: z.optional(z.string()),
        }),
      ),
    }),
  ),
  auth_capture: z.optional(AuthCapture),
  batch_settlement: z.optional(BatchSettlement),
  transfer_proofs: z.optional(TransferProofs),
  receipts: z.optional(
    z.union([
      z.strictObject({
        evm_key: z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/, 'expected a private key: 0x and 64 hex digits')),
      }),
      z.strictObject({
        kid: z
          .string()
          .check(z.regex(/^did:[a-z]+:[^#\s]+#[^#\s]+$/, 'expected a DID URL, such as did:web:shop.example#key-1')),
        alg: z.enum(['EdDSA', 'ES256', 'ES256K']),
        jwk: z.string().check(z.regex(/^\{[\s\S]*\}$/, 'expected a private key as a JWK: JSON text')),
      }),
    ]),
  ),
  seller: z.optional(z.strictObject({ name: z.string(), country: z.string(), tax_id: z.optional(z.string()) })),
  admin: z.optional(
    z.strictObject({
      listen: z._default(ListenText, '127.0.0.1:8403'),
      tokens: z.optional(
        z.record(z.string(), z.string().check(z.regex(/^(sha256:)?[0-9a-f]{64}$/, 'expected a SHA-256 in hex'))),
      ),
    }),
  ),
  page: z.optional(
    z.union([
      z.boolean(),
      z.strictObject({ title: z.optional(z.string()), solana_rpc: z.optional(z.record(z.string(), z.string())) }),
    ]),
  ),
  bazaar: z._default(z.boolean(), false),
  describe: z.optional(
    z.strictObject({
      title: z.string().check(z.minLength(1)),
      description: z.optional(z.string()),
      version: z.optional(z.string()),
      documentation: z.optional(z.string()),
      contact: z.optional(z.string()),
      icon: z.optional(z.string()),
      agent: z.optional(z.string().check(z.regex(/^https?:\/\//, 'expected the URL of an A2A endpoint'))),
    }),
  ),
  rest: z._default(z.enum(['blocked', 'free']), 'blocked'),
})

/** The JSON Schema of the file, for editors. */
export function shopSchema(): object {
  const anyOf = [{ required: ['pay_to'] }, { required: ['payTo'] }]
  return { ...z.toJSONSchema(File, { io: 'input' }), anyOf }
}

/** Reads the configuration of a shop. Throws a usage error with file, line and reason. */
export async function readShopConfig(file: string, environment: Environment): Promise<ShopConfig> {
  const { value, fail: failAt, isLiteral, isPrivate } = await readYamlFile(file, File, environment)
  const payTo = value.pay_to ?? value.payTo
  if (payTo === undefined) throw failAt(['pay_to'], 'is missing')
  if (value.pay_to !== undefined && value.payTo !== undefined)
    throw failAt(['payTo'], 'is another word for `pay_to`: write one of them')
  const fail: typeof failAt = (path, reason) =>
    failAt(path[0] === 'payTo' && value.payTo === undefined ? ['pay_to', ...path.slice(1)] : path, reason)
  const listen = parseListen(value.listen)
  if (listen === undefined) throw fail(['listen'], LISTEN)
  const wrong = lackOfStore(value.store)
  if (wrong !== undefined) throw fail(['store'], wrong)
  const facilitator = typeof value.facilitator === 'string' ? { url: value.facilitator } : value.facilitator
  const keys = [
    ['facilitator', 'key', 'key' in facilitator ? facilitator.key : undefined],
    ['refunds', 'evm_key', value.refunds?.evm_key],
    ['refunds', 'svm_key', value.refunds?.svm_key],
    ['auth_capture', 'key', value.auth_capture?.key],
    ['batch_settlement', 'key', value.batch_settlement?.key],
    ['batch_settlement', 'gas_key', value.batch_settlement?.gas_key],
    ['receipts', 'evm_key', value.receipts && 'evm_key' in value.receipts ? value.receipts.evm_key : undefined],
    ['receipts', 'jwk', value.receipts && 'jwk' in value.receipts ? value.receipts.jwk : undefined],
  ] as const
  for (const [group, field, key] of keys) {
    if (key !== undefined && !isPrivate && isLiteral([group, field])) {
      throw fail([group, field], 'a key stands in a file that others can read; name a variable, or chmod 600')
    }
  }
  const admin = value.admin && parseListen(value.admin.listen)
  if (value.admin !== undefined && admin === undefined) throw fail(['admin', 'listen'], LISTEN)
  if (admin !== undefined && isSamePlace(admin, listen))
    throw fail(['admin', 'listen'], `${value.listen} is taken by \`listen\``)
  // Who is not on this machine can write any name into a request.
  if (admin !== undefined && Object.keys(value.admin?.tokens ?? {}).length === 0 && !LOOPBACK.test(admin.host)) {
    throw fail(['admin', 'tokens'], 'a listener that others reach needs tokens')
  }
  const upstream = URL.canParse(value.upstream) ? new URL(value.upstream) : undefined
  if (upstream === undefined || !/^https?:$/.test(upstream.protocol)) {
    throw fail(['upstream'], 'expected an http or https URL')
  }
  const routes = Object.entries(value.routes).map(([name, sold]): ShopRoute => {
    const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(name) ?? []
    if (method === undefined || path === undefined) {
      throw fail(['routes', name], 'a route is a method and a path, such as GET /weather')
    }
    if (!METHODS.includes(method))
      throw fail(['routes', name], `${method} is no method of HTTP that a server takes, such as GET or POST`)
    if (sold === 'free') return { method, path }
    for (const offer of (typeof sold === 'object' && sold.offers) || []) {
      const lacking = lackOf(offer, value)
      if (lacking !== undefined) throw fail(['routes', name, 'offers'], lacking)
    }
    const websocket = typeof sold === 'object' && sold.websocket === true
    if (websocket && method !== 'GET') throw fail(['routes', name, 'websocket'], 'a socket is opened by GET')
    return { method, path, terms: termsOf(name, sold), ...(websocket ? { websocket } : {}) }
  })
  if (routes.length === 0) throw fail(['routes'], 'no route is given')
  const { upstream_secret, origin } = value
  const proofs = proofsOf(value.transfer_proofs, value.rpc)
  if (proofs !== undefined && Object.keys({ ...proofs.evm, ...proofs.svm }).length === 0) {
    throw fail(['transfer_proofs'], 'transfers are looked up on the chain: name a node of it under `rpc`')
  }
  if (value.refunds?.requests !== undefined && origin === undefined) {
    throw fail(['refunds', 'requests'], 'requests name the shop by its origin: give it as `origin`')
  }
  if (value.describe !== undefined && origin === undefined) {
    throw fail(['describe'], 'documents name the shop by its origin: give it as `origin`')
  }
  const config: ShopConfig = {
    ...listen,
    upstream,
    upstreamTimeoutMs: value.upstream_timeout * 1000,
    ...(upstream_secret === undefined ? {} : { upstreamSecret: upstream_secret }),
    facilitator: facilitator.url,
    ...('key' in facilitator ? { facilitatorKey: facilitator.key } : {}),
    allowHttp: value.allow_http,
    payTo,
    ...(origin === undefined ? {} : { origin }),
    store: storeIn(value.store, file),
    routes,
    books: booksOf(value),
    ...(value.refunds === undefined ? {} : { refunds: refundsOf(value.refunds) }),
    ...(value.receipts === undefined ? {} : { receipts: receiptsOf(value.receipts, fail) }),
    ...(value.seller === undefined ? {} : { seller: sellerOf(value.seller) }),
    ...(value.auth_capture === undefined ? {} : { holds: holdsOf(value.auth_capture) }),
    ...(value.batch_settlement === undefined ? {} : { channels: channelsOf(value.batch_settlement) }),
    ...(proofs === undefined ? {} : { proofs }),
    ...(admin === undefined ? {} : { admin: { ...admin, tokens: value.admin?.tokens ?? {} } }),
    ...(value.page === undefined || value.page === false ? {} : { page: pageOf(value.page) }),
    bazaar: value.bazaar,
    ...(value.describe === undefined ? {} : { describe: describedBy(value.describe) }),
    rest: value.rest,
    wrong: fail,
    explain: (error) => {
      const { route, field, reason } = X402Error.is(error) ? error.context : {}
      if (!X402Error.is(error) || typeof route !== 'string' || !Object.hasOwn(value.routes, route)) return error
      const needs = error.code === 'extension_not_registered' ? needed.get(String(error.context.extension)) : undefined
      if (needs !== undefined) return fail(['routes', route], `${error.context.extension} needs ${needs}`)
      const [word] = typeof field === 'string' ? field.split('.') : []
      return fail(['routes', route, ...(word === undefined ? [] : [wordInFile(word)])], String(reason ?? error.message))
    },
  }
  checkShopValues(config, fail)
  return config
}

/**
 * Where the books of a shop are, and with `rpc` the nodes of its chains: who only reads them needs none of its secrets. Throws a usage error with
 * file, line and reason.
 */
export async function readBooksPlace(
  file: string,
  environment: Environment,
  { rpc = false }: { readonly rpc?: boolean } = {},
): Promise<Pick<ShopConfig, 'store'> & Pick<BooksConfig, 'rpc'>> {
  const { store, rpc: nodes } = File.shape
  const { value } = await readYamlFile(file, z.strictObject({ store, rpc: nodes }), environment, [
    'store',
    ...(rpc ? ['rpc'] : []),
  ])
  return { store: storeIn(value.store, file), rpc: value.rpc ?? {} }
}

/** A path in the file is meant from where the file is, wherever the command is run. */
function storeIn(store: string, file: string): string {
  return /^[a-z][a-z0-9+.-]+:/i.test(store) ? store : resolve(dirname(file), store)
}

/** What stands elsewhere in the file for extensions that cannot do without. */
const needed: ReadonlyMap<string, string> = new Map([
  ['groat-compliance', '`seller: { name, country }` in the file'],
  ['offer-receipt', '`receipts` with a key in the file'],
  ['groat-refund', '`refunds` with `requests` in the file'],
])

function describedBy({ icon, agent, ...said }: NonNullable<z.output<typeof File>['describe']>): DescribeConfig {
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  return {
    ...given,
    title: said.title,
    ...(icon === undefined ? {} : { iconUrl: icon }),
    ...(agent === undefined ? {} : { agent: { url: agent } }),
  }
}

type Fail = Awaited<ReturnType<typeof readYamlFile>>['fail']

function receiptsOf(receipts: NonNullable<z.output<typeof File>['receipts']>, fail: Fail): ReceiptsConfig {
  if ('evm_key' in receipts) return { evmKey: receipts.evm_key }
  try {
    return { jws: { ...receipts, jwk: JSON.parse(receipts.jwk) } }
  } catch {
    throw fail(['receipts', 'jwk'], 'expected a private key as a JWK: JSON text')
  }
}

function sellerOf({ name, country, tax_id }: NonNullable<z.output<typeof File>['seller']>): SellerParty {
  return { name, country, ...(tax_id === undefined ? {} : { taxId: tax_id }) }
}

function refundsOf(refunds: NonNullable<z.output<typeof File>['refunds']>): RefundsConfig {
  const { evm_key, svm_key, approve_above, requests } = refunds
  return {
    ...(requests === undefined
      ? {}
      : {
          requests: {
            windowSeconds: requests.window_days * 86_400,
            partial: requests.partial,
            ...(requests.policy_url === undefined ? {} : { policyUrl: requests.policy_url }),
          },
        }),
    ...(evm_key === undefined ? {} : { evmKey: evm_key }),
    ...(svm_key === undefined ? {} : { svmKey: svm_key }),
    ...(approve_above === undefined ? {} : { approveAbove: approve_above }),
  }
}

function pageOf(page: Exclude<z.output<typeof File>['page'], false | undefined>): PageConfig {
  if (page === true) return {}
  const { title, solana_rpc } = page
  return { ...(title === undefined ? {} : { title }), ...(solana_rpc === undefined ? {} : { solanaRpc: solana_rpc }) }
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

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i
