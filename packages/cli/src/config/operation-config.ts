import { dirname, resolve } from 'node:path'
import { type Asset, assetByTicker, type Network } from '@groat/core'
import type { FacilitatorCodes } from '@groat/extensions/builder-code/facilitator'
import type { PayerField } from '@groat/extensions/compliance/facilitator'
import {
  type AccessLimits,
  isApiKeyHash,
  isOrigin,
  type Rate,
  scopes,
  type Tenant,
  type WebhookOptions,
} from '@groat/facilitator'
import type { CatalogueLimits } from '@groat/facilitator/bazaar'
import * as z from 'zod/mini'
import { FeeFields } from './engine-config.js'
import { WebhookFields, webhookOf } from './webhook-config.js'
import type { ConfigFile } from './yaml-file.js'

/** Who may use a facilitator, how much, and how it is watched. */
export type OperationConfig = {
  readonly tenants?: readonly Tenant[]
  readonly limits: AccessLimits
  readonly trustedProxies: number
  readonly admin?: { readonly host: string; readonly port: number; readonly tokenHash?: string }
  readonly screening?: {
    readonly file: string
    readonly maxAgeHours: number
    /** What payments have to say of their payers (`groat-compliance`). */
    readonly requires: readonly PayerField[]
  }
  readonly webhooks?: WebhookOptions
  /** Set where the codes of payments are written behind the calls that settle them, on EVM chains. */
  readonly builderCodes?: FacilitatorCodes
  /** Set where settled payments fill a catalogue. */
  readonly bazaar?: BazaarConfig
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

/** What a catalogue shows, and whether it asks the origins itself. */
export type BazaarConfig = {
  readonly showsUnverified: boolean
  readonly allowPrivate: boolean
  /** Milliseconds between two probes of one listing; absent: none is made. */
  readonly probeEvery?: number
  readonly limits: CatalogueLimits
}

const RATE = 'expected a rate such as 20/s or 5/min'
const RateText = z.string({ error: RATE }).check(z.regex(/^[0-9]{1,6}(?:[.][0-9]{1,3})?\/(?:s|min)$/, RATE))
const Count = z.int().check(z.gt(0))
const Code = z.string().check(z.regex(/^[a-z0-9_]{1,32}$/, 'expected 1 to 32 of a-z, 0-9 and _'))
/** What a listener's place looks like: whatever is none is said in these words. */
export const LISTEN = 'expected HOST:PORT, such as 127.0.0.1:4402'
/** The field for it, which `parseListen` reads. */
export const ListenText = z.string({ error: LISTEN })
const KeyHash = z
  .string()
  .check(z.refine(isApiKeyHash, 'expected sha256: and 64 hex digits; `groat facilitator key` makes one'))

/** The fields of the file, besides those that say what is settled where. */
export const Operation = {
  admin: z.optional(
    z.strictObject({ listen: z._default(ListenText, '127.0.0.1:4403'), token_hash: z.optional(KeyHash) }),
  ),
  tenants: z.optional(
    z.record(
      z.string(),
      z.strictObject({
        keys: z.array(KeyHash).check(z.minLength(1)),
        scopes: z._default(z.array(z.enum(scopes, 'expected verify, settle, read or metrics')), [
          'verify',
          'settle',
          'read',
        ]),
        pay_to: z.optional(z.array(z.string()).check(z.minLength(1))),
        origins: z.optional(
          z
            .array(z.string().check(z.refine(isOrigin, 'expected an origin such as https://shop.example, and no path')))
            .check(z.minLength(1)),
        ),
        assets: z.optional(z.array(z.string()).check(z.minLength(1))),
        networks: z.optional(z.array(z.string()).check(z.minLength(1))),
        schemes: z.optional(z.array(z.string()).check(z.minLength(1))),
        limits: z.optional(
          z.strictObject({ verify: z.optional(RateText), settle: z.optional(RateText), open: z.optional(Count) }),
        ),
        webhook: z.optional(WebhookFields),
      }),
    ),
  ),
  limits: z.optional(
    z.strictObject({
      per_ip: z.optional(RateText),
      per_tenant: z.optional(z.strictObject({ verify: z.optional(RateText), settle: z.optional(RateText) })),
      per_payer: z.optional(z.strictObject({ rate: RateText, open: z.optional(Count) })),
      settling: z.optional(Count),
      verifying: z.optional(Count),
      ...FeeFields,
    }),
  ),
  webhooks: z.optional(
    z.strictObject({ operator: z.optional(WebhookFields), allow_private: z._default(z.boolean(), false) }),
  ),
  trusted_proxies: z._default(z.int().check(z.gte(0), z.lte(10)), 0),
  screening: z.optional(
    z.strictObject({
      list: z.string(),
      max_age_hours: z._default(Count, 48),
      requires: z._default(z.array(z.enum(['country', 'kind', 'purpose', 'recordDigest'])), []),
    }),
  ),
  builder_codes: z.optional(z.strictObject({ wallet: z.optional(Code), service: z.optional(Code) })),
  bazaar: z.optional(
    z.union([
      z.boolean(),
      z.strictObject({
        probe_hours: z._default(z.int().check(z.gte(0), z.lte(720)), 6),
        unverified: z.optional(z.enum(['show', 'hide'])),
        per_origin: z.optional(Count),
        total: z.optional(Count),
        allow_private: z._default(z.boolean(), false),
      }),
    ]),
  ),
  log: z.optional(z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']) })),
}

const Value = z.object(Operation)

type Reading = Pick<ConfigFile<unknown>, 'fail' | 'isLiteral' | 'isPrivate'> & {
  readonly networks: readonly { readonly network: Network; readonly assets?: readonly Asset[] }[]
  networkOf(name: string): Network | undefined
  /** Where the file is: paths in it are meant from there. */
  readonly file: string
  /** The listener of the service itself. */
  readonly listen: Listener
}

/** Makes of the fields what the service takes. Throws what `fail` makes, where a name means nothing here. */
export function operationOf(value: z.output<typeof Value>, reading: Reading): OperationConfig {
  const { admin, limits, screening, log, trusted_proxies } = value
  const tenants = Object.entries(value.tenants ?? {}).map(([id, tenant]) => tenantOf(id, tenant, reading))
  return {
    ...(value.tenants === undefined ? {} : { tenants }),
    limits: limitsOf(limits ?? {}),
    trustedProxies: trusted_proxies,
    ...(admin === undefined ? {} : { admin: adminOf(admin, reading) }),
    ...(screening === undefined
      ? {}
      : {
          screening: {
            file: resolve(dirname(reading.file), screening.list),
            maxAgeHours: screening.max_age_hours,
            requires: screening.requires,
          },
        }),
    ...named('webhooks', webhooksOf(value, reading)),
    ...named('builderCodes', value.builder_codes && codesOf(value.builder_codes)),
    ...named('bazaar', bazaarOf(value.bazaar)),
    logLevel: log?.level ?? 'info',
  }
}

/** The facilitator's own codes, as far as it has any. */
const codesOf = ({
  wallet,
  service,
}: {
  readonly wallet?: string | undefined
  readonly service?: string | undefined
}): FacilitatorCodes => ({
  ...named('wallet', wallet),
  ...named('service', service),
})

/** Origins are asked unless the file wants it otherwise: what nobody has said who may stands there without words and prices. */
function bazaarOf(said: z.output<typeof Value>['bazaar']): BazaarConfig | undefined {
  if (said === undefined || said === false) return undefined
  const { probe_hours = 6, unverified = 'show', per_origin, total, allow_private = false } = said === true ? {} : said
  return {
    showsUnverified: unverified === 'show',
    allowPrivate: allow_private,
    ...(probe_hours === 0 ? {} : { probeEvery: probe_hours * 3_600_000 }),
    limits: {
      ...(per_origin === undefined ? {} : { perOrigin: per_origin }),
      ...(total === undefined ? {} : { total }),
    },
  }
}

/**
 * Reads `HOST:PORT`.
 *
 * @example
 * parseListen('127.0.0.1:4402') // { host: '127.0.0.1', port: 4402 }
 */
export function parseListen(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, port] = /^(.+):([0-9]{1,5})$/.exec(text) ?? []
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) }
}

