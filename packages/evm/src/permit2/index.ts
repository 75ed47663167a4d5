export { type ApprovalPlan, approvePermit2, type Permit2Approval, planApproval } from './approvals.js'
export {
  EXACT_PERMIT2_PROXY,
  exactPermit2Proxy,
  hasPermit2Proxy,
  PERMIT2,
  type Permit2Proxy,
  UPTO_PERMIT2_PROXY,
  uptoPermit2Proxy,
} from './contracts.js'
export {
  definePermit,
  type PermitKind,
  type PermitTransfer,
  type WitnessStruct,
  type WitnessValues,
} from './signing.js'
