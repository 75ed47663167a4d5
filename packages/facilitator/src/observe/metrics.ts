import type { OnEvent, X402Event } from '@groat/core'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Overview } from '../admin/overview.js'
import type { Denial } from '../http/access.js'
import { isOpen, phases, type SettlementState } from '../journal/state.js'

/** The metrics of one facilitator. Labels are bounded: networks, schemes, codes and tenants of the configuration, never a payer. */
export interface Metrics {
  readonly onEvent: OnEvent
  readonly onDenied: (denial: Denial) => void
  /** Tells of an answer that left. */
  answered(route: string, status: number, seconds: number): void
  /** The text that Prometheus reads, and its type. Standing figures are taken from `overview` when it is asked for. */
  read(overview: () => Promise<Overview>): Promise<{ readonly type: string; readonly text: string }>
}

/** Said of payments whose network and scheme are served here, also by a process that has only just started. */
const OURS: ReadonlySet<X402Event['type']> = new Set([
  'payment_verified',
  'payment_claimed',
  'transaction_sent',
  'payment_settled',
  'payment_final',
  'payment_reorged',
])

/** What is not at its end: none of it is 0, and no gap in the figures. */
const OPEN_STATES = (Object.keys(phases) as SettlementState[]).filter(isOpen)

const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32]

/**
 * Makes the metrics of a facilitator, with those of the Node process. `endpoints` are those of its webhooks: what waits for them is 0 where nothing does.
 *
 * @example
 * const metrics = createMetrics()
 * const facilitator = createFacilitator({ …, onEvent: metrics.onEvent })
 */
export function createMetrics({ endpoints = [] }: { readonly endpoints?: readonly string[] } = {}): Metrics {
  const registry = new Registry()
  const told = new Set(endpoints)
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name: `groat_${name}_total`, help, labelNames, registers })
  const events = counter('payments', 'What happened to payments, by kind of event', ['event', 'network', 'scheme'])
  const refusals = counter('refusals', 'Payments that were refused, by code', ['code', 'network'])
  const faults = counter('faults', 'Faults that the operator was told of, by code', ['code'])
  const denied = counter('denied', 'Requests that were turned away at the door', ['code', 'tenant', 'ring'])
  const requests = new Histogram({
    name: 'groat_http_request_seconds',
    help: 'Seconds from a request to its answer',
    labelNames: ['route', 'status'],
    buckets: SECONDS,
    registers,
  })
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `groat_${name}`, help, labelNames, registers })
  const standing = {
    open: gauge('open_settlements', 'Settlements that are not at their end, by state', ['state']),
    oldest: gauge('oldest_open_seconds', 'Age of the oldest open settlement'),
    settling: gauge('settling', 'Callers that wait for a settlement'),
    verifying: gauge('verifying', 'Verifications under way'),
    nodeUp: gauge('node_up', 'Whether a node is asked first', ['network', 'host']),
    nodeLag: gauge('node_lag_blocks', 'Blocks that a node is behind', ['network', 'host']),
    runway: gauge(
      'gas_runway_settlements',
      'Settlements that a signer can still pay for, by the mean of the last 500',
      ['network', 'signer'],
    ),
    waiting: gauge('webhooks_waiting', 'Webhooks that an endpoint has still to be told', ['endpoint']),
    dead: gauge('webhooks_given_up', 'Webhooks that an endpoint never took, and is told of no more', ['endpoint']),
    ready: gauge('network_ready', 'Whether nothing stands in the way of payments on a network', ['network']),
  }

  function set({ health, open, oldestOpenSeconds, settling, verifying, chains, webhooks }: Overview): void {
    standing.open.reset()
    // Of who has been told everything the journal knows no more.
    for (const endpoint of told) {
      standing.waiting.set({ endpoint }, 0)
      standing.dead.set({ endpoint }, 0)
    }
    for (const { endpoint, waiting, dead } of webhooks) {
      told.add(endpoint)
      standing.waiting.set({ endpoint }, waiting)
      standing.dead.set({ endpoint }, dead)
    }
    for (const state of OPEN_STATES) standing.open.set({ state }, open[state] ?? 0)
    standing.oldest.set(oldestOpenSeconds ?? 0)
    standing.settling.set(settling)
    standing.verifying.set(verifying)
    for (const { network, nodes, lanes } of chains) {
      const inTheWay = health.reasons.some((reason) => reason.part !== 'chain' || reason.network === network)
      standing.ready.set({ network }, inTheWay ? 0 : 1)
      for (const { host, state, lag } of nodes) {
        standing.nodeUp.set({ network, host }, state === 'up' ? 1 : 0)
        standing.nodeLag.set({ network, host }, Number(lag))
      }
      for (const { signer, runway } of lanes) {
        if (runway !== undefined) standing.runway.set({ network, signer }, runway)
      }
    }
  }

  // What strangers name is a label only where it is known to be ours: a verdict of `invalid_network` carries any.
  const known = new Set<string>()
  return {
    onEvent({ type, network = '', scheme = '', code }) {
      if (type === 'fault') return faults.inc({ code: code ?? '' })
      if (/^(lane|replica|node)_/.test(type)) return
      if (OURS.has(type)) known.add(`${network} ${scheme}`)
      const ours = known.has(`${network} ${scheme}`) ? { network, scheme } : { network: 'other', scheme: 'other' }
      events.inc({ event: type, ...ours })
      if (type === 'payment_refused') refusals.inc({ code: code ?? '', network: ours.network })
    },
    onDenied: ({ code, tenant = '', ring = '' }) => denied.inc({ code, tenant, ring }),
    answered: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
    async read(overview) {
      // What cannot be asked now leaves the figures of before; the process's own are always there.
      await overview().then(set, () => undefined)
      return { type: registry.contentType, text: await registry.metrics() }
    },
  }
}
