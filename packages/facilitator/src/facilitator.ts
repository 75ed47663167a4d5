import {
  type ChainDriver,
  DEFAULT_RETRY_AFTER,
  type ErrorCode,
  type FacilitatorRequest,
  type Network,
  networkFamily,
  notify,
  type PaymentRequirements,
  type Pid,
  type Supported,
  systemClock,
  systemRandom,
  type Verdict,
  X402Error,
  type X402Event,
} from '@groat/core'
import { createWebhookSender } from '@groat/core/webhook'
import { crashpoint } from './crashpoint.js'
import { createBudget } from './engine/budget.js'
import { createKeeper, type KeeperEvent } from './engine/keeper.js'
import { createLane, type LaneOptions } from './engine/lane.js'
import { createRoutes, type Routes } from './engine/route.js'
import { createSettler } from './engine/settler.js'
import { createShortage, type Shortfall } from './engine/shortage.js'
import { createWatcher } from './engine/watcher.js'
import { createReporter, type Fault, isTurnedAway } from './fault.js'
import { createHealth } from './health.js'
import { createJournal } from './journal/journal.js'
import { type SettledPayment, type SettlementRecord, settlementOf } from './journal/record.js'
import { isLive } from './journal/state.js'
import { createNodeWatch, type NodeEvent } from './node-watch.js'
import { createOpening } from './opening.js'
import { type Presentation, readPresentation, storedRequest } from './presentation.js'
import { createRecall } from './recall.js'
import type { FacilitatorOptions, FacilitatorService, WebhookOptions } from './service.js'
import { createSettling, newestOf } from './settling.js'
import { sleep, systemTimers, upTo } from './timers.js'
import { createCourier } from './webhooks/courier.js'
import { createTelling } from './webhooks/endpoint.js'

/**
 * Makes a facilitator: it verifies payments, settles each exactly once, and remembers what became of it.
 * Nothing happens before `start`. Throws `X402Error` `invalid_config` when the schemes do not fit together.
 *
 * @example
 * const facilitator = createFacilitator({ schemes: [exactEvmFacilitator(…)], store: await openStore('pay.db') })
 * await facilitator.start()
 * const outcome = await facilitator.settle({ payment, requirements })
 */
