import type { Clock } from '@groat/core'
import type { Address } from '../address.js'

/** Payers whose own code made a transaction fail that had just been tried: nothing is sent for them for a while. */
export interface Holds {
  has(payer: Address | string): boolean
  /** `until`: seconds since 1970; ten minutes from now at the least. */
  add(payer: Address, until: bigint): void
}

const LEAST_MS = 600_000

/** Payers that are remembered; the oldest go first. */
const MOST = 10_000

/**
 * Makes an empty list, in memory.
 *
 * @example
 * const holds = createHolds(Date.now)
 */
export function createHolds(clock: Clock): Holds {
  const ends = new Map<string, number>()
  return {
    has: (payer) => (ends.get(payer.toLowerCase()) ?? 0) > clock(),
    add(payer, until) {
      ends.delete(payer)
      ends.set(payer, Math.max(Number(until) * 1000, clock() + LEAST_MS))
      for (const oldest of ends.keys()) {
        if (ends.size <= MOST) break
        ends.delete(oldest)
      }
    },
  }
}
