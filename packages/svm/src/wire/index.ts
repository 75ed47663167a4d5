export { addressBytes, formatAddress, type Key, parseAddress } from './address.js'
export { decodeBase58, encodeBase58 } from './base58.js'
export { decodeBase64, encodeBase64 } from './base64.js'
export { associatedTokenAccount, type DerivedAddress, deriveAddress, isOnCurve } from './derived-address.js'
export {
  memo,
  setComputeUnitLimit,
  setComputeUnitPrice,
  type TransferChecked,
  transferChecked,
} from './instructions.js'
export {
  type AccountRole,
  encodeMessage,
  encodeTransaction,
  type MessagePlan,
  type PlannedInstruction,
} from './message.js'
export { programs } from './programs.js'
export {
  decodeTransaction,
  type Instruction,
  type Lookup,
  MAX_TRANSACTION_BYTES,
  type Message,
  type Transaction,
  type Unreadable,
} from './transaction.js'
