import { dirname, resolve } from 'node:path'
import {
  type Asset,
  assetByAddress,
  assetByTicker,
  defaultAssets,
  findRepeated,
  type Network,
  network,
  networkByV1Name,
  networkFamily,
  v1NameOf,
  v1Names,
  X402Error,
} from '@groat/core'
import type { LogOptions } from '@groat/facilitator/observe'
import * as z from 'zod/mini'
import { type EngineConfig, EngineFields, engineOf, NetworkFields, type NetworkRules } from './engine-config.js'
import { nearName, nearNetworks } from './near-name.js'
import {
  LISTEN,
  ListenText,
  lackOfStore,
  Operation,
  type OperationConfig,
  operationOf,
  parseListen,
} from './operation-config.js'
import { Settling, type SettlingConfig, settlingOf } from './settling-config.js'
import { type ConfigFile, type Environment, readYamlFile } from './yaml-file.js'

/** What `groat facilitator` runs. */
export type FacilitatorConfig = {
  readonly host: string
  readonly port: number
  /** Absolute path of the journal, or the URL of its database. */
  readonly store: string
  readonly networks: readonly NetworkConfig[]
  /** How payments are settled, and what that may cost. */
  readonly engine: EngineConfig
  /** What to say of an hour that has too little left for what is to be sent, in dollars. */
  readonly hintForHour: NonNullable<LogOptions['hintForHour']>
  /** Who may use it, how much, and how it is watched. */
  readonly operation: OperationConfig
}

/** One chain of a facilitator. */
export type NetworkConfig = NetworkRules &
  SettlingConfig & {
    readonly network: Network
    readonly rpc: readonly string[]
    /** Private keys of the accounts that pay for gas: 0x and 64 hex digits, or base58 of 64 bytes on Solana. */
    readonly signers: readonly string[]
    /** The tokens that are settled; absent: the network's default assets. */
    readonly assets?: readonly Asset[]
    /** Tokens, as decimal text, from which on two nodes must agree. */
    readonly agreeFrom?: string
  }

const Journal = { store: z.string().check(z.minLength(1)) }

