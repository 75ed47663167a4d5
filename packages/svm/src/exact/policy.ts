import { type PaymentRequirements, type Refusal, refuse } from '@groat/core'
import type { SvmChain } from '../chain.js'
import type { Message } from '../wire/transaction.js'
import { type ComputeBudget, countMemos, feeOf, isIsolated, judgeMemo, movesOurs, type Transfer } from './layout.js'
import type { ExactPayment } from './shared.js'
import { readWalletBudget } from './smart-wallet.js'

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
export type ExactPolicy = {
  readonly fees: FeeLimits
  readonly requireMemo: boolean
  /** The programs of smart wallets that are looked into; absent: none is. */
  readonly walletPrograms?: readonly string[]
}

/**
 * Holds a payment against what the operator says of its own accounts, tokens and money (SVM-EXACT-032, 033, 044, 047 to 049). Pure.
 *
 * Refuses `asset_not_allowed`, `…_fee_payer_transferring_funds`,
 * `…_fee_payer_not_isolated`, `…_memo_count`, `…_compute_limit_instruction_too_high`, `…_fee_above_limit` and, outside of the layout, what
 * `readWalletBudget` refuses or the layout's own reason.
 *
 * @example
 * const refusal = judgePolicy(chain, payment, requirements, { fees: {}, requireMemo: true })
 */
export function judgePolicy(
  chain: SvmChain,
  { terms, transaction: { message }, transfer }: ExactPayment,
  requirements: PaymentRequirements,
  { fees, requireMemo, walletPrograms }: ExactPolicy,
): Refusal | undefined {
  const budget = budgetOf(message, transfer, walletPrograms)
  if ('ok' in budget) return budget
  const asset = chain.asset(requirements.asset)
  if (asset === undefined) return refuse('asset_not_allowed')
  if (transfer.ok && movesOurs(transfer, terms.mint, chain.keys)) {
    return refuse('invalid_exact_svm_payload_transaction_fee_payer_transferring_funds')
  }
  if (!isIsolated(message, message.keys, chain.keys)) {
    return refuse('invalid_exact_svm_payload_fee_payer_not_isolated')
  }
  // In the layout the transfer's reader has looked at that already.
  const memo = transfer.ok ? undefined : judgeMemo(message, terms)
  if (memo !== undefined) return memo
  if (requireMemo && countMemos(message) === 0) return refuse('invalid_exact_svm_payload_memo_count')
  // Wallets have a cap of their own on units.
  if (transfer.ok && budget.units > (fees.computeUnits ?? 200_000)) {
    return refuse('invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction_too_high')
  }
  const { lamports: floor = 50_000n, lamportsPerUnit = 0n } = fees
  const share = (terms.amount * lamportsPerUnit) / 10n ** BigInt(asset.decimals)
  const limit = share > floor ? share : floor
  const lamports = feeOf(message, budget)
  if (lamports <= limit) return undefined
  return refuse('invalid_exact_svm_payload_fee_above_limit', `${lamports} of ${limit} lamports`)
}

/**
 * Lamports that a payment costs at the most, by what it asks of the runtime; `undefined` where the policy does not look into what it asks.
 *
 * @example
 * mostFee(payment, policy) // 10_001n
 */
export function mostFee(
  { transaction: { message }, transfer }: Pick<ExactPayment, 'transaction' | 'transfer'>,
  { walletPrograms }: Pick<ExactPolicy, 'walletPrograms'>,
): bigint | undefined {
  const budget = budgetOf(message, transfer, walletPrograms)
  return 'ok' in budget ? undefined : feeOf(message, budget)
}

/** What a message asks of the runtime; outside of the layout only if wallets are looked into. */
function budgetOf(
  message: Message,
  transfer: Transfer | Refusal,
  allowed: readonly string[] | undefined,
): ComputeBudget | Refusal {
  if (transfer.ok) return transfer.budget
  return allowed === undefined ? transfer : readWalletBudget(message, allowed)
}
