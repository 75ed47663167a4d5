import {
  type ChainDriver,
  type Clock,
  type Network,
  type NodeStatus,
  networkFamily,
  systemClock,
  v1NameOf,
} from '@groat/core'
import type { Store } from '@groat/store'
import type { Pressure } from '../access/pressure.js'
import { createDeliveries, type DeliveryStanding } from '../journal/deliveries.js'
import type { JournalTables } from '../journal/tables.js'
import { createLastKnown } from '../last-known.js'
import type { FacilitatorService, Health } from '../service.js'
import { systemTimers, type Timers } from '../timers.js'
import { createJournalView, type OpenCount } from './journal-view.js'
import type { LaneRow, ReplicaRow } from './replica-view.js'

/** How a facilitator stands. It is what the operator's page and the metrics show. */
export type Overview = {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The process that says so, as `replicas` and the lanes name it. */
  readonly replica: string
  readonly health: Health
  /** Settlements that are not at their end, by state. */
  readonly open: Readonly<Record<string, number>>
  readonly oldestOpenSeconds?: number
  readonly settling: number
  readonly verifying: number
  /** Settled in the last minute. */
  readonly settledLately: number
  readonly chains: readonly ChainOverview[]
  /** Processes that share the journal, and what they hold. */
  readonly replicas: readonly ReplicaRow[]
  /** Endpoints that have still to be told of something, or were given up with something untold. */
  readonly webhooks: readonly DeliveryStanding[]
}

/** One chain. */
export type ChainOverview = {
  readonly network: Network
  /** What people call it. */
  readonly name: string
  /** What its own coin is called, where that is known. */
  readonly coin?: string
  readonly schemes: readonly string[]
  /** Since when its oldest settlement has not come to its end. */
  readonly oldestOpenSeconds?: number
  readonly nodes: readonly NodeStatus[]
  readonly lanes: readonly LaneOverview[]
}

/** One signer on one chain. */
export type LaneOverview = {
  readonly signer: string
  /** The sequence number after the highest that the journal knows. */
  readonly nextNonce?: number
  /** Transactions that may still land, and the lowest and highest of their nonces. */
  readonly open: number
  readonly lowest?: number
  readonly highest?: number
  /** The replica that signs in it; absent while nobody does, and where all do. */
  readonly owner?: string
  /** The owner was not heard of in time: another may take the lane. */
  readonly lapsed?: true
  /** Every replica signs in it: the chain has no nonces. */
  readonly shared?: true
  /** What it has for fees, in the chain's own coin. */
  readonly balance?: string
  /** Settlements that this pays for, by what one cost in the mean of the last five hundred on this chain; absent before the first, but 0 where it has nothing. */
  readonly runway?: number
}

/** What an overview is taken of. */
export type OverviewOptions = {
  readonly service: Pick<FacilitatorService, 'health' | 'schemes' | 'replica'>
  readonly store: Store
  readonly pressure?: Pick<Pressure, 'settling' | 'verifying'>
  readonly clock?: Clock
  /** How it waits; this process's own timers unless told. */
  readonly timers?: Timers
}

/** Milliseconds for which an overview holds, so that many who look cost as much as one. */
const FRESH_MS = 1_000

/**
 * Makes the question after how a facilitator stands. What a chain does not answer in time is as it was seconds ago, or left out.
 *
 * @example
 * const overview = createOverview({ service, store })
 * ;(await overview()).chains
 */
