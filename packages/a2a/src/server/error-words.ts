/** The words of A2A for why a payment failed. */
export type A2aPaymentError =
  | 'INSUFFICIENT_FUNDS'
  | 'INVALID_SIGNATURE'
  | 'EXPIRED_PAYMENT'
  | 'DUPLICATE_NONCE'
  | 'NETWORK_MISMATCH'
  | 'INVALID_AMOUNT'
  | 'SETTLEMENT_FAILED'

/**
 * The word of A2A for a code of the registry. There are seven words for all codes: what fits none of the others is `SETTLEMENT_FAILED`, and the code itself stands
 * in the receipt and in the offers.
 *
 * @example
 * errorWord('invalid_exact_evm_insufficient_balance') // 'INSUFFICIENT_FUNDS'
 */
export function errorWord(code: string): A2aPaymentError {
  return words.find(([pattern]) => pattern.test(code))?.[1] ?? 'SETTLEMENT_FAILED'
}

/** The first that fits. */
const words: readonly (readonly [RegExp, A2aPaymentError])[] = [
  [/insufficient/, 'INSUFFICIENT_FUNDS'],
  [/signature|signer/, 'INVALID_SIGNATURE'],
  [/expired|valid_before|too_late|deadline/, 'EXPIRED_PAYMENT'],
  [/nonce|already_used|idempotency|duplicate/, 'DUPLICATE_NONCE'],
  [/network|chain_id/, 'NETWORK_MISMATCH'],
  [/amount|value|no_matching_requirements/, 'INVALID_AMOUNT'],
]