const File = z.strictObject({
  listen: z._default(ListenText, '127.0.0.1:4402'),
  ...Journal,
  networks: z.record(
    z.string(),
    z.strictObject({
      rpc: z
        .array(z.string().check(z.regex(/^https?:\/\//, 'expected an http or https URL')))
        .check(z.minLength(1, 'names no node')),
      signers: z.optional(z.array(z.string()).check(z.minLength(1))),
      fee_payer: z.optional(z.union([z.string(), z.array(z.string()).check(z.minLength(1))])),
      agree_from: z.optional(z.union([z.number(), z.string()])),
      assets: z.optional(
        z.array(z.string()).check(z.minLength(1, 'names no asset; leave it out for the default ones')),
      ),
      ...NetworkFields,
      ...Settling,
    }),
  ),
  engine: EngineFields,
  ...Operation,
})

/** The JSON Schema of the file, for editors. */
export function facilitatorSchema(): object {
  return z.toJSONSchema(File, { io: 'input' })
}

/**
 * Reads the configuration of a facilitator. Throws a usage error with file, line and reason.
 *
 * Keys stand in the file only as `${NAME}`, or in a file that its owner alone can read. For the books alone no key and no other secret is looked at,
 * and no network has a signer.
 */
export async function readFacilitatorConfig(
  file: string,
  environment: Environment,
  { only }: { readonly only?: 'books' } = {},
): Promise<FacilitatorConfig> {
  const read = await readYamlFile(file, File, environment, only && BOOKS)
  const { value, fail, isLiteral, isPrivate } = read
  const listen = parseListen(value.listen)
  if (listen === undefined) throw fail(['listen'], LISTEN)
  const store = storeOf(value.store, file, fail)

  const named = Object.entries(value.networks).map(([name, fields]) => {
    const id = networkOf(name)
    if (id !== undefined) return { name, network: id, fields }
    throw fail(['networks', name], unknownNetwork(name, Object.keys(value.networks)))
  })
  const { engine, rulesOf, hintForHour } = engineOf(value.engine, value.limits ?? {}, named, fail)
  const networks = named.map(({ name, network: id, fields }): NetworkConfig => {
    const { rpc, assets, agree_from, ...keys } = fields
    const path = ['networks', name]
    const family = families[networkFamily(id)]
    if (family === undefined) throw fail(path, `nothing settles on ${networkFamily(id)} chains`)
    const signers = only === 'books' ? [] : family.keysOf(keys)
    const other = family.field === 'signers' ? 'fee_payer' : 'signers'
    if (keys[other] !== undefined) throw fail([...path, other], `this chain has ${family.field} instead`)
    if (signers === undefined) throw fail([...path, family.field], `is missing: expected ${family.form}`)
    const checkKey = (key: string, field: readonly PropertyKey[]) => {
      if (!family.isKey(key)) throw fail(field, `expected ${family.form}`)
      if (!isPrivate && isLiteral(field)) {
        throw fail(field, 'a key stands in a file that others can read; name a variable, or chmod 600')
      }
    }
    for (const [index, key] of signers.entries()) {
      checkKey(key, [...path, family.field, ...(Array.isArray(keys[family.field]) ? [index] : [])])
    }
    const twice = findRepeated(signers)
    if (twice !== undefined)
      throw fail([...path, family.field, twice.again], `is the key of ${family.field}.${twice.first} again`)
    if (only !== 'books' && defaultAssets(id).length === 0) throw fail(path, withoutAssets(id))
    const known = assets?.map((asset, index) => {
      const found = assetByTicker(id, asset) ?? assetByAddress(id, asset)
      if (found === undefined) throw fail([...path, 'assets', index], unknownAsset(asset, id))
      return found
    })
    const tokens = known ?? defaultAssets(id)
    const agreeFrom = agree_from === undefined ? undefined : String(agree_from)
    if (agreeFrom !== undefined && !/^[0-9]{1,30}([.][0-9]{1,30})?$/.test(agreeFrom)) {
      throw fail([...path, 'agree_from'], 'expected a number of tokens, such as 100')
    }
    const coarse = tokens.find(({ decimals }) => (agreeFrom?.split('.')[1]?.length ?? 0) > decimals)
    if (coarse !== undefined) {
      throw fail([...path, 'agree_from'], `has more decimals than ${coarse.symbol}, which has ${coarse.decimals}`)
    }
    if (agreeFrom !== undefined && rpc.length < 2) throw fail([...path, 'agree_from'], 'takes two nodes in rpc')
    if (agreeFrom !== undefined && family.field !== 'signers') {
      throw fail([...path, 'agree_from'], 'is not there for this chain yet')
    }
    return {
      ...settlingOf(keys, { path, isEvm: family.field === 'signers', signers, tokens, checkKey, fail }),
      network: id,
      rpc,
      signers,
      ...rulesOf(id),
      ...(known === undefined ? {} : { assets: known }),
      ...(agreeFrom === undefined ? {} : { agreeFrom }),
    }
  })
  if (networks.length === 0) throw fail(['networks'], 'no network is given')
  const operation = operationOf(value, { listen, networks, networkOf, fail, isLiteral, isPrivate, file })
  return { ...listen, store, networks, engine, hintForHour, operation }
}

/** What is asked of chains about payments that were made. */
const BOOKS = [
  'store',
  ...['rpc', 'agree_from', 'assets', 'schemes', 'wallet_factories', 'delegations', 'self_batch', 'auth_capture'].map(
    (field) => `networks.*.${field}`,
  ),
]

/**
 * The journal that a facilitator's file names: an absolute path, or the URL of its database. Nothing else in the file is looked at, nor the variables that it names.
 * Throws a usage error with file, line and reason.
 */
export async function readJournalPlace(file: string, environment: Environment): Promise<string> {
  const { value, fail } = await readYamlFile(file, z.strictObject(Journal), environment, ['store'])
  return storeOf(value.store, file, fail)
}

/**
 * The hosts of the endpoints of a facilitator's file, by the names that the journal knows them by; none of one whose URL comes from a variable that is not set.
 */
export async function readWebhookHosts(file: string, environment: Environment): Promise<ReadonlyMap<string, string>> {
  const only = ['tenants.*.webhook.url', 'webhooks.operator.url']
  // A blank is no part of a host, and does no harm in a path.
  const filled = new Proxy(environment, { get: (known, name: string) => known[name] || ' ' })
  const read = await readYamlFile(file, Told, filled, only).catch(() => undefined)
  const { tenants = {}, webhooks } = read?.value ?? {}
  const urls = [
    ['operator', webhooks?.operator?.url] as const,
    ...Object.entries(tenants).map(([id, { webhook }]) => [`tenant.${id}`, webhook?.url] as const),
  ]
  return new Map(
    urls.flatMap(([id, url]) => (url !== undefined && URL.canParse(url) ? [[id, new URL(url).host] as const] : [])),
  )
}

const Target = z.optional(z.object({ url: z.optional(z.string()) }))
const Told = z.object({
  tenants: z.optional(z.record(z.string(), z.object({ webhook: Target }))),
  webhooks: z.optional(z.object({ operator: Target })),
})

/** A path in the file is meant from where the file is, wherever the command is run. */
function storeOf(store: string, file: string, fail: ConfigFile<unknown>['fail']): string {
  const wrong = lackOfStore(store)
  if (wrong !== undefined) throw fail(['store'], wrong)
  return store === ':memory:' || /^[a-z][a-z0-9+.-]+:/i.test(store) ? store : resolve(dirname(file), store)
}

type Keys = {
  readonly signers?: readonly string[] | undefined
  readonly fee_payer?: string | readonly string[] | undefined
}

/** How the keys of a chain family are given, and what they look like. */
const families: Readonly<Partial<Record<string, Family>>> = {
  eip155: {
    field: 'signers',
    keysOf: ({ signers }) => signers,
    form: 'a private key: 0x and 64 hex digits',
    isKey: (text) => /^0x[0-9a-fA-F]{64}$/.test(text),
  },
  solana: {
    field: 'fee_payer',
    keysOf: ({ fee_payer }) => (typeof fee_payer === 'string' ? [fee_payer] : fee_payer),
    form: 'a secret key: base58 of 64 bytes',
    isKey: (text) => /^[1-9A-HJ-NP-Za-km-z]{80,90}$/.test(text),
  },
}

type Family = {
  readonly field: keyof Keys
  keysOf(keys: Keys): readonly string[] | undefined
  readonly form: string
  isKey(text: string): boolean
}

function unknownNetwork(name: string, taken: readonly string[]): string {
  const near = nearName(
    name,
    v1Names().filter((each) => !taken.includes(each)),
  )
  const meant =
    near === undefined ? 'a known name such as base or base-sepolia' : `a known name; did you mean \`${near}\`?`
  return `not a CAIP-2 id and not ${meant}`
}

/** A ticker that is mistyped is found among the few that there are. */
function unknownAsset(asset: string, id: Network): string {
  const tickers = defaultAssets(id).map(({ symbol }) => symbol)
  const isAddress = /^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/.test(asset)
  return `${asset} is no ${isAddress ? 'known token' : 'default asset'} of this network, which has ${tickers.join(', ')}`
}

/** An id can be written of any chain there may be: most that nobody knows are mistyped. */
function withoutAssets(id: Network): string {
  const near = nearNetworks(id, knownNetworks()).map((each) => {
    const name = v1NameOf(each)
    return `\`${each}\`${name === undefined ? '' : ` (${name})`}`
  })
  const meant = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`
  return `no asset of this network is known, so nothing would be settled${meant}`
}

function knownNetworks(): readonly Network[] {
  const ids = v1Names().flatMap((name) => networkByV1Name(name) ?? [])
  return [...new Set(ids)].filter((id) => defaultAssets(id).length > 0)
}

function networkOf(name: string): Network | undefined {
  try {
    return network(name)
  } catch (error) {
    if (X402Error.is(error)) return undefined
    throw error
  }
}
