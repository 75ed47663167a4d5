import type { Overview } from '../admin/overview.js'
import type { Health, HealthReason } from '../service.js'

/** Settlements that a signer has to be able to pay for. */
const MIN_RUNWAY = 10

/** Seconds after which a settlement that is not at its end says that something is stuck. */
const MAX_OPEN_SECONDS = 180

/**
 * Whether payments on one network can be taken: the service and its store, that chain's nodes, gas for some settlements in at least one of
 * its signers, and nothing stuck.
 *
 * @example
 * readinessOf('eip155:8453', await service.health(), await overview())
 */
export function readinessOf(network: string, { reasons }: Health, overview: Overview | undefined): Health {
  const mine = reasons.filter((reason) => reason.part !== 'chain' || reason.network === network)
  const chain = overview?.chains.find((each) => each.network === network)
  if (overview === undefined || chain === undefined) return { ready: mine.length === 0, reasons: mine }
  const id = chain.network
  const more: HealthReason[] = []
  const usable = chain.nodes.filter(({ state }) => state === 'up' || state === 'failing')
  if (chain.nodes.length > 0 && usable.length === 0) more.push({ part: 'chain', network: id, code: 'rpc_unreachable' })
  const known = chain.lanes.filter(({ runway }) => runway !== undefined)
  if (known.length > 0 && known.every(({ runway = 0 }) => runway < MIN_RUNWAY)) {
    more.push({ part: 'chain', network: id, code: 'signer_out_of_gas' })
  }
  if ((overview.oldestOpenSeconds ?? 0) > MAX_OPEN_SECONDS) {
    more.push({ part: 'chain', network: id, code: 'facilitator_overloaded' })
  }
  const all = [...mine, ...more]
  return { ready: all.length === 0, reasons: all }
}
