import type { Balances } from '@groat/client/buyer'
import { type Network, networkFamily, type Simulate } from '@groat/core'
import { balancesEvm, simulateEvm } from '@groat/evm/simulate'
import { balancesSvm, simulateSvm } from '@groat/svm/simulate'
import { nodesOf } from './chains.js'
import { sandboxNodes } from './wallet.js'

/** What nodes of the buyer's own choice are asked before anything is signed. */
export type OwnNodes = { readonly balances?: Balances; readonly simulate?: Simulate }

/**
 * Balances, and payments that are run before they are signed, by the nodes that were named as `base=https://…`. On loopback without any, a sandbox's own
 * nodes serve: for balances, once something has a price, and for simulation in a dry run.
 */
export async function ownNodes(
  target: URL,
  { rpc = [], dryRun = false }: { readonly rpc?: readonly string[]; readonly dryRun?: boolean },
): Promise<OwnNodes> {
  if (rpc.length > 0) return askingOf(nodesOf([], rpc))
  if (dryRun) return askingOf(await sandboxNodes(target))
  let found: Promise<OwnNodes> | undefined
  return {
    async balances(asset, account) {
      found ??= sandboxNodes(target).then(askingOf)
      return (await found).balances?.(asset, account)
    },
  }
}

function askingOf(named: ReadonlyMap<Network, string>): OwnNodes {
  if (named.size === 0) return {}
  const nodes: Partial<Record<Network, string>> = Object.fromEntries(named)
  const evm = { simulate: simulateEvm(nodes), balances: balancesEvm(nodes) }
  const svm = { simulate: simulateSvm(nodes), balances: balancesSvm(nodes) }
  const on = (network: Network) => (networkFamily(network) === 'solana' ? svm : evm)
  return {
    balances: (asset, account) => on(asset.network).balances(asset, account),
    simulate: (offer, payer, asset) => on(offer.network).simulate(offer, payer, asset),
  }
}
