import type { Transaction } from './transaction.js'

/** Whether every index of a transaction points somewhere and its header fits: what a node checks before anything else. */
export function isSane({ message, signatures }: Transaction): boolean {
  const { requiredSignatures, readonlySigned, readonlyUnsigned, staticKeys, lookups } = message
  const loaded = lookups.reduce((total, { writable, readonly }) => total + writable.length + readonly.length, 0)
  const keys = staticKeys.length + loaded
  return (
    signatures.length === requiredSignatures &&
    requiredSignatures + readonlyUnsigned <= staticKeys.length &&
    readonlySigned < requiredSignatures &&
    keys <= 256 &&
    lookups.every(({ writable, readonly }) => writable.length + readonly.length > 0) &&
    message.instructions.every(
      ({ programIndex, accounts }) =>
        programIndex > 0 && programIndex < staticKeys.length && accounts.every((account) => account < keys),
    )
  )
}
