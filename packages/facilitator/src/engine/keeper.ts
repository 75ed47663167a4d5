import type { Network, Pid, X402Event } from '@groat/core'
import type { Journal } from '../journal/journal.js'
import type { HeldLane } from '../journal/leases.js'
import type { SettlementRecord } from '../journal/record.js'
import type { Timers } from '../timers.js'
import type { Lane } from './lane.js'
import type { Serving } from './route.js'

/** Keeps this replica alive in the journal, with its share of the lanes and of the work. */
export interface Keeper {
  /** Whether no other replica can sign on a network: none holds a lane there. */
  isAlone(network: Network): boolean
  /** Takes a share; rejects when the journal or a chain cannot be read. */
  start(): Promise<void>
  /** Lets everything go, so that others need not wait. */
  stop(): Promise<void>
}

/** What a keeper works with. */
export type KeeperOptions = {
  readonly journal: Journal
  /** Lanes in which one replica signs at a time. */
  readonly lanes: () => readonly Lane[]
  /** What is served here: nothing else is taken on. A payment that was given away and found nobody is ended by whoever serves it. */
  readonly serves: readonly Serving[]
  /** Networks on which a block says by itself whether it is still there: all that is settled is watched. */
  readonly watched: readonly Network[]
  /** Milliseconds after which a replica that was not heard of counts as gone. */
  readonly lease: number
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
 * Makes a keeper. Replicas share the lanes evenly: who has too many lets idle ones go, who has too few takes free ones.
 *
 * @example
 * const keeper = createKeeper({ journal, lanes, serves, watched, lease: 15_000, timers, isCarried, carry, tell, onError })
 */
export function createKeeper({
  journal,
  lanes,
  serves,
  watched,
  lease,
  timers,
  isCarried,
  carry,
  tell,
  onError,
}: KeeperOptions): Keeper {
  const { leases } = journal
  const held = new Map<Lane, HeldLane>()
  let alive = 1
  /** Networks on which others hold lanes. */
  let others: readonly Network[] = []
  /** How often the chains had undone blocks when their lanes last stood as the journal has them. */
  let seen: ReadonlyMap<string, number> = new Map()
  let started = false
  let stopped = false
  let beating: Promise<void> | undefined
  let taking: Promise<void> | undefined
  let stopBeating = () => {}

  /** Answers why lanes could not be taken that nobody else holds. */
  async function beat(): Promise<readonly unknown[]> {
    const renewed = await leases.renew(lease)
    alive = renewed.alive
    others = renewed.others
    for (const replica of renewed.gone) tell({ type: 'replica_gone', replica })
    for (const [lane, mine] of held) {
      const isMine = lane.held && renewed.held.some((each) => isSame(each, mine))
      if (isMine) continue
      held.delete(lane)
      lane.lose()
      tellOf('lane_lost', lane)
    }
    await giveBack(renewed.held)
    // Nothing waits for it: a lease is not lost to a node that is slow.
    for (const lane of held.keys()) void lane.weigh()
    const share = Math.ceil(lanes().length / alive)
    const faults = await reopen()
    for (const lane of lanes()) {
      if (held.size >= share || held.has(lane) || stopped) continue
      const mine = await leases.acquire(lane.network, lane.signer, lease)
      if (mine === undefined) continue
      try {
        await lane.take(mine)
        held.set(lane, mine)
        tellOf('lane_taken', lane, mine.from)
      } catch (error) {
        faults.push(error)
        await letGo(lane, mine)
      }
    }
    for (const [lane, mine] of [...held].reverse()) {
      if (held.size > share && lane.idle) await letGo(lane, mine)
    }
    return faults
  }

  /** A replica that learns of undone blocks may have settled by lanes that are here now: what went by them goes out again from here. */
  async function reopen(): Promise<unknown[]> {
    const before = seen
    seen = await journal.undone()
    const faults: unknown[] = []
    for (const lane of [...held.keys()].filter(({ network }) => seen.get(network) !== before.get(network))) {
      try {
        await lane.reopen()
      } catch (error) {
        faults.push(error)
        // It is tried again, with all of them.
        seen = before
      }
    }
    return faults
  }

  function tellOf(type: KeeperEvent['type'], { network, signer }: Lane, from?: string): void {
    tell({ type, network, signer, ...(from === undefined ? {} : { from }) })
  }

  /** What is leased here and nobody here looks after, for taking it was not answered, or it could not be let go: while this replica lives, no other may take it. */
  async function giveBack(leased: readonly HeldLane[]): Promise<void> {
    const known = [...held.values()]
    for (const each of leased) if (!known.some((mine) => isSame(each, mine))) await leases.release(each)
  }

  async function letGo(lane: Lane, mine: HeldLane): Promise<void> {
    if (held.delete(lane)) tellOf('lane_left', lane)
    lane.lose()
    await leases.release(mine)
  }

  async function takeOver(): Promise<void> {
    // Who cannot send leaves it to who can. Who is named by a payment is the only one who can.
    const able = serves.map(({ network, scheme, lanes }) => {
      const mine = lanes.filter(({ held, blocked }) => held && blocked === undefined)
      return { network, scheme, signers: mine.map(({ signer }) => signer) }
    })
    const taken = await journal.take(able)
    taken.forEach(carry)
  }

  function schedule(): void {
    const share = Math.ceil(lanes().length / alive)
    const restless = held.size < share ? Math.min(lease / 5, RESTLESS) : lease / 5
    stopBeating = timers.background(restless, () => {
      beating = beat()
        .then(async (faults) => {
          // One node that does not answer keeps nothing else from going on.
          faults.forEach(onError)
          const orphans = await journal.adopt(serves, watched)
          orphans.forEach(carry)
          const forgotten = await journal.forgotten(isCarried)
          forgotten.forEach(carry)
          await takeOver()
        })
        .catch(onError)
        .finally(() => {
          if (!stopped) schedule()
        })
    })
  }

  /** While there are others, what they claim and cannot sign is looked for all the time. */
  function watch(): void {
    stopWatching = timers.background(TAKE_INTERVAL, () => {
      watch()
      if (alive === 1 || taking !== undefined || held.size === 0) return
      taking = takeOver()
        .catch(onError)
        .finally(() => {
          taking = undefined
        })
    })
  }
  let stopWatching = () => {}

  return {
    isAlone: (network) => !others.includes(network),
    async start() {
      if (started) return
      const [fault] = await beat()
      if (fault !== undefined) throw fault
      started = true
      schedule()
      watch()
    },
    async stop() {
      stopped = true
      stopWatching()
      stopBeating()
      await Promise.all([beating, taking])
      for (const lane of held.keys()) {
        lane.lose()
        tellOf('lane_left', lane)
      }
      held.clear()
      await leases.leave().catch(onError)
    },
  }
}

/** Milliseconds between two tries of who has too few lanes, at the most. */
const RESTLESS = 250

/** Milliseconds between two looks at what others hand over. */
const TAKE_INTERVAL = 20

function isSame(a: HeldLane, b: HeldLane): boolean {
  return a.network === b.network && a.signer === b.signer && a.fence === b.fence
}
