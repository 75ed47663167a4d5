export { memoryPurse } from '../memory-purse.js'
export type { ChainFinding, Counter, Memory, Note, PaymentRecord, Purse, RecordFilter } from '../purse.js'
export { type AttestedReceipt, attestReceipt, type Exporter, type IsSignedBy } from './attestation.js'
export { type BudgetState, type Buyer, type BuyerOptions, createBuyer, type Explanation } from './buyer.js'
export { type CachedBalances, cachedBalances } from './cached-balances.js'
export { DIRECT_ORIGIN, type Order } from './direct.js'
export { type FindOptions, type Found, findServices, type ListedOffer, priceOf, type Service } from './discovery.js'
export { type ExplainedOffer, explainedLines, type RuleVerdict } from './explain.js'
export {
  type ExportedReceipt,
  exportReceipt,
  type ReceiptCheck,
  type ReceiptReaders,
  type SellerSigned,
  type SignerOf,
  verifyReceipt,
} from './receipts.js'
export { type Reconciled, type ReconcileOptions, reconcile } from './reconcile.js'
export type { ApprovalRequest, Approve, Balances, Resolve } from './spending-guard.js'
export {
  type Allowance,
  type Budget,
  type Cap,
  type Category,
  type ParsedSpending,
  parseSpending,
  type Reach,
  type SpendingPolicy,
} from './spending-policy.js'
export { findOnChain, type WitnessOptions, witnessOf } from './witness.js'
