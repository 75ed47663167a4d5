import { type Clock, type Network, type Pid, X402Error, type X402Event } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { HeldLane, Renewed, TakenLane } from '../journal/leases.js'
import type { SettlementRecord } from '../journal/record.js'
import { type Timers, upTo } from '../timers.js'
import type { Lane } from './lane.js'
import { createReopenings } from './reopenings.js'
import type { Serving } from './route.js'
import { createShares } from './shares.js'
import { createSignal } from './signal.js'
import { createTakings } from './takings.js'

/** Keeps this replica alive in the journal, with its share of the lanes and of the work. */
export interface Keeper {
  /** Whether no other replica can sign on a network: none holds a lane there. */
  isAlone(network: Network): boolean
  /** Whether the nodes of a network answer another replica, to which may be left what cannot be asked here. */
  isReached(network: Network): boolean
  /** Whether the journal could not be reached when it was last asked. */
  isJournalAway(): boolean
  /** Takes a share; rejects when the journal cannot be read, or no chain. */
  start(): Promise<void>
  /** There are more lanes than there were: it looks at once. */
  nudge(): void
  /** Lets everything go, so that others need not wait. */
  stop(): Promise<void>
}

/** What a keeper works with. */
export type KeeperOptions = {
  readonly journal: Journal
  readonly lanes: () => readonly Lane[]
  /** What is served here: nothing else is taken on. A payment that was given away and found nobody is ended by whoever serves it. */
  readonly serves: () => readonly Serving[]
  /** Networks on which a block says by itself whether it is still there: all that is settled is watched. */
  readonly watched: () => readonly Network[]
  /** Milliseconds after which a replica that was not heard of counts as gone. */
  readonly lease: number
  readonly clock: Clock
  readonly timers: Timers
  readonly isCarried: (pid: Pid) => boolean
  /** Carries on with what was somebody else's. */
  readonly carry: (record: SettlementRecord) => void
  readonly tell: (event: KeeperEvent) => void
  readonly onError: (error: unknown) => void
}

/** What happens to lanes, and to others that hold some. */
export type KeeperEvent = Pick<X402Event, 'type' | 'network' | 'signer' | 'replica' | 'from'>

/**
 * Makes a keeper. Replicas share the lanes evenly: who has too many lets some go as soon as they are idle, who has too few takes free ones, and who can takes what nobody else does. Lanes on
 * chains without nonces are nobody's to lease: each replica has them that can ask the chain.
 *
 * @example
 * const keeper = createKeeper({ journal, lanes, serves, watched, lease: 15_000, clock, timers, isCarried, carry, tell, onError })
 */
