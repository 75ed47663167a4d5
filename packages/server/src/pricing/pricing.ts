import type { Pricing } from '../price-words.js'
import { divideUp } from './decimal.js'
import { compileFree } from './free.js'
import { createTally } from './tally.js'
import { type ScaledTariff, scaled, tariffOf } from './tariff.js'
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
              tally: ({ decimals, ceiling, factor, clock, bodyBytes }) =>
                // Factors come from `compileTimes` and from nowhere else.
                createTally({
                  tariff: prices,
                  decimals,
                  ceiling,
                  clock,
                  leastInput: leastOf(prices, bodyBytes),
                  factor: (factor as ExactFactor | undefined)?.value,
                }),
            }),
      }
    },
  }
}

/** Input tokens that an answer took at least, as far as it is known of the request. */
function leastOf({ leastInput }: ScaledTariff, bodyBytes: number | undefined): bigint | undefined {
  if (leastInput !== 'body') return leastInput
  return bodyBytes === undefined ? undefined : divideUp(BigInt(bodyBytes), BYTES_PER_TOKEN)
}

/** Of text in most languages. */
const BYTES_PER_TOKEN = 4n

/** Prices without expressions: conditions are functions. */
export const pricing: Pricing = createPricing()
