import {
  type Asset,
  isNetwork,
  MAX_ATOMIC,
  type Network,
  network,
  parseMoney,
  parseUnits,
  X402Error,
  type X402Version,
} from '@groat/core'
import { type Rule, rules } from './rules.js'
import type { Value } from './value.js'

/**
 * What a payer may do. Every member has a default that protects; what is not mentioned here cannot be switched off.
 * Unknown assets, plain http outside loopback and redirects to another origin are never paid.
 */
export type Policy = {
  /** Most that one payment may take, such as `$0.05`; counted in each asset's own decimals. Default `$0.10`. */
  readonly perPayment?: string
  /** Origins that may be paid, such as `https://api.example`. Default: any. */
  readonly origins?: readonly string[]
  /** Accounts that may be paid. Default: any. */
  readonly recipients?: readonly string[]
  /** Networks to pay on, by CAIP-2 id or v1 name, the preferred first. Default: any that the schemes serve. */
  readonly networks?: readonly string[]
  /** Names of the schemes to pay with. Default: all that are given to the payer. */
  readonly schemes?: readonly string[]
  /** Seconds for which a signature may live. Default 600. */
  readonly maxLifetimeSeconds?: number
  /**
   * What an approval that is signed along with a payment may let a contract take, where a seller sponsors one: `exact` is what the payment needs, so that each
   * payment brings its own; an amount such as `$5` is approved once and lasts for many; `unlimited` is everything that the account has and will have.
   * Default `exact`.
   */
  readonly allowance?: string
  /** Protocol versions to pay in. Default `[2]`. */
  readonly versions?: readonly X402Version[]
  /**
   * How much of the requested URL the challenge's own `resource.url` must repeat, where it names one.
   * `any` is for sellers behind a proxy that hides their address from them. Default `path`.
   */
  readonly resource?: 'path' | 'origin' | 'any'
  /** More rules, asked after the built-in ones. A rule can refuse; none can allow what another refuses. */
  readonly rules?: readonly Rule[]
}

/** A policy that has been read once and is ready to be asked. */
export type ParsedPolicy = {
  readonly perPayment: Value
  readonly origins: ReadonlySet<string> | undefined
  readonly recipients: readonly string[] | undefined
  readonly networks: readonly Network[] | undefined
  readonly schemes: readonly string[] | undefined
  readonly maxLifetimeSeconds: number
  /** As it was written. */
  readonly allowance: string
  /** What may be approved; `undefined`: exactly what a payment needs. */
  readonly maxAllowance: Value | undefined
  readonly versions: readonly X402Version[]
  readonly resource: 'path' | 'origin' | 'any'
  readonly rules: readonly Rule[]
  /** What an amount counts for; absent: whole units of every asset count alike. */
  readonly worth?: (amount: bigint, asset: Asset) => Value
  /** What paying on a network costs beside the amount, added to what the amount counts for: decides what is cheapest. Absent: nothing. */
  readonly withFee?: (value: Value, network: Network) => Value
}

/**
 * Reads a policy. Throws `X402Error` `invalid_config`, `invalid_price` or `invalid_network`, so that a mistake is said at start and
 * not when money is asked for.
 *
 * @example
 * parsePolicy({ perPayment: '$0.05', origins: ['https://api.example'] })
 */
export function parsePolicy(policy: Policy = {}): ParsedPolicy {
  const {
    perPayment = '$0.10',
    maxLifetimeSeconds = 600,
    versions = [2],
    resource = 'path',
    allowance = 'exact',
  } = policy
  if (!(maxLifetimeSeconds > 0)) throw invalid('maxLifetimeSeconds', 'must be a positive number of seconds')
  if (!versions.every((version) => version === 1 || version === 2)) throw invalid('versions', 'knows 1 and 2')
  return {
    perPayment: parseLimit(perPayment, 'perPayment'),
    origins: policy.origins && new Set(policy.origins.map((origin) => parseOrigin(origin))),
    recipients: policy.recipients,
    networks: policy.networks?.map((name) => (isNetwork(name) ? name : network(name))),
    schemes: policy.schemes,
    maxLifetimeSeconds,
    allowance,
    maxAllowance: parseAllowance(allowance),
    versions,
    resource,
    rules: [...rules, ...(policy.rules ?? [])],
  }
}

function parseAllowance(text: string): Value | undefined {
  if (text === 'exact') return undefined
  return text === 'unlimited' ? { units: MAX_ATOMIC, decimals: 0 } : parseLimit(text, 'allowance')
}

/** Only what has been read has its limit as a value. */
export function isParsed(policy: Policy | ParsedPolicy): policy is ParsedPolicy {
  return typeof policy.perPayment === 'object'
}

/** The limit keeps its own decimals: it is compared, never converted, so no digit of it is lost. */
export function parseLimit(text: string, field: string): Value {
  const { decimal, ticker } = parseMoney(text)
  if (ticker !== 'USD') throw invalid(field, 'is written as $0.05, whatever the asset')
  const decimals = decimal.split('.')[1]?.length ?? 0
  return { units: parseUnits(decimal, decimals), decimals }
}

/** The origin of a URL; a dot at the end of its host is left out. Throws `X402Error` `invalid_config`. */
export function parseOrigin(text: string, field = 'origins'): string {
  const origin = URL.canParse(text) ? new URL(text).origin.replace(/\.(?=:\d|$)/, '') : 'null'
  if (origin === 'null') throw invalid(field, 'holds something that is no origin such as https://api.example')
  return origin
}

/** What is wrong with a member of a policy. */
export function invalid(field: string, problem: string): X402Error {
  return new X402Error('invalid_config', { field: `policy.${field}`, problem })
}
