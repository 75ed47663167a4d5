import { parseMoney, parseUnits } from '@groat/core'
import type { Price } from './offers.js'

/** What a route may have delivered and not been paid for. One process counts for itself. */
export interface LossBudget {
  /** Takes a price out of the budget; `false`: too little is left. */
  take(worth: bigint): boolean
  /** Puts it back: it was settled, or nothing was delivered. */
  give(worth: bigint): void
}

/**
 * A budget that closes itself: what is delivered and never settled stays out of it, and when it is used up the route asks for payment first.
 * Throws `X402Error` `invalid_price`.
 *
 * @example
 * const budget = createLossBudget('$1')
 */
export function createLossBudget(limit: Price): LossBudget {
  let left = worthOf(limit)
  return {
    take: (worth) => {
      if (worth > left) return false
      left -= worth
      return true
    },
    give: (worth) => {
      left += worth
    },
  }
}

/** In these, prices can be summed over assets: a unit of one counts as a unit of another. */
export const WORTH_DECIMALS = 18

export function worthOf(price: Price): bigint {
  return parseUnits(parseMoney(price).decimal, WORTH_DECIMALS)
}
