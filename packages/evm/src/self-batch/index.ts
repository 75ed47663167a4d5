export { delegationTo } from '../code-change.js'
export { SELF_BATCH, SELF_BATCH_CODE, SELF_BATCH_CREATION } from './delegate.js'
export {
  type DelegationChange,
  type DelegationOptions,
  delegateSigner,
  deploySelfBatch,
  undelegateSigner,
} from './delegate-signer.js'
