export type { RefundWish } from './journal.js'
export type { Refund, RefundAnswer, RefundState } from './refund.js'
export { createRefunds, type RefundOptions, type Refunds } from './refunds.js'
