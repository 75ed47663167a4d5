import { type Network, type PaymentRequirements, type Refusal, refuse, sameAddress, X402Error } from '@groat/core'
import { hashApiKey, isApiKeyHash } from './api-key.js'
import type { Rate } from './quota.js'

/** What a key may be used for: `read` asks what became of a payment, `metrics` reads the metrics. */
export type Scope = 'verify' | 'settle' | 'read' | 'metrics'

/** Every scope. */
export const scopes = ['verify', 'settle', 'read', 'metrics'] as const satisfies readonly Scope[]

/** Somebody who verifies and settles here. */
export type Tenant = {
  /** A name for logs, metrics and webhooks; unique. */
  readonly id: string
  /** Hashes of its keys (`hashApiKey`); several while keys are being changed. */
  readonly keyHashes: readonly string[]
  readonly scopes: readonly Scope[]
  /** Accounts that may be paid; absent: any. */
  readonly recipients?: readonly string[]
  /** Where it sells, as `https://shop.example`: what its servers say of things there stands in a catalogue as the seller's word. Absent: its word counts for no URL. It limits no payment. */
  readonly origins?: readonly string[]
  /** Contracts of tokens that may be paid with; absent: all that are served. */
  readonly assets?: readonly string[]
  readonly networks?: readonly Network[]
  readonly schemes?: readonly string[]
  /** Requests per second; absent: the service's own. */
  readonly rates?: { readonly verify?: Rate; readonly settle?: Rate }
  /** Settlements that may be under way at once; 500 unless told. */
  readonly maxSettling?: number
}

/** The tenants by their keys. */
export interface Tenants {
  readonly all: readonly Tenant[]
  find(key: string): Tenant | undefined
}

/**
 * Lays the tenants out by the hashes of their keys.
 * Throws `X402Error` `invalid_config` for a hash or an origin that is none, and a name or a key that stands twice.
 *
 * @example
 * createTenants([{ id: 'shop', keyHashes: [hash], scopes: ['verify', 'settle'] }]).find(key)?.id // 'shop'
 */
export function createTenants(all: readonly Tenant[]): Tenants {
  const byHash = new Map<string, Tenant>()
  const ids = new Set<string>()
  for (const tenant of all) {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(tenant.id)) throw new X402Error('invalid_config', { tenant: tenant.id })
    if (ids.has(tenant.id)) throw new X402Error('invalid_config', { tenant: tenant.id, twice: 'name' })
    ids.add(tenant.id)
    const stray = tenant.origins?.find((origin) => !isOrigin(origin))
    if (stray !== undefined) throw new X402Error('invalid_config', { tenant: tenant.id, origin: stray })
    for (const hash of tenant.keyHashes) {
      if (!isApiKeyHash(hash)) throw new X402Error('invalid_config', { tenant: tenant.id, reason: 'not a key hash' })
      if (byHash.has(hash)) throw new X402Error('invalid_config', { tenant: tenant.id, twice: 'key' })
      byHash.set(hash, tenant)
    }
  }
  return { all, find: (key) => byHash.get(hashApiKey(key)) }
}

/**
 * Whether a text is an origin of http or https, as browsers write them.
 *
 * @example
 * isOrigin('https://shop.example') // true
 */
export function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

/**
 * Whether a tenant may have a payment on these terms settled. Refuses `invalid_network`, `unsupported_scheme`, `asset_not_allowed`,
 * `recipient_not_allowed`.
 *
 * @example
 * judgeTerms(tenant, requirements) // undefined: it may
 */
export function judgeTerms(
  { networks, schemes, assets, recipients }: Tenant,
  { network, scheme, asset, payTo }: Pick<PaymentRequirements, 'network' | 'scheme' | 'asset' | 'payTo'>,
): Refusal | undefined {
  if (networks !== undefined && !networks.includes(network)) return refuse('invalid_network', beyond('network'))
  if (schemes !== undefined && !schemes.includes(scheme)) return refuse('unsupported_scheme', beyond('scheme'))
  if (assets !== undefined && !assets.some((each) => sameAddress(each, asset))) {
    return refuse('asset_not_allowed', beyond('asset'))
  }
  if (recipients !== undefined && !recipients.some((each) => sameAddress(each, payTo))) {
    return refuse('recipient_not_allowed', beyond('payTo'))
  }
  return undefined
}

const beyond = (field: string) => `the API key does not allow this ${field}`
