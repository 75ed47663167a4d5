import type { Clock } from '@groat/core'
import type { Timers } from '../timers.js'
import type { Budget } from './budget.js'
import type { LaneStanding } from './standing.js'

/** Keeps a lane from taking what the hour cannot pay, for no longer than that is so. */
export interface Short {
  /** There is so much left, and that is too little. */
  begin(left: bigint): void
  /** Nothing is known of it any more. */
  end(): void
}

/**
 * Makes who blocks a lane while the hour is used up: until there is more left than was too little, or for 15 seconds, for what it costs may have fallen.
 *
 * @example
 * const short = createShort({ budget, clock, timers, standing })
 * short.begin(0n)
 */
export function createShort(options: {
  readonly budget: Pick<Budget, 'left' | 'isPending'>
  readonly clock: Clock
  readonly timers: Pick<Timers, 'background'>
  readonly standing: Pick<LaneStanding, 'afford' | 'stopped'>
}): Short {
  const { budget, clock, timers, standing } = options
  let since: { readonly left: bigint; readonly at: number } | undefined
  let cancel = () => {}

  async function look(): Promise<void> {
    const was = since
    if (was === undefined) return
    // A journal that is away says nothing of it.
    const left = await budget.left().catch(() => was.left)
    if (since !== was || standing.stopped) return
    const isMore = left === undefined || left > was.left
    if (!isMore && clock() - was.at < TRY_AGAIN) return schedule()
    since = undefined
    standing.afford(isMore ? true : undefined)
  }

  function schedule(): void {
    cancel = timers.background(LOOK, () => void look())
  }

  return {
    begin(left) {
      // What is on its way may turn out to have cost less: whoever waits tries again soon.
      if (budget.isPending()) return
      cancel()
      since = { left, at: clock() }
      standing.afford(false)
      schedule()
    },
    end() {
      cancel()
      since = undefined
    },
  }
}

/** Milliseconds between two looks at what is left. */
const LOOK = 3000

/** Milliseconds after which it is tried again with no more than there was. */
const TRY_AGAIN = 15_000
