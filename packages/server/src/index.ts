export { type FetchHandler, type PaidHandler, paywall, type WrapFetch } from './adapters/fetch.js'
export type { Answer, HeaderFields } from './answer.js'
export type { ClaimOutcome, ClaimRequest, ClaimStore, ClaimToken } from './claims.js'
export { type Cors, type CorsOptions, cors, corsHeaders } from './cors.js'
export { type Candidate, type Decision, decide } from './decide.js'
export type { Balance, Entitlements, Grant } from './entitlements.js'
export {
  createFacilitatorClient,
  type FacilitatorClientOptions,
  type FacilitatorOperation,
} from './facilitator-client.js'
export { createMemoryClaims, type MemoryClaimsOptions } from './memory-claims.js'
export type { Offer, OfferOptions, Price } from './offers.js'
export { type PaymentAsk, PaymentRequiredError } from './payment-required-error.js'
export type { Paywall, PaywallOptions, SoldRoute } from './paywall.js'
export type { VerifiedPayment } from './protect.js'
export type { FinishedAnswer, PriceFunction, RouteInput, RouteMode, RouteOptions } from './route.js'
export type { GateRequest, Terms } from './terms.js'