export function createKeeper({
  journal,
  lanes,
  serves,
  watched,
  lease,
  clock,
  timers,
  isCarried,
  carry,
  tell,
  onError,
}: KeeperOptions): Keeper {
  const { leases } = journal
  const held = new Map<Lane, HeldLane>()
  const takings = createTakings({
    ...{ lease, clock, onTaken, release: letGo, onError },
    onFailed: (lane) => shares.failed(lane),
  })
  const shares = createShares({ lanes, held, taking: takings, clock, leave: lease / 5 + 2 * PAUSES.waiting })
  const reopenings = createReopenings({ held, onError })
  const stopping = createSignal()
  let alive = 1
  /** Networks on which others hold lanes, and which of them reach which. */
  let others: ReadonlySet<Network> = new Set()
  let reached: Renewed['reached'] = new Map()
  /** `keeping`: beat follows beat; `serving`: what others left is looked for, too. */
  let phase: 'new' | 'keeping' | 'serving' | 'stopped' = 'new'
  let hasJoined = false
  let isAway = false
  let beating: Promise<void> | undefined
  let takingOver: Promise<void> | undefined
  /** Calls off the next beat; there is none to be called off while one is under way. */
  let callOff: (() => void) | undefined
  let stopWatching = () => {}

  const networks = () => [...new Set(lanes().map(({ network }) => network))]
  const isAlone = (network: Network) => !others.has(network)
  const isReached = (network: Network) => reached.has(network)
  const isCutOff = (network: Network) => lanes().some((lane) => lane.network === network && lane.cutOff)
  /** What cannot be asked here, and can elsewhere, is left to others. */
  const isLeft = (network: Network) => isCutOff(network) && isReached(network)
  const keptHere = () => serves().filter(({ network }) => !isLeft(network))
  const isServing = () => phase === 'serving'
  const isStopped = () => phase === 'stopped'

  /** Waits for the journal and for nothing else. Answers what comes of the lanes that are being taken from now on. */
  async function beat(): Promise<readonly Promise<unknown>[]> {
    hasJoined = true
    const before = [...held]
    const reaches = networks().filter((network) => !isCutOff(network))
    const renewed = await leases.renew(lease, reaches)
    alive = renewed.alive
    reached = renewed.reached
    others = new Set(renewed.theirs.map(({ network }) => network))
    for (const replica of renewed.gone) tell({ type: 'replica_gone', replica })
    const isLeased = (lane: Lane, mine: HeldLane) => !lane.isOrdered || renewed.held.some((each) => isSame(each, mine))
    for (const [lane, mine] of before) {
      if (lane.held && isLeased(lane, mine)) continue
      held.delete(lane)
      lane.lose()
      tellOf('lane_lost', lane)
    }
    takings.look(isLeased)
    await giveBack(renewed.held)
    // Nothing waits for it: a lease is not lost to a node that is slow.
    for (const lane of lanes()) void lane.weigh()
    shares.look(renewed)
    reopenings.look(await journal.undone())
    await spare()
    return takeFree()
  }

  /** What is of no use here is let go for others, and what is too many: at once what is idle, and before long what others here can stand in for. */
  async function spare(): Promise<void> {
    for (const [lane, mine] of held) if (shares.yields(lane)) await letGo(lane, mine)
    for (const [lane, mine] of [...held].reverse()) {
      if (!lane.idle || reopenings.has(lane) || !shares.spares(lane)) continue
      await letGo(lane, mine)
      shares.gave(lane)
    }
    const lanes = [...held.keys()].reverse()
    const leaving = lanes.filter(shares.spares).slice(0, shares.excess())
    for (const lane of lanes) lane.drain(leaving.includes(lane))
  }

  async function takeFree(): Promise<readonly Promise<unknown>[]> {
    const begun: Promise<unknown>[] = []
    for (const lane of lanes()) {
      if (isStopped() || reopenings.has(lane) || !shares.wants(lane)) continue
      const mine = await acquire(lane)
      if (mine !== undefined) begun.push(takings.take(lane, mine))
    }
    return begun
  }

  async function acquire({ network, signer, isOrdered }: Lane): Promise<TakenLane | undefined> {
    return isOrdered ? leases.acquire(network, signer, lease) : { network, signer, fence: 0 }
  }

  function onTaken(lane: Lane, mine: TakenLane): void {
    held.set(lane, mine)
    shares.took(lane)
    tellOf('lane_taken', lane, mine.from)
    // Some may have waited for it.
    if (isServing()) seize()
  }

  function tellOf(type: KeeperEvent['type'], { network, signer }: Lane, from?: string): void {
    tell({ type, network, signer, ...(from === undefined ? {} : { from }) })
  }

  /** What is leased here and nobody here looks after, for taking it was not answered, or it could not be let go: while this replica lives, no other may take it. */
  async function giveBack(leased: readonly HeldLane[]): Promise<void> {
    const known = [...held.values(), ...takings.wanted()]
    for (const each of leased) if (!known.some((mine) => isSame(each, mine))) await leases.release(each)
  }

  async function letGo(lane: Lane, mine: HeldLane): Promise<void> {
    if (held.delete(lane)) tellOf('lane_left', lane)
    lane.lose()
    await leases.release(mine)
  }

  async function takeOver(): Promise<void> {
    // Who cannot send leaves it to who can. Who is named by a payment is the only one who can.
    const able = keptHere().map(({ network, scheme, lanes }) => {
      const mine = lanes.filter(({ held, blocked }) => held && blocked === undefined)
      return { network, scheme, signers: mine.map(({ signer }) => signer) }
    })
    const taken = await journal.take(able)
    taken.forEach(carry)
  }

  function schedule(): void {
    callOff = timers.background(Math.min(lease / 5, PAUSES[shares.state()]), beatOn)
  }

  function callOffBeat(): void {
    callOff?.()
    callOff = undefined
  }

  function beatOn(): void {
    callOff = undefined
    beating = beat()
      .then(() => {
        isAway = false
        return isServing() ? lookAround() : undefined
      })
      .catch((error) => {
        isAway = X402Error.is(error) && error.code === 'store_unavailable'
        onError(error)
      })
      .finally(() => {
        if (phase === 'keeping' || phase === 'serving') schedule()
      })
  }

  /** Carries on with what is open and nobody looks after. */
  async function lookAround(): Promise<void> {
    await journal.leaveWatched(networks().filter(isLeft))
    const orphans = await journal.adopt(
      keptHere(),
      watched().filter((network) => !isLeft(network)),
    )
    orphans.forEach(carry)
    const forgotten = await journal.forgotten(isCarried)
    forgotten.forEach(carry)
    await takeOver()
  }

  /** While there are others, what they claim and cannot sign is looked for all the time. */
  function watch(): void {
    stopWatching = timers.background(TAKE_INTERVAL, () => {
      watch()
      if (alive > 1 && held.size > 0) seize()
    })
  }

  function seize(): void {
    takingOver ??= takeOver()
      .catch(onError)
      .finally(() => {
        takingOver = undefined
      })
  }

  /** Whether nothing of what is served can be signed for, here or elsewhere. */
  function isUseless(): boolean {
    return serves().every(({ network, lanes: mine }) => isAlone(network) && mine.every((lane) => !lane.held))
  }

  return {
    isAlone,
    isReached,
    isJournalAway: () => isAway,
    async start() {
      if (isServing()) return
      const first = beat()
      beating = first.then(ignore, ignore)
      const begun = Promise.all(await first)
      if (isStopped()) return
      phase = 'keeping'
      schedule()
      // One network whose nodes do not answer keeps no other waiting, but for a moment.
      await upTo(timers, lease / 5, [begun, stopping.given])
      if (isUseless()) {
        const faults = await Promise.race([begun, stopping.given])
        const fault = faults?.find((each) => each !== undefined)
        if (fault !== undefined && !isStopped() && isUseless()) {
          phase = 'new'
          callOffBeat()
          await beating
          throw fault
        }
      }
      if (isStopped()) return
      phase = 'serving'
      watch()
    },
    nudge() {
      if (callOff === undefined) return
      callOffBeat()
      beatOn()
    },
    async stop() {
      phase = 'stopped'
      stopping.give()
      takings.stop()
      stopWatching()
      callOffBeat()
      await Promise.all([beating, takingOver])
      for (const lane of held.keys()) {
        lane.lose()
        tellOf('lane_left', lane)
      }
      held.clear()
      if (hasJoined) await leases.leave().catch(onError)
    },
  }
}

/** Milliseconds between two beats, at the most: others get several chances to take what was let go for them. */
const PAUSES = { short: 250, waiting: 1000, even: Number.POSITIVE_INFINITY }

/** Milliseconds between two looks at what others hand over. */
const TAKE_INTERVAL = 20

function ignore(): void {}

function isSame(a: HeldLane, b: HeldLane): boolean {
  return a.network === b.network && a.signer === b.signer && a.fence === b.fence
}
