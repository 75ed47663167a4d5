import type { Clock } from '@groat/core'
import { type Timers, upTo } from '../timers.js'
import type { Slots } from './slots.js'

/**
 * When those who wait for a lane leave. At once, as long as there is room for all who come. Once there was none, departures are spread over the time between
 * two blocks: if all room went to the first few, everybody after them would miss their block.
 */
export interface Pace {
  /** Resolves when the next may leave. */
  next(): Promise<void>
  /** So many have left together. */
  left(payments: number): void
  /** Somebody waits, and there is no room. */
  full(): void
}

/** What a pace goes by. */
export type PaceOptions = {
  readonly slots: Slots
  readonly clock: Clock
  readonly timers: Timers
  /** Transactions that wait for a block at the same time. */
  readonly depth: number
}

/**
 * Makes the pace of a lane.
 *
 * @example
 * const pace = createPace({ slots, clock, timers, depth: 4 })
 * await pace.next()
 */
export function createPace({ slots, clock, timers, depth }: PaceOptions): Pace {
  let isSpread = false
  let leftAt = 0

  return {
    async next() {
      if (!isSpread) return
      for (;;) {
        const waiting = [...slots].find(({ included }) => !included)
        const rest = leftAt + slots.betweenBlocks / depth - clock()
        if (waiting === undefined || rest <= 0) return
        await upTo(timers, rest, [waiting.landed.given])
      }
    },
    left(payments) {
      leftAt = clock()
      // Nobody came along: there is room for all who come.
      if (payments === 1) isSpread = false
    },
    full() {
      isSpread = true
    },
  }
}
