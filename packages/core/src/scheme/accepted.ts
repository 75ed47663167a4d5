import { sameAddress } from '../model/address.js'
import { type Refusal, refuse } from '../model/outcome.js'
import type { PaymentRequirements } from '../model/payment.js'

/** What says how much of what goes to whom. */
type MoneyTerm = 'amount' | 'asset' | 'payTo'

const MONEY_TERMS: readonly MoneyTerm[] = ['amount', 'asset', 'payTo']

/**
 * Whether what a payer accepted agrees by value with the terms that its payment is judged by, in what moves money; what else the echo carries
 * is not judged. A payment without an echo agrees. Refuses `no_matching_requirements`, and names the term that differs.
 *
 * @example
 * judgeAccepted(payment.accepted, { ...offer, amount: 1n })?.detail // 'amount is not what was accepted'
 */
export function judgeAccepted(
  accepted: PaymentRequirements | undefined,
  terms: PaymentRequirements,
  judged: readonly MoneyTerm[] = MONEY_TERMS,
): Refusal | undefined {
  const other = accepted && judged.find((term) => !isSame(term, accepted, terms))
  return other && refuse('no_matching_requirements', `${other} is not what was accepted`)
}

function isSame(term: MoneyTerm, a: PaymentRequirements, b: PaymentRequirements): boolean {
  return term === 'amount' ? a.amount === b.amount : sameAddress(a[term], b[term])
}
