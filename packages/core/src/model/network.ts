import { X402Error } from '../errors/x402-error.js'

declare const brand: unique symbol

/** A CAIP-2 network id such as `eip155:8453`. The only way to name a network inside Groat. */
export type Network = string & { readonly [brand]: 'Network' }

/** Source: CORE, CAIP-2. Namespace 3 to 8 characters, reference 1 to 32. */
export const CAIP2_PATTERN = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/

/**
 * Tells whether a text is a CAIP-2 network id.
 *
 * @example
 * isNetwork('eip155:8453') // true
 */
export function isNetwork(text: string): text is Network {
  return CAIP2_PATTERN.test(text)
}

/**
 * A network from its CAIP-2 id or its v1 name (`base`, `base-sepolia`, `solana`).
 * Throws `X402Error` `invalid_network` for anything else.
 *
 * @example
 * network('base') // 'eip155:8453'
 */
export function network(nameOrId: string): Network {
  const found = networkByV1Name(nameOrId) ?? nameOrId
  if (isNetwork(found)) return found
  throw new X402Error('invalid_network', { network: nameOrId })
}

/**
 * The CAIP-2 namespace of a network: `eip155`, `solana`, …
 *
 * @example
 * networkFamily(network('base')) // 'eip155'
 */
export function networkFamily(of: Network): string {
  return of.slice(0, of.indexOf(':'))
}

/**
 * The part after the colon; for `eip155` the decimal chain id.
 *
 * @example
 * networkReference(network('base')) // '8453'
 */
export function networkReference(of: Network): string {
  return of.slice(of.indexOf(':') + 1)
}

/**
 * The network a v1 name stands for, or `undefined` for a name that protocol v1 does not know.
 *
 * @example
 * networkByV1Name('base-sepolia') // 'eip155:84532'
 */
export function networkByV1Name(name: string): Network | undefined {
  return byName.get(name)
}

/**
 * The v1 name of a network, or `undefined` when protocol v1 cannot name it.
 *
 * @example
 * v1NameOf(network('eip155:84532')) // 'base-sepolia'
 */
export function v1NameOf(of: Network): string | undefined {
  return byId.get(of)
}

/**
 * The names that protocol v1 has for networks.
 *
 * @example
 * v1Names().includes('base') // true
 */
export function v1Names(): readonly string[] {
  return [...byName.keys()]
}

const V1_NAMES: Readonly<Record<string, string>> = {
  abstract: 'eip155:2741',
  'abstract-testnet': 'eip155:11124',
  avalanche: 'eip155:43114',
  'avalanche-fuji': 'eip155:43113',
  base: 'eip155:8453',
  'base-sepolia': 'eip155:84532',
  celo: 'eip155:42220',
  educhain: 'eip155:41923',
  ethereum: 'eip155:1',
  flare: 'eip155:14',
  iotex: 'eip155:4689',
  megaeth: 'eip155:4326',
  monad: 'eip155:143',
  peaq: 'eip155:3338',
  polygon: 'eip155:137',
  'polygon-amoy': 'eip155:80002',
  sei: 'eip155:1329',
  'sei-testnet': 'eip155:1328',
  sepolia: 'eip155:11155111',
  'skale-base-sepolia': 'eip155:324705682',
  solana: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp',
  'solana-devnet': 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1',
  'solana-testnet': 'solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z',
  stable: 'eip155:988',
  'stable-testnet': 'eip155:2201',
  story: 'eip155:1514',
}

const byName = new Map<string, Network>()
const byId = new Map<Network, string>()
for (const [name, id] of Object.entries(V1_NAMES)) {
  if (!isNetwork(id)) throw new TypeError(`not a CAIP-2 id: ${id}`)
  byName.set(name, id)
  byId.set(id, name)
}
