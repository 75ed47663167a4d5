import type { JsonObject, SignedTransaction } from '@groat/core'
import type { Finality } from './rpc.js'

/** Between which blocks a transaction can land: behind one that was final before it was signed, and at the latest at a height. */
export type Lifetime = { readonly since: Finality; readonly lastBlockHeight: bigint }

/**
 * What the journal keeps of how long a transaction can land.
 *
 * @example
 * lifetimeDetails({ since: { slot: 363_000_000n, blockHeight: 341_000_000n }, lastBlockHeight: 341_000_182n })
 */
export function lifetimeDetails({ since, lastBlockHeight }: Lifetime): JsonObject {
  return {
    sinceSlot: since.slot.toString(),
    sinceBlockHeight: since.blockHeight.toString(),
    lastBlockHeight: lastBlockHeight.toString(),
  }
}

/**
 * Between which blocks a transaction can land; `undefined` when that was not written down, and so not known.
 *
 * @example
 * lifetimeOf(transaction)
 */
export function lifetimeOf({ details }: Pick<SignedTransaction, 'details'>): Lifetime | undefined {
  const [slot, blockHeight, lastBlockHeight] = [
    details?.sinceSlot,
    details?.sinceBlockHeight,
    details?.lastBlockHeight,
  ].map((text) => (typeof text === 'string' && /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined))
  if (slot === undefined || blockHeight === undefined || lastBlockHeight === undefined) return undefined
  return { since: { slot, blockHeight }, lastBlockHeight }
}
