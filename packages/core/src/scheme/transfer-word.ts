import { refuse } from '../model/outcome.js'
import type { PaymentRequirements } from '../model/payment.js'
import { MAX_TRANSFER_AGE_SECONDS } from './made-transfers.js'
import type { InspectedPayment, Inspection } from './server.js'

/** What a payer gives its word for: that a transfer of its own pays for something. */
export type TransferWord = Pick<InspectedPayment, 'pid' | 'payer'> & {
  /** Until when the word holds, in seconds since 1970. */
  readonly end: number
}

/**
 * Reads the time of a payer's word on a transfer, on any chain (EVM-PROOF-005, SVM-PROOF-005). Refuses `invalid_payload`, when it holds longer than its
 * terms allow, and `payment_expired`. `now` in milliseconds.
 *
 * @example
 * const inspection = inspectTransferWord({ pid, payer, end: Number(proof.validBefore) }, offer, Date.now())
 */
export function inspectTransferWord(
  { pid, payer, end }: TransferWord,
  { maxTimeoutSeconds }: Pick<PaymentRequirements, 'maxTimeoutSeconds'>,
  now: number,
): Inspection {
  const seconds = now / 1000
  if (end > seconds + maxTimeoutSeconds + CLOCK_ALLOWANCE_SECONDS) {
    return { ...refuse('invalid_payload', 'payload.validBefore is too far away'), payer }
  }
  // As long as the transfer could be presented with another word on it, its claim must be remembered: it is no older than this word.
  const good = { ok: true, pid, payer, expiresAt: end + MAX_TRANSFER_AGE_SECONDS } as const
  return end > seconds ? good : { ...refuse('payment_expired'), payer, late: good }
}

/** Seconds by which the clocks of payer and reader may differ. */
const CLOCK_ALLOWANCE_SECONDS = 60
