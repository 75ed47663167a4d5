import { type Network, network, X402Error } from '@groat/core'
import * as z from 'zod/mini'
import { type Environment, readYamlFile } from './yaml-file.js'

/** What `groat facilitator` runs. */
export type FacilitatorConfig = {
  readonly host: string
  readonly port: number
  /** Path of the journal. */
  readonly store: string
  readonly networks: readonly NetworkConfig[]
}

/** One chain of a facilitator. */
export type NetworkConfig = {
  readonly network: Network
  readonly rpc: readonly string[]
  /** Private keys of the accounts that pay for gas. */
  readonly signers: readonly `0x${string}`[]
  /** Tickers or addresses of the tokens that are settled; none means the network's default assets. */
  readonly assets: readonly string[]
}

const File = z.strictObject({
  listen: z._default(z.string(), '127.0.0.1:4402'),
  store: z.string().check(z.minLength(1)),
  networks: z.record(
    z.string(),
    z.strictObject({
      rpc: z.array(z.string().check(z.regex(/^https?:\/\//, 'expected an http or https URL'))).check(z.minLength(1)),
      signers: z.array(z.string()).check(z.minLength(1)),
      assets: z.optional(z.array(z.string())),
    }),
  ),
})

/**
 * Reads the configuration of a facilitator. Throws a usage error with file, line and reason.
 *
 * Keys stand in the file only as `${NAME}`, or in a file that its owner alone can read.
 */
export async function readFacilitatorConfig(file: string, environment: Environment): Promise<FacilitatorConfig> {
  const { value, fail, isLiteral, isPrivate } = await readYamlFile(file, File, environment)
  const listen = /^(.+):([0-9]{1,5})$/.exec(value.listen)
  if (listen?.[1] === undefined || Number(listen[2]) > 65_535) throw fail(['listen'], 'expected HOST:PORT')

  const networks = Object.entries(value.networks).map(([name, { rpc, signers, assets = [] }]): NetworkConfig => {
    const path = ['networks', name]
    const id = networkOf(name)
    if (id === undefined) throw fail(path, 'not a CAIP-2 id and not a known name such as base or base-sepolia')
    for (const [index, key] of signers.entries()) {
      if (!isPrivateKey(key)) throw fail([...path, 'signers', index], 'expected a private key: 0x and 64 hex digits')
      if (!isPrivate && isLiteral([...path, 'signers', index])) {
        throw fail(
          [...path, 'signers', index],
          'a key stands in a file that others can read; name a variable, or chmod 600',
        )
      }
    }
    return { network: id, rpc, signers: signers.filter(isPrivateKey), assets }
  })
  if (networks.length === 0) throw fail(['networks'], 'no network is given')
  return { host: listen[1], port: Number(listen[2]), store: value.store, networks }
}

function isPrivateKey(text: string): text is `0x${string}` {
  return /^0x[0-9a-fA-F]{64}$/.test(text)
}

function networkOf(name: string): Network | undefined {
  try {
    return network(name)
  } catch (error) {
    if (X402Error.is(error)) return undefined
    throw error
  }
}