export function createFacilitator(options: FacilitatorOptions): FacilitatorService {
  const {
    clock = systemClock,
    timers = systemTimers,
    random = systemRandom,
    onEvent,
    onFault,
    rebroadcast = 5000,
  } = options
  const { minRemainingSeconds = 6, settleTimeout = 25_000, stopTimeout = 25_000 } = options
  const { lease = 15_000, watchInterval = 2000, depth = 4, limits = {}, finality = () => 1, outbox = false } = options
  const { endpoints, allowPrivate = false, timeout = 10_000, ...timing } = options.webhooks ?? NO_WEBHOOKS
  const report = createReporter({ onFault, onEvent, clock, random })
  const { openPerPayer = 64, failuresPerPayer = 5 } = limits
  const webhooks = createTelling(endpoints, { allowPrivate })
  const lag = (network: Network) => options.nodeLag?.(network) ?? 5000
  const journal = createJournal({
    store: options.store,
    clock,
    timers,
    replica: Buffer.from(random(8)).toString('hex'),
    limits: { open: openPerPayer, failures: failuresPerPayer },
    lag,
    telling: (topic, tenant) => webhooks(topic, tenant) ?? (outbox ? [] : undefined),
    onTold: () => courier.nudge(),
    publishes: !outbox,
  })
  const courier = createCourier({
    ...timing,
    deliveries: journal.deliveries,
    endpoints,
    sender: createWebhookSender({ allowPrivate, clock, timeoutMs: timeout }),
    timeout,
    random,
    onGivenUp: ({ endpoint, pid, topic, tries }, said) => {
      const context = { endpoint, topic, tries: tries + 1, said }
      report(new X402Error('webhook_undelivered', context), { during: 'webhook', pid: pid as Pid })
    },
    onError: (error) => void report(error, { during: 'webhook' }),
  })
  const recall = createRecall((payment) => routes.find(payment))
  const hours = new Map<Network, Pick<LaneOptions, 'budget' | 'shortage'>>()
  const routes = createRoutes(options.schemes, (chain, signer) => {
    const { network } = chain
    const hour = hourOf(chain)
    const maxCost = ({ asset, amount }: SettlementRecord) => limits.feePerPayment?.({ network, asset, amount })
    return createLane({
      chain,
      signer,
      journal,
      clock,
      timers,
      ...hour,
      recall: recall.call,
      maxCost,
      depth,
      rebroadcast,
      lag: lag(network),
      onBlocked(code) {
        const short = code === 'fee_above_limit' ? hour.shortage.shortfall : undefined
        tellOf({ type: code === undefined ? 'lane_unblocked' : 'lane_blocked', network, signer, code, ...short })
      },
      onError: (error) => void report(error, { during: 'lane', network }),
    })
  })
  const settler = createSettler({
    ...{ journal, clock, timers, minRemainingSeconds, finality, lag, onEvent, report },
    isAlone: (network) => keeper.isAlone(network),
    isReached: (network) => keeper.isReached(network),
  })
  const settle = createSettling({
    ...{ journal, routes, settler, clock, timers, minRemainingSeconds, settleTimeout },
    onClaimed: (record) => tell(record, 'payment_claimed'),
  })
  const opening = createOpening({
    chains: routes.chains,
    timers,
    onOpen: () => keeper.nudge(),
    onError: (error, network) => void report(error, { during: 'start', network }),
  })
  const isOpen = ({ network }: { readonly network: Network }) => opening.shut(network) === undefined
  const chains = () => routes.chains.filter(isOpen)
  const serves = () => routes.serves.filter(isOpen)
  const watched = () => chains().flatMap(({ network, blockHash }) => (blockHash === undefined ? [] : network))
  const keeper = createKeeper({
    journal,
    lanes: () => routes.lanes().filter(isOpen),
    ...{ serves, watched },
    lease,
    clock,
    timers,
    isCarried: (pid) => settler.run(pid) !== undefined,
    carry: (record) => void resume(record),
    tell: tellOf,
    onError: (error) => void report(error, { during: 'lease' }),
  })
  const watcher = createWatcher({
    journal,
    chains,
    reopen: routes.reopen,
    clock,
    timers,
    interval: watchInterval,
    blockOf: recall.block,
    onFinal: (record) => tell(record, 'payment_final'),
    onReorg: (record) => {
      tell(record, 'payment_reorged')
      void resume(record)
    },
    onError: (error) => void report(error, { during: 'watch' }),
  })
  const nodes = createNodeWatch({ chains: routes.chains, timers, tell: tellOf })
  const supported = describe(options.schemes, routes)
  const health = createHealth({ journal, routes, clock, timers, shut: opening.shut, phase: () => phase })
  const settling = new Set<Promise<unknown>>()
  let phase: 'starting' | 'serving' | 'stopping' = 'starting'
  let hasJoined = false
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined

  async function start(): Promise<void> {
    assertNotStopped()
    for (const step of [journal.migrate, opening.start, join, sweep]) {
      await step()
      assertNotStopped()
    }
    watcher.start()
    nodes.start()
    courier.start()
    phase = 'serving'
  }

  async function join(): Promise<void> {
    if (!hasJoined) tellOf({ type: 'replica_started' })
    hasJoined = true
    await keeper.start()
  }

  async function sweep(): Promise<void> {
    const schemes = await journal.openSchemes()
    schemes.filter((each) => !routes.find(each).ok).forEach(tellUnserved)
    const open = await journal.adopt(serves(), watched())
    for (let at = 0; at < open.length; at += SWEEP) {
      assertNotStopped()
      await Promise.all(open.slice(at, at + SWEEP).map((record) => resume(record)))
      crashpoint('FP-13')
    }
  }

  /** The signers of a network share one hour. */
  function hourOf(chain: ChainDriver): Pick<LaneOptions, 'budget' | 'shortage'> {
    const { network } = chain
    const known = hours.get(network)
    if (known !== undefined) return known
    const budget = createBudget({ journal, network, perHour: limits.feePerHour?.(network), clock })
    const made = { budget, shortage: createShortage({ chain, budget, journal, recall: recall.call, timers }) }
    hours.set(network, made)
    return made
  }

  /** Carries on with what is in the journal; resolves when the chain was asked once after what may have left. What has not waits for its turn. */
  async function resume(record: SettlementRecord): Promise<void> {
    const route = routes.find(record)
    if (!route.ok) {
      // Its block was watched here, and is gone.
      tellUnserved(record)
      await journal.give(record).catch((error) => report(error, { during: 'watch', pid: record.pid }))
      return
    }
    const { looked } = settler.carry(record, storedRequest(record), route)
    return record.state === 'claimed' ? undefined : looked
  }

  /** What is open and not served here waits for a replica that serves it, and there may be none. */
  function tellUnserved({ network, scheme }: Pick<SettlementRecord, 'network' | 'scheme'>): void {
    const reason = 'payments are open that are not served here'
    report(new X402Error('invalid_config', { network, scheme, reason }), { during: 'start' })
  }

  async function verify(request: FacilitatorRequest): Promise<Verdict> {
    const route = routes.find(request.requirements)
    if (!route.ok) return route
    const [signer] = route.chain.signers
    const { payment, requirements } = request
    const at = { now: clock(), minRemainingSeconds, ...(signer === undefined ? {} : { signer }) }
    const verdict = await route.half.verify(payment, requirements, at)
    const lane = verdict.ok ? route.laneOf(verdict.payer, request) : undefined
    // Good, and nothing here could send it: who goes by a yes would do the work and have the settlement turned down.
    if (lane?.blocked !== undefined) throw new X402Error(lane.blocked, { network: lane.network, signer: lane.signer })
    return verdict
  }

  function tell(record: SettledPayment, type: X402Event['type']): void {
    const { pid, network, scheme, payer, payTo, asset, amount, evidence } = record
    const about = { pid, network, scheme, payer, payTo, asset, amount }
    notify(onEvent, { type, at: clock(), ...about, ...(evidence && { transaction: evidence.transaction }) })
  }

  function tellOf({ code, ...event }: LaneEvent): void {
    notify(onEvent, { at: clock(), replica: journal.replica, ...event, ...(code === undefined ? {} : { code }) })
  }

  /** Which payment it is, and what stands in the way of sending it, where that is known. */
  function tellUnknown(request: FacilitatorRequest): void {
    const { network, scheme } = request.requirements
    const presented = readPresentation(request, routes, { now: clock(), minRemainingSeconds: 0 })
    const { pid, payer } = presented.ok ? presented.claim : { pid: presented.late?.pid, payer: presented.payer }
    const code = presented.ok ? blockedFor(presented, request) : undefined
    notify(onEvent, {
      ...{ type: 'settlement_unknown', at: clock(), network, scheme },
      ...(pid === undefined ? {} : { pid }),
      ...(payer === undefined ? {} : { payer }),
      ...(code === undefined ? {} : { code }),
    })
  }

  /** What is signed waits for the lane in which it is. */
  function blockedFor({ claim, route }: Presentation, request: FacilitatorRequest): ErrorCode | undefined {
    const signed = settler.run(claim.pid)?.record.attempts.findLast(isLive)
    return (signed === undefined ? route.laneOf(claim.payer, request) : route.laneBy(signed.transaction.signer))
      ?.blocked
  }

  function assertNotStopped(): void {
    if (phase === 'stopping') throw new X402Error('shutting_down')
  }

  function assertServing({ network }: PaymentRequirements): void {
    assertNotStopped()
    if (phase === 'starting') throw new X402Error('facilitator_starting')
    // Nothing has proved yet that its nodes are of that chain, and its assets what they are said to be.
    if (opening.shut(network) !== undefined) throw new X402Error('facilitator_starting', { network })
  }

  /** What leaves carries a code and a reference; the story goes to the operator. */
  async function told<T>(
    about: Pick<Fault, 'during' | 'network'>,
    fallback: ErrorCode,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // Nothing is broken.
      if (isTurnedAway(error) || (X402Error.is(error) && error.code === 'quota_exceeded')) throw error
      const reference = report(error, about)
      throw new X402Error(X402Error.is(error) ? error.code : fallback, { reference }, { cause: error })
    }
  }

  async function stop(): Promise<void> {
    phase = 'stopping'
    opening.stop()
    const patience = new AbortController()
    await Promise.race([Promise.allSettled([...settling, starting]), sleep(timers, stopTimeout, patience.signal)])
    patience.abort()
    const quiet = Promise.all([watcher.stop(), settler.stop(), ...routes.lanes().map((lane) => lane.stop())])
    await upTo(timers, LAST_QUESTIONS, [quiet])
    await Promise.all([keeper.stop(), courier.stop()])
    nodes.stop()
    if (hasJoined) tellOf({ type: 'replica_stopped' })
  }

  function isRenewed(dead: SettlementRecord): boolean {
    const route = routes.find(dead)
    return route.ok && dead.requestText !== '' && route.half.renews?.(storedRequest(dead).payment) === true
  }

  async function find(pid: Pid) {
    const record = settler.run(pid)?.record ?? (await newestOf(journal, pid, isRenewed))
    if (record === undefined) return undefined
    const { network, scheme, payer, payTo, asset, amount } = record
    return { pid, network, scheme, payer, payTo, asset, amount, settlement: settlementOf(record, DEFAULT_RETRY_AFTER) }
  }

  return {
    start() {
      if (phase === 'stopping') starting = undefined
      starting ??= start().catch((error) => {
        starting = undefined
        opening.stop()
        throw error
      })
      return starting
    },

    stop() {
      stopping ??= stop()
      return stopping
    },

    verify: (request) =>
      told({ during: 'verify', network: request.requirements.network }, 'unexpected_verify_error', async () => {
        assertServing(request.requirements)
        // Who goes by a yes would do the work and have the settlement turned down.
        if (keeper.isJournalAway()) throw new X402Error('store_unavailable')
        const verdict = await verify(request)
        const { network, scheme } = request.requirements
        const about = { at: clock(), network, scheme, ...(verdict.payer === undefined ? {} : { payer: verdict.payer }) }
        notify(
          onEvent,
          verdict.ok
            ? { type: 'payment_verified', ...about }
            : { type: 'payment_refused', during: 'verify', code: verdict.code, ...about },
        )
        return verdict
      }),

    settle: (request, callOptions = {}) =>
      told({ during: 'settle', network: request.requirements.network }, 'unexpected_settle_error', async () => {
        assertServing(request.requirements)
        const work = settle(request, callOptions)
        settling.add(work)
        const settlement = await work.finally(() => settling.delete(work))
        if (settlement.status === 'unknown') tellUnknown(request)
        return settlement
      }),

    supported: async () => supported,
    settlement: async (pid) => (await find(pid))?.settlement,
    find: (pid) => told({ during: 'settle' }, 'unexpected_settle_error', () => find(pid)),
    inspect({ payment, requirements }) {
      const route = routes.find(requirements)
      return route.ok ? route.half.inspect(payment, requirements, { now: clock(), minRemainingSeconds }) : route
    },
    replica: journal.replica,
    schemes: options.schemes,
    outbox: journal.outbox,
    webhooks: () => journal.deliveries.standing(),
    health,
  }
}

/** Something that happens to this replica, another, or a lane. */
type LaneEvent = (KeeperEvent | NodeEvent) & Partial<Shortfall> & { readonly code?: ErrorCode | undefined }

const NO_WEBHOOKS: WebhookOptions = { endpoints: [] }

/** Milliseconds for which a stop waits for what was asked last: signers are not kept from others by a question that nobody answers. */
const LAST_QUESTIONS = 10_000

/** Open payments that are looked up at once when a facilitator starts. */
const SWEEP = 32

function describe(schemes: FacilitatorOptions['schemes'], { chains }: Routes): Supported {
  const signers: Record<string, string[]> = {}
  for (const { network, signers: mine } of chains) {
    const family = `${networkFamily(network)}:*`
    signers[family] = [...new Set([...(signers[family] ?? []), ...mine])]
  }
  const extensions = [...new Set(schemes.flatMap((half) => half.extensions ?? []))]
  return { kinds: schemes.flatMap((half) => half.kinds()), extensions, signers }
}
