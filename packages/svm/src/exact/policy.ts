import { type PaymentRequirements, type Refusal, refuse } from '@groat/core'
import type { SvmChain } from '../chain.js'
import { type ComputeBudget, countMemos, feeOf, isIsolated, movesOurs } from './layout.js'
import type { ExactPayment } from './shared.js'

/** What the fee payer is ready to spend on one payment. */
export type FeeLimits = {
  /** Lamports for any payment; 50,000 unless told. */
  readonly lamports?: bigint
  /** Lamports for each whole unit that is paid, where that is more: 5 % of a dollar at 150 dollars per SOL are 333,333. 0 unless told. */
  readonly lamportsPerUnit?: bigint
  /** Compute units; 200,000 unless told. */
  readonly computeUnits?: number
}

/** What is the operator's to say. */
export type ExactPolicy = { readonly fees: FeeLimits; readonly requireMemo: boolean }

/**
 * Holds a payment against what the operator says of its own accounts, tokens and money (SVM-EXACT-032, 033, 044, 047 to 049). Pure.
 *
 * Refuses `asset_not_allowed`, `…_fee_payer_transferring_funds`,
 * `…_fee_payer_not_isolated`, `…_memo_count`, `…_compute_limit_instruction_too_high` and `…_fee_above_limit`.
 *
 * @example
 * const refusal = judgePolicy(chain, payment, requirements, { fees: {}, requireMemo: true })
 */
export function judgePolicy(
  chain: SvmChain,
  { terms, transaction: { message }, transfer }: ExactPayment,
  requirements: PaymentRequirements,
  { fees, requireMemo }: ExactPolicy,
): Refusal | undefined {
  const asset = chain.asset(requirements.asset)
  if (asset === undefined) return refuse('asset_not_allowed')
  if (transfer.ok && movesOurs(transfer, terms.mint, chain.keys)) {
    return refuse('invalid_exact_svm_payload_transaction_fee_payer_transferring_funds')
  }
  if (!isIsolated(message, message.keys, chain.keys)) {
    return refuse('invalid_exact_svm_payload_fee_payer_not_isolated')
  }
  if (requireMemo && countMemos(message) === 0) return refuse('invalid_exact_svm_payload_memo_count')
  return transfer.ok ? judgeFee(feeOf(message, transfer.budget), transfer.budget, terms.amount, asset, fees) : undefined
}

/** Whether a payment is worth what it costs. Refuses the two codes that say it is not. */
export function judgeFee(
  lamports: bigint,
  { units }: ComputeBudget,
  amount: bigint,
  { decimals }: { readonly decimals: number },
  { lamports: floor = 50_000n, lamportsPerUnit = 0n, computeUnits = 200_000 }: FeeLimits,
): Refusal | undefined {
  if (units > computeUnits) {
    return refuse('invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction_too_high')
  }
  const share = (amount * lamportsPerUnit) / 10n ** BigInt(decimals)
  const limit = share > floor ? share : floor
  if (lamports <= limit) return undefined
  return refuse('invalid_exact_svm_payload_fee_above_limit', `${lamports} of ${limit} lamports`)
}