/** Whether two listeners want one port. Port 0 is any. */
export function isSamePlace(one: Listener, other: Listener): boolean {
  const isAll = ({ host }: Listener) => /^(0\.0\.0\.0|\[?::\]?)$/.test(host)
  return one.port !== 0 && one.port === other.port && (one.host === other.host || isAll(one) || isAll(other))
}

type Listener = { readonly host: string; readonly port: number }

/** What is wrong with the name of a store that names a database nobody here opens. */
export function lackOfStore(store: string): string | undefined {
  const [, kind] = /^([a-z][a-z0-9+.-]+):/i.exec(store) ?? []
  return kind === undefined || /^postgres(ql)?:\/\//.test(store)
    ? undefined
    : `no store of ours is ${kind}: expected a path, for SQLite, or postgres://HOST/DATABASE`
}

type TenantFields = NonNullable<z.output<typeof Value>['tenants']>[string]

function tenantOf(id: string, fields: TenantFields, { fail, networkOf, networks }: Reading): Tenant {
  const path = ['tenants', id]
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(id)) throw fail(path, 'expected a name of small letters, digits, . _ and -')
  const served = fields.networks?.map((name, index) => {
    const found = networkOf(name)
    if (found === undefined || !networks.some(({ network }) => network === found)) {
      throw fail([...path, 'networks', index], `${name} is not among the networks of this file`)
    }
    return found
  })
  const assets = fields.assets?.flatMap((name, index) => {
    if (isAccount(name)) return [name]
    const found = networks.flatMap(({ network }) => assetByTicker(network, name)?.address ?? [])
    if (found.length === 0) throw fail([...path, 'assets', index], `${name} is no asset of the networks of this file`)
    return found
  })
  const { keys, scopes: allowed, pay_to, origins, schemes, limits = {} } = fields
  for (const [index, account] of (pay_to ?? []).entries()) {
    if (!isAccount(account)) throw fail([...path, 'pay_to', index], `${account} is no address`)
  }
  const rates = { ...named('verify', rateOf(limits.verify)), ...named('settle', rateOf(limits.settle)) }
  return {
    id,
    keyHashes: keys,
    scopes: allowed,
    ...named('recipients', pay_to),
    ...named('origins', origins),
    ...named('assets', assets),
    ...named('networks', served),
    ...named('schemes', schemes),
    ...(Object.keys(rates).length === 0 ? {} : { rates }),
    ...named('maxSettling', limits.open),
  }
}

