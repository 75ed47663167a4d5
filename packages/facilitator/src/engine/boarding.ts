import type { ChainDriver, Clock } from '@groat/core'
import type { Checked, Written } from '../journal/journal.js'
import { type Timers, upTo } from '../timers.js'
import { createSignal } from './signal.js'

/** A payment that waits to be signed for. */
export type Rider = Checked & {
  readonly call: unknown
  readonly late: () => boolean
  /** It travels with nobody. */
  alone: boolean
  asked?: { readonly at: number; readonly admitted: Promise<boolean> }
  resolve(written: Written | 'late' | 'lost'): void
  reject(error: unknown): void
}

/** The payments that wait for a lane, and who of them leaves together. */
export interface Boarding {
  readonly size: number
  /** Whether the first in line may leave in company. */
  readonly isSociable: boolean
  /** Somebody is on the way here; what it answers is called when they have come, or will not. */
  expect(): () => void
  /** Resolves when all who are on the way right now have come, or will not, or when so many milliseconds have passed. */
  gather(milliseconds: number): Promise<void>
  /** `isBusy`: others are about to leave. */
  wait(rider: Rider, isBusy: boolean): void
  /** Who leaves next: the first in line, and all who may travel with it. Nobody, when it is too late for all of them. */
  next(): Promise<readonly Rider[]>
  /** They cannot be signed for together: they stand in line again, each for itself. */
  part(riders: readonly Rider[]): void
  /** They leave later, in whatever company: they are first in line again. */
  stay(riders: readonly Rider[]): void
  /** Those that were checked before their chain had undone blocks so often have to be checked again: they are told so. */
  sendBack(undone: number): void
  /** Nobody waits any more: they are told so. */
  lose(): void
}

/**
 * Makes the line before a lane.
 *
 * @example
 * const boarding = createBoarding(chain.groups, clock, timers)
 */
export function createBoarding(groups: ChainDriver['groups'], clock: Clock, timers: Timers): Boarding {
  const queue: Rider[] = []
  const coming = new Set<Promise<void>>()

  function couldJoin(rider: Rider): boolean {
    return groups !== undefined && !rider.alone && groups.joins(rider.call)
  }

  function isAdmitted(rider: Rider): Promise<boolean> {
    const known = rider.asked
    if (known !== undefined && clock() - known.at < ADMISSION) return known.admitted
    // Who cannot be asked about travels alone: that harms nobody.
    const admitted = groups?.admits(rider.call).catch(() => false) ?? Promise.resolve(false)
    rider.asked = { at: clock(), admitted }
    return admitted
  }

  return {
    get size() {
      return queue.length
    },
    get isSociable() {
      const [first] = queue
      return first !== undefined && couldJoin(first)
    },
    expect() {
      const { given, give } = createSignal()
      coming.add(given)
      return () => {
        coming.delete(given)
        give()
      }
    },
    async gather(milliseconds) {
      if (groups === undefined || coming.size === 0) return
      await upTo(timers, milliseconds, [Promise.all(coming)])
    },
    wait(rider, isBusy) {
      queue.push(rider)
      // There will be company: what the chain says of it is asked while it waits.
      if ((isBusy || queue.length > 1) && couldJoin(rider)) void isAdmitted(rider)
    },
    async next() {
      const [first] = queue
      if (first === undefined) return []
      const candidates = couldJoin(first) ? queue.filter(couldJoin) : [first]
      const places = candidates.length === 1 ? undefined : groups?.company(candidates.map(({ call }) => call))
      const company = places === undefined ? [first] : places.flatMap((at) => candidates[at] ?? [])
      const admitted = company.length === 1 ? [true] : await Promise.all(company.map(isAdmitted))
      for (const [at, rider] of company.entries()) rider.alone ||= !admitted[at]
      // Meanwhile they may have been sent away, and told so.
      if (!queue.includes(first)) return []
      const group = company.filter(
        (rider) => rider === first || (!first.alone && !rider.alone && queue.includes(rider)),
      )
      for (const rider of group) queue.splice(queue.indexOf(rider), 1)
      return group.filter((rider) => {
        if (!rider.late()) return true
        rider.resolve('late')
        return false
      })
    },
    stay: (riders) => void queue.unshift(...riders),
    part: (riders) => void queue.unshift(...riders.map((rider) => Object.assign(rider, { alone: true }))),
    sendBack(undone) {
      const stale = queue.filter((rider) => rider.undone < undone)
      for (const rider of stale) {
        queue.splice(queue.indexOf(rider), 1)
        rider.resolve('moved')
      }
    },
    lose() {
      for (const rider of queue.splice(0)) rider.resolve('lost')
    },
  }
}

/** Milliseconds for which a payer that has no code is taken to have none. */
const ADMISSION = 1000
