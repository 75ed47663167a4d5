import { canonicalAddress } from '@groat/core'
import type { ChainOverview, Overview } from '../admin/overview.js'
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
export function readinessOf(network: string, { reasons, notes = [] }: Health, overview: Overview | undefined): Health {
  const isMine = (reason: HealthReason) => reason.part !== 'chain' || reason.network === network
  const mine = reasons.filter(isMine)
  const chain = overview?.chains.find((each) => each.network === network)
  const more = chain === undefined ? [] : standingOf(chain).filter(isNew(mine))
  const all = [...mine, ...more]
  const beside = notes.filter(isMine).filter(isNew(all))
  return { ready: all.length === 0, reasons: all, ...(beside.length === 0 ? {} : { notes: beside }) }
}

/** What an overview says is in the way of payments on a chain. */
function standingOf({ network, nodes, lanes, oldestOpenSeconds = 0 }: ChainOverview): HealthReason[] {
  const said: HealthReason[] = []
  const usable = nodes.filter(({ state }) => state === 'up' || state === 'failing')
  if (nodes.length > 0 && usable.length === 0) said.push({ part: 'chain', network, code: 'rpc_unreachable' })
  // Before the first settlement nobody knows how many others can pay for; it is some.
  const known = lanes.filter(({ balance }) => balance !== undefined)
  if (known.every(({ runway = MIN_RUNWAY }) => runway < MIN_RUNWAY)) {
    for (const { signer } of known) said.push({ part: 'chain', network, code: 'signer_out_of_gas', signer })
  }
  if (oldestOpenSeconds > MAX_OPEN_SECONDS) said.push({ part: 'chain', network, code: 'facilitator_overloaded' })
  return said
}

/** Whether something is not said yet. */
function isNew(said: readonly HealthReason[]): (reason: HealthReason) => boolean {
  const known = new Set(said.map(keyOf))
  return (reason) => !known.has(keyOf(reason))
}

function keyOf(reason: HealthReason): string {
  const signer = reason.part === 'chain' ? reason.signer : undefined
  return [reason.part, 'code' in reason ? reason.code : reason.state, signer && canonicalAddress(signer)].join(' ')
}
