import { type Network, networkFamily, type Simulate } from '@groat/core'
import { simulateEvm } from '@groat/evm/simulate'
import { simulateSvm } from '@groat/svm/simulate'
import { nodesOf } from './chains.js'
import { sandboxNodes } from './wallet.js'

/**
 * Runs payments before they are signed, on the nodes that were named as `base=https://…`; for a dry run against a sandbox, on those of the sandbox.
 * `undefined` where there are none.
 */
export async function simulatorFor(
  target: URL,
  { rpc = [], dryRun = false }: { readonly rpc?: readonly string[]; readonly dryRun?: boolean },
): Promise<Simulate | undefined> {
  const named = rpc.length > 0 ? nodesOf([], rpc) : dryRun ? await sandboxNodes(target) : new Map<Network, string>()
  if (named.size === 0) return undefined
  const nodes: Partial<Record<Network, string>> = Object.fromEntries(named)
  const [evm, svm] = [simulateEvm(nodes), simulateSvm(nodes)]
  return (offer, payer, asset) => (networkFamily(offer.network) === 'solana' ? svm : evm)(offer, payer, asset)
}
