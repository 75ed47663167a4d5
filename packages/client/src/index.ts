export {
  type ChooseInput,
  type Chosen,
  choose,
  type NoneChosen,
  type OfferRefusal,
} from './choose.js'
export type { Charge, Entry, Fact, RuleRefusal } from './entry.js'
export type { Choose, Guard, Question, Witness } from './guard.js'
export {
  type Claim,
  type Intent,
  type IntentEnd,
  type IntentState,
  type Intents,
  memoryIntents,
  type Taken,
} from './intents.js'
export { type KnownTerms, knownTerms } from './known-terms.js'
export { lastReceipt } from './last-receipt.js'
export type { PaymentOutcome, PaymentReceipt, SignedPayment } from './outcome.js'
export { createPayer, type Payer, type PayerOptions, type PayingFetch, payingFetch, type Quote } from './payer.js'
export { type ParsedPolicy, type Policy, parseLimit, parsePolicy } from './policy.js'
export type { Limits } from './present.js'
export type { PayInit } from './request.js'
export { type Rule, type RuleContext, rules } from './rules.js'
export { type Sleep, systemSleep } from './time.js'
export { addValues, compareValues, type Value } from './value.js'
