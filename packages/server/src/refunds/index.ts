export type { RefundWish } from './journal.js'
export { isRefundId, type Refund, type RefundAnswer, type RefundState, refundId } from './refund.js'
export { createRefunds, type RefundOptions, type Refunds } from './refunds.js'