export function createOverview(options: OverviewOptions): () => Promise<Overview> {
  const { service, store, pressure, clock = systemClock, timers = systemTimers } = options
  const view = createJournalView(store)
  const deliveries = createDeliveries({
    store: store.withTables<JournalTables>(),
    replica: 'overview',
    publishes: false,
  })
  const chains = [...new Set(service.schemes.flatMap((half) => half.chains))]
  const purses = new Map(
    chains.map((chain) => [
      chain,
      chain.signers.map((signer) => createLastKnown(async () => chain.gasBalance?.(signer), { clock, timers })),
    ]),
  )
  let known: { readonly at: number; readonly overview: Promise<Overview> } | undefined

  async function take(): Promise<Overview> {
    const at = clock()
    const [health, counts, lately, shown, replicas, webhooks] = await Promise.all([
      service.health(),
      view.open(),
      view.settledSince(
        at - 60_000,
        chains.map(({ network }) => network),
      ),
      Promise.all(chains.map(describe)),
      view.replicas(),
      deliveries.standing(),
    ])
    const open: Record<string, number> = {}
    for (const { state, count } of counts) open[state] = (open[state] ?? 0) + count
    return {
      at,
      replica: service.replica,
      health,
      open,
      ...oldestOf(counts, at),
      settling: pressure?.settling ?? 0,
      verifying: pressure?.verifying ?? 0,
      settledLately: lately,
      chains: shown.map((chain) => ({
        ...chain,
        ...oldestOf(
          counts.filter(({ network }) => network === chain.network),
          at,
        ),
      })),
      replicas,
      webhooks,
    }
  }

  async function describe(chain: ChainDriver): Promise<ChainOverview> {
    const { network } = chain
    const schemes = service.schemes
      .filter(({ networks }) => networks.includes(network))
      .map(({ scheme }) => scheme.name)
    const [cost, lanes] = await Promise.all([view.meanFee(network), view.lanes(network)])
    return {
      network,
      name: v1NameOf(network) ?? network,
      ...coinOf(network),
      schemes: [...new Set(schemes)],
      nodes: chain.nodes?.() ?? [],
      lanes: await Promise.all(
        chain.signers.map(async (signer, at): Promise<LaneOverview> => {
          const lane = lanes.find((each) => each.signer.toLowerCase() === signer.toLowerCase())
          const asked = await purses.get(chain)?.[at]?.()
          const balance = asked?.ok ? asked.value : undefined
          const runway = balance === 0n ? 0 : cost && balance !== undefined ? Number(balance / cost) : undefined
          return {
            ...standingOf(lane),
            signer,
            ...(chain.nextNonce === undefined ? { shared: true } : {}),
            ...(balance === undefined ? {} : { balance: formatCoin(balance, network) }),
            ...(runway === undefined ? {} : { runway }),
          }
        }),
      ),
    }
  }

  return () => {
    if (known === undefined || clock() - known.at >= FRESH_MS) {
      const mine = { at: clock(), overview: take() }
      known = mine
      mine.overview.catch(() => {
        if (known === mine) known = undefined
      })
    }
    return known.overview
  }
}

/** What the journal says of a lane, if anything. */
function standingOf(lane: LaneRow | undefined) {
  const { next: nextNonce, open = 0, ...rest } = lane ?? {}
  return { ...rest, open, ...(nextNonce === undefined ? {} : { nextNonce }) }
}

/** Coins that are not ether, by the names of their networks. */
const COINS: Readonly<Record<string, string>> = {
  avalanche: 'AVAX',
  'avalanche-fuji': 'AVAX',
  celo: 'CELO',
  educhain: 'EDU',
  flare: 'FLR',
  iotex: 'IOTX',
  monad: 'MON',
  peaq: 'PEAQ',
  polygon: 'POL',
  'polygon-amoy': 'POL',
  sei: 'SEI',
  'sei-testnet': 'SEI',
  'skale-base-sepolia': 'CREDIT',
}

const ETHER: ReadonlySet<string> = new Set([
  'abstract',
  'abstract-testnet',
  'base',
  'base-sepolia',
  'ethereum',
  'megaeth',
  'sepolia',
])

function coinOf(network: Network): { readonly coin?: string } {
  const name = v1NameOf(network) ?? ''
  const coin = networkFamily(network) === 'solana' ? 'SOL' : ETHER.has(name) ? 'ETH' : COINS[name]
  return coin === undefined ? {} : { coin }
}

/** Ether and the like have 18 decimals, SOL has 9. */
function formatCoin(amount: bigint, network: ChainDriver['network']): string {
  const decimals = networkFamily(network) === 'solana' ? 9 : 18
  const digits = amount.toString().padStart(decimals + 1, '0')
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals).slice(0, 6)}`
}

function oldestOf(counts: readonly OpenCount[], at: number): { readonly oldestOpenSeconds?: number } {
  const waiting = counts.flatMap(({ oldest = [] }) => oldest)
  if (waiting.length === 0) return {}
  const oldest = Math.min(...waiting)
  return { oldestOpenSeconds: Math.max(0, Math.round((at - oldest) / 1000)) }
}
