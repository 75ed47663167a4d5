import type { JsonObject, SignedTransaction } from '@groat/core'

/**
 * What the journal keeps of how long a transaction can land: the height of the last block that can take it.
 *
 * @example
 * lifetimeDetails(341_000_182n)
 */
export function lifetimeDetails(lastBlockHeight: bigint): JsonObject {
  return { lastBlockHeight: lastBlockHeight.toString() }
}

/**
 * The height of the last block that can take a transaction; `undefined` when that was not written down, and so not known.
 *
 * @example
 * lastBlockHeightOf(transaction)
 */
export function lastBlockHeightOf({ details }: Pick<SignedTransaction, 'details'>): bigint | undefined {
  const text = details?.lastBlockHeight
  return typeof text === 'string' && /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined
}
