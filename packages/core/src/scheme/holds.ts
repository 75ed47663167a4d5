import type { Clock } from '../ports.js'

/** Payers whose payment failed on chain right after it had been tried: for a while nothing is sent for them. */
export interface Holds {
  has(payer: string): boolean
  /** For ten minutes, and at the least until `until`, in seconds since 1970. */
  add(payer: string, until?: bigint): void
}

const LEAST_MS = 600_000

/** Payers that are remembered; the oldest go first. */
const MOST = 10_000

/**
 * Makes an empty list, in memory. Payers are told apart by their text.
 *
 * @example
 * const holds = createHolds(Date.now)
 * holds.add(payer)
 */
export function createHolds(clock: Clock): Holds {
  const ends = new Map<string, number>()
  return {
    has: (payer) => (ends.get(payer) ?? 0) > clock(),
    add(payer, until = 0n) {
      ends.delete(payer)
      ends.set(payer, Math.max(Number(until) * 1000, clock() + LEAST_MS))
      for (const oldest of ends.keys()) {
        if (ends.size <= MOST) break
        ends.delete(oldest)
      }
    },
  }
}
