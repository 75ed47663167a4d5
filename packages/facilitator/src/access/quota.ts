import type { Clock } from '@groat/core'

/** So many a second in the long run, and so many at once; `burst` is twice the rate unless told. */
export type Rate = { readonly perSecond: number; readonly burst?: number }

/** A rate with its burst. */
export function wholeRate({ perSecond, burst = 2 * perSecond }: Rate): Required<Rate> {
  return { perSecond, burst }
}

/** Which limit was reached: requests per second, or payments that may be open at a time. */
export type QuotaLimit = { readonly perSecond: number } | { readonly maxOpen: number }

/** Lets so many through. */
export interface Quota {
  /** Takes one. Answers 0, or the seconds to wait when there is none left. */
  take(key: string): number
  /** Gives back one that was taken for nothing. */
  give(key: string): void
}

/** Keys that are remembered. Whoever is forgotten starts with a full bucket: that is as generous as a wait would have been. */
const MAX_KEYS = 100_000

/**
 * Makes a token bucket for every key. It lives in this process: replicas each grant the rate.
 *
 * @example
 * const perPayer = createQuota({ perSecond: 5 }, clock)
 * const wait = perPayer.take(payer)
 */
export function createQuota(rate: Rate, clock: Clock): Quota {
  const { perSecond, burst } = wholeRate(rate)
  const most = Math.max(1, burst)
  const buckets = new Map<string, { left: number; at: number }>()

  /** What there is of a key now. */
  function leftOf(key: string): number {
    const known = buckets.get(key)
    // A clock that is set back takes nothing away.
    const passed = known === undefined ? 0 : Math.max(0, clock() - known.at)
    return known === undefined ? most : Math.min(most, known.left + (passed / 1000) * perSecond)
  }

  function put(key: string, left: number): void {
    // The one that was asked for last stands last: those at the front are the oldest.
    buckets.delete(key)
    if (buckets.size >= MAX_KEYS) forgetOldest(buckets)
    buckets.set(key, { left, at: clock() })
  }

  const waitFor = (left: number) => (left >= 1 ? 0 : Math.max(1, Math.ceil((1 - left) / perSecond)))
  return {
    take(key) {
      const left = leftOf(key)
      put(key, left >= 1 ? left - 1 : left)
      return waitFor(left)
    },
    give: (key) => put(key, Math.min(most, leftOf(key) + 1)),
  }
}

/** Counts what is under way, by key, up to a limit. */
export interface Slots {
  /** Takes a place; `undefined` when all are taken. What it gives back must be called once. */
  enter(key: string, most: number): (() => void) | undefined
  readonly total: number
}

/** Makes a counter of what is under way. */
export function createSlots(): Slots {
  const taken = new Map<string, number>()
  let total = 0
  return {
    get total() {
      return total
    },
    enter(key, most) {
      const mine = taken.get(key) ?? 0
      if (mine >= most) return undefined
      taken.set(key, mine + 1)
      total += 1
      return () => {
        total -= 1
        const left = (taken.get(key) ?? 1) - 1
        if (left === 0) taken.delete(key)
        else taken.set(key, left)
      }
    },
  }
}

function forgetOldest(buckets: Map<string, unknown>): void {
  for (const key of buckets.keys()) {
    buckets.delete(key)
    return
  }
}
