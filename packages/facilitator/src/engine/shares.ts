import type { Clock } from '@groat/core'
import type { Renewed } from '../journal/leases.js'
import type { Lane } from './lane.js'

/** Which lanes this replica should hold, as it finds them beat after beat. It decides; whoever keeps the lanes takes them and lets them go. */
export interface Shares {
  /** How lanes and replicas stand right now. */
  look(renewed: Pick<Renewed, 'alive' | 'reached' | 'theirs'>): void
  /** Whether to take a lane, if nobody else has it by now. */
  wants(lane: Lane): boolean
  /** Whether to let a lane go that is held, for there are others who would take it. */
  spares(lane: Lane): boolean
  /** How many lanes are held that are too many. */
  excess(): number
  /** Whether to let a lane go that is of no use here: its chain cannot be asked, and can be elsewhere. */
  yields(lane: Lane): boolean
  /** It is held from now on. */
  took(lane: Lane): void
  /** It was let go for others. */
  gave(lane: Lane): void
  /** It could not be taken though it was free: for a while it is left to others, if there are any; no longer than its chain cannot be asked, if that is why. */
  failed(lane: Lane): void
  /** `short`: it has too few; `waiting`: others have something to take. */
  state(): 'short' | 'waiting' | 'even'
}

/** What shares go by. */
export type SharesOptions = {
  readonly lanes: () => readonly Lane[]
  readonly held: Pick<ReadonlyMap<Lane, unknown>, 'has'>
  /** Lanes that are about to be held, or not. */
  readonly taking: Pick<ReadonlyMap<Lane, unknown>, 'has'>
  readonly clock: Clock
  /** Milliseconds for which a lane that could not be taken is left to others: in that time each of them looks at least twice. After more failures it is left for longer. */
  readonly leave: number
}

/**
 * Makes the shares of a replica. Everybody has as many lanes as the next one; but a lane that is nobody's at two looks in a row is taken by whoever can, and kept until
 * somebody new reaches its network: those that are there serve other networks, or cannot reach its nodes. Lanes that everybody may have are in nobody's share.
 *
 * @example
 * const shares = createShares({ lanes: () => lanes, held, taking, clock, leave: 5000 })
 * shares.look(await leases.renew(lease, reaches))
 * const mine = lanes.filter((lane) => shares.wants(lane))
 */
export function createShares({ lanes, held, taking, clock, leave }: SharesOptions): Shares {
  let alive = 1
  let reached: Renewed['reached'] = new Map()
  /** Nobody's at the last look; and at the one before too. */
  let free: ReadonlySet<Lane> = new Set()
  let neglected: ReadonlySet<Lane> = new Set()
  /** Held because nobody else takes them. */
  const kept = new Set<Lane>()
  /** How often lanes could not be taken, and until when they are left to others. */
  const left = new Map<Lane, { readonly times: number; readonly until: number; cutOff?: boolean }>()

  const leased = () => lanes().filter(({ isOrdered }) => isOrdered)
  const share = () => Math.ceil(leased().length / alive)
  const isMine = (lane: Lane) => held.has(lane) || taking.has(lane)
  const isShort = () => leased().filter(isMine).length < share()
  const excess = () => leased().filter((lane) => held.has(lane)).length - share()
  const isLeft = (lane: Lane) => alive > 1 && clock() < (left.get(lane)?.until ?? 0)
  const yields = (lane: Lane) => lane.cutOff && reached.has(lane.network)

  return {
    look(renewed) {
      const reachedBefore = reached
      alive = renewed.alive
      reached = renewed.reached
      for (const lane of kept) {
        const known = reachedBefore.get(lane.network)
        if (reached.get(lane.network)?.some((replica) => !known?.includes(replica))) kept.delete(lane)
      }
      const theirs = new Set(renewed.theirs.map(nameOf))
      const before = free
      free = new Set(lanes().filter((lane) => !isMine(lane) && !theirs.has(nameOf(lane))))
      neglected = new Set([...free].filter((lane) => before.has(lane)))
      for (const [lane, each] of left) {
        if (each.cutOff && !lane.cutOff) left.delete(lane)
        else each.cutOff = lane.cutOff
      }
    },
    wants(lane) {
      if (isMine(lane) || !free.has(lane) || isLeft(lane) || yields(lane)) return false
      return !lane.isOrdered || isShort() || neglected.has(lane)
    },
    spares(lane) {
      if (!lane.isOrdered || kept.has(lane) || !reached.has(lane.network)) return false
      return excess() > 0
    },
    excess: () => Math.max(0, excess()),
    yields,
    took(lane) {
      left.delete(lane)
      if (excess() > 0) kept.add(lane)
    },
    gave(lane) {
      free = new Set([...free, lane])
    },
    failed(lane) {
      const times = Math.min((left.get(lane)?.times ?? 0) + 1, MOST_TIMES)
      left.set(lane, { times, until: clock() + leave * 2 ** (times - 1), cutOff: lane.cutOff })
    },
    state() {
      if (isShort()) return 'short'
      return [...free].every(isMine) ? 'even' : 'waiting'
    },
  }
}

/** Failures after which a lane is left for no longer. */
const MOST_TIMES = 5

function nameOf({ network, signer }: Pick<Lane, 'network' | 'signer'>): string {
  return `${network} ${signer}`
}
