import { type Network, network, networkFamily, type SchemeFacilitator } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm } from '@groat/svm/exact/facilitator'
import { CliError } from '../terminal/exit.js'

/** Halves of schemes that only read: for networks of which a node is named, as `base=https://…`, or as a URL alone where there is one network. */
export async function chainsOf(
  networks: readonly Network[],
  rpc: readonly string[],
): Promise<readonly Pick<SchemeFacilitator, 'scheme' | 'networks' | 'outcome'>[]> {
  const nodes = nodesOf(networks, rpc)
  return Promise.all(
    [...nodes].map(async ([id, url]) => {
      if (networkFamily(id) === 'solana') {
        return exactSvm({ chains: [createSvmChain({ network: id, rpc: url, signers: [] })] })
      }
      return exactEvm({ chains: [await createEvmChain({ network: id, rpc: url, signers: [] })] })
    }),
  )
}

/** The nodes that were named, by network. */
export function nodesOf(networks: readonly Network[], rpc: readonly string[]): ReadonlyMap<Network, string> {
  return new Map(
    rpc.map((text): [Network, string] => {
      const at = text.indexOf('=')
      const isNamed = at > 0 && !/^https?:/.test(text)
      const [only, ...others] = networks
      const id = isNamed ? network(text.slice(0, at)) : others.length === 0 ? only : undefined
      const url = isNamed ? text.slice(at + 1) : text
      if (id === undefined || !/^https?:\/\//.test(url)) {
        throw new CliError(
          'usage',
          `${text} does not name a node`,
          'Write it as base=https://…, once for each network.',
        )
      }
      return [id, url]
    }),
  )
}
