import { type Clock, X402Error } from '@groat/core'
import type { HeldLane, TakenLane } from '../journal/leases.js'
import type { Lane } from './lane.js'

/** Lanes that are leased, and asked how they stand: nothing else waits for their nodes. */
export interface Takings {
  readonly size: number
  has(lane: Lane): boolean
  /** Resolves when it is known whether the lane is held; with why it is not, where that is told. Never rejects. */
  take(lane: Lane, mine: TakenLane): Promise<unknown>
  /** What is leased no more, and what has been asked for too long, is wanted no more. */
  look(isLeased: (lane: Lane, mine: HeldLane) => boolean): void
  /** Leases of lanes that are wanted still. */
  wanted(): readonly HeldLane[]
  /** Nothing is wanted any more. */
  stop(): void
}

/** What takings work with. */
export type TakingsOptions = {
  /** Milliseconds that a lease lasts. */
  readonly lease: number
  readonly clock: Clock
  /** It is held from now on. */
  readonly onTaken: (lane: Lane, mine: TakenLane) => void
  /** Others may have better nodes. */
  readonly onFailed: (lane: Lane) => void
  /** It may be let go. */
  readonly release: (lane: Lane, mine: HeldLane) => Promise<void>
  readonly onError: (error: unknown) => void
}

/**
 * Makes the takings of a replica. A node may take its time; what was lost meanwhile is not held.
 *
 * @example
 * const takings = createTakings({ lease: 15_000, clock, onTaken, onFailed, release, onError })
 * const fault = await takings.take(lane, mine)
 */
export function createTakings({ lease, clock, onTaken, onFailed, release, onError }: TakingsOptions): Takings {
  const takings = new Map<Lane, Taking>()
  const failures = new Map<Lane, number>()
  let stopped = false

  async function take(lane: Lane, mine: TakenLane): Promise<unknown> {
    const current: Taking = { mine, since: clock(), isLost: false }
    takings.set(lane, current)
    try {
      await lane.take(mine)
      takings.delete(lane)
      if (stopped || current.isLost) lane.lose()
      else {
        failures.delete(lane)
        onTaken(lane, mine)
      }
      return undefined
    } catch (error) {
      takings.delete(lane)
      onFailed(lane)
      if (!stopped) await release(lane, mine).catch(onError)
      if (!stopped) report(lane, error)
      return error
    }
  }

  function giveUp(lane: Lane, current: Taking): void {
    current.isLost = true
    onFailed(lane)
    const { network, signer } = lane
    report(lane, new X402Error('rpc_unreachable', { network, signer, reason: 'its nodes answer too slowly' }))
  }

  /** Why a lane could not be taken is told once, and again each time that it was so twice as often. */
  function report(lane: Lane, error: unknown): void {
    const times = (failures.get(lane) ?? 0) + 1
    failures.set(lane, times)
    if (Number.isInteger(Math.log2(times))) onError(error)
  }

  return {
    get size() {
      return takings.size
    },
    has: (lane) => takings.has(lane),
    take,
    look(isLeased) {
      for (const [lane, each] of takings) {
        if (!isLeased(lane, each.mine)) each.isLost = true
        if (!each.isLost && clock() - each.since > LEASES * lease) giveUp(lane, each)
      }
    },
    wanted: () => [...takings.values()].flatMap(({ mine, isLost }) => (isLost ? [] : mine)),
    stop() {
      stopped = true
    },
  }
}

/** A lane that is leased, since then, and whether it is wanted no more. */
type Taking = { readonly mine: HeldLane; readonly since: number; isLost: boolean }

/** Leases that taking a lane may last: a node that hangs says so sooner. */
const LEASES = 4