/** An address of an EVM chain or of Solana. */
function isAccount(text: string): boolean {
  return /^0x[0-9a-fA-F]{40}$/.test(text) || /^[1-9A-HJ-NP-Za-km-z]{32,44}$/.test(text)
}

/** Whoever is told of payments: tenants of theirs, the operator of all. */
function webhooksOf({ tenants = {}, webhooks }: z.output<typeof Value>, reading: Reading): WebhookOptions | undefined {
  const { operator, allow_private: allowPrivate = false } = webhooks ?? {}
  const ofTenants = Object.entries(tenants).flatMap(([id, { webhook }]) =>
    webhook === undefined
      ? []
      : webhookOf(
          webhook,
          { ...{ path: ['tenants', id, 'webhook'], id: `tenant.${id}`, tenant: id }, allowPrivate },
          reading,
        ),
  )
  const ofOperator =
    operator === undefined
      ? []
      : [webhookOf(operator, { path: ['webhooks', 'operator'], id: 'operator', allowPrivate }, reading)]
  const endpoints = [...ofOperator, ...ofTenants]
  return endpoints.length === 0 ? undefined : { endpoints, allowPrivate }
}

function limitsOf(limits: NonNullable<z.output<typeof Value>['limits']>): AccessLimits {
  const { per_ip, per_tenant, per_payer, settling, verifying } = limits
  const payer = rateOf(per_payer?.rate)
  return {
    ...named('perIp', rateOf(per_ip)),
    ...(per_tenant && {
      perTenant: { ...named('verify', rateOf(per_tenant.verify)), ...named('settle', rateOf(per_tenant.settle)) },
    }),
    ...(payer && { perPayer: { ...payer, ...named('maxOpen', per_payer?.open) } }),
    ...named('maxSettling', settling),
    ...named('maxVerifying', verifying),
  }
}

function adminOf(
  { listen, token_hash }: NonNullable<z.output<typeof Value>['admin']>,
  { fail, listen: place }: Reading,
): NonNullable<OperationConfig['admin']> {
  const at = parseListen(listen)
  if (at === undefined) throw fail(['admin', 'listen'], LISTEN)
  if (isSamePlace(at, place)) throw fail(['admin', 'listen'], `${listen} is taken by \`listen\``)
  const isLocal = /^(127\.[0-9.]+|localhost|\[?::1\]?)$/.test(at.host)
  if (!isLocal && token_hash === undefined) {
    throw fail(['admin'], 'a listener that others reach needs a token_hash; `groat facilitator key` makes one')
  }
  return { ...at, ...named('tokenHash', token_hash) }
}

function rateOf(text: string | undefined): Rate | undefined {
  if (text === undefined) return undefined
  const [count, unit] = text.split('/')
  const perSecond = unit === 'min' ? Number(count) / 60 : Number(count)
  return { perSecond, burst: Math.max(1, unit === 'min' ? Number(count) : 2 * perSecond) }
}

/** A member that is there only where it has a value. */
function named<K extends string, V>(name: K, value: V | undefined): { readonly [key in K]?: V } {
  // TypeScript does not see that a computed key of type K makes this very object.
  return (value === undefined ? {} : { [name]: value }) as { readonly [key in K]?: V }
}
