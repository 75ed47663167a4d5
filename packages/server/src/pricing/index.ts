export type {
  Condition,
  Factor,
  Free,
  Priced,
  PriceWords,
  Pricing,
  Tally,
  TallyContext,
  Times,
  Used,
} from '../price-words.js'
export { createPricing, type PricingOptions, pricing } from './pricing.js'
export type { Conditions } from './times.js'
export { type TokenUsage, usageOf } from './usage.js'
