/** A payment that was settled, with the transaction that it was in and what all of that cost, in the chain's own coin. */
export type PaidFee = { readonly transaction: string; readonly fee: bigint }

/**
 * What a settlement cost in the mean: a transaction that settled several is paid for once. `undefined` where nothing was paid.
 *
 * @example
 * meanFeeOf([{ transaction: '0x01', fee: 90n }, { transaction: '0x01', fee: 90n }, { transaction: '0x02', fee: 60n }]) // 50n
 */
export function meanFeeOf(payments: readonly PaidFee[]): bigint | undefined {
  const fees = new Map(payments.map(({ transaction, fee }) => [transaction, fee]))
  let total = 0n
  for (const fee of fees.values()) total += fee
  return total === 0n ? undefined : (total + BigInt(payments.length) - 1n) / BigInt(payments.length)
}

/**
 * The newest of a list, the newest first, without the transaction that it ends in: the rest of that may be older, and its fee would be counted for a few.
 *
 * @example
 * meanFeeOf(wholeTransactions(lately))
 */
export function wholeTransactions(payments: readonly PaidFee[]): readonly PaidFee[] {
  const last = payments.at(-1)?.transaction
  const whole = payments.filter(({ transaction }) => transaction !== last)
  return whole.length === 0 ? payments : whole
}
