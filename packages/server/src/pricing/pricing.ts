import type { Pricing } from '../price-words.js'
import { compileFree } from './free.js'
import { createTally } from './tally.js'
import { scaled, tariffOf } from './tariff.js'
import { type Conditions, compileTimes, type ExactFactor } from './times.js'

/** What the words of prices may use. */
export type PricingOptions = {
  /** Reads the expressions in `times` and `free.by`; without it those are functions. */
  readonly conditions?: Conditions
}

/**
 * Reads the words by which routes are priced beside a price for each request: by use, with multipliers, with free calls.
 * All of it is counted in whole numbers, exactly.
 *
 * @example
 * const paid = paywall({ facilitator, payTo, schemes: [uptoEvm], store, pricing: createPricing({ conditions }) })
 * app.post('/chat', paid({ perToken: { input: '$0.000002', output: '$0.00001' }, upTo: '$0.05' }), chat)
 */
export function createPricing({ conditions }: PricingOptions = {}): Pricing {
  return {
    compile(words, route) {
      const tariff = tariffOf(words)
      const prices = tariff && scaled(tariff)
      const { times, free } = words
      return {
        ...(times === undefined ? {} : { factor: compileTimes(times, conditions) }),
        ...(free === undefined ? {} : { free: compileFree(free, route, conditions) }),
        ...(prices === undefined
          ? {}
          : {
              tally: ({ decimals, ceiling, factor, clock }) =>
                // Factors come from `compileTimes` and from nowhere else.
                createTally({
                  tariff: prices,
                  decimals,
                  ceiling,
                  clock,
                  factor: (factor as ExactFactor | undefined)?.value,
                }),
            }),
      }
    },
  }
}

/** Prices without expressions: conditions are functions. */
export const pricing: Pricing = createPricing()
