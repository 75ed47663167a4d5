import { X402Error } from '@groat/core'
import type { Answer } from './answer.js'
import type { Candidate } from './decide.js'
import type { VerifiedPayment } from './protect.js'

/** The payment as the work sees it, and what the work says of its price. */
export type Meter = {
  readonly payment: VerifiedPayment
  /** Ends the meter: the answer, with what is charged for it. */
  close(answer: Answer): Answer
}

/**
 * Counts what the work charges. A ceiling that nothing is said about is charged whole.
 *
 * @example
 * const meter = createMeter(candidate)
 * meter.payment.charge(1_234n)
 * meter.close(answer).charged // '1234'
 */
export function createMeter({ payment, offer: { requirements, scheme }, inspected }: Candidate): Meter {
  const { amount } = requirements
  let charged: bigint | undefined
  let open = true
  return {
    payment: {
      pid: inspected.pid,
      payer: inspected.payer,
      amount,
      offer: requirements,
      payload: payment,
      charge(wanted) {
        if (scheme.metered !== true) throw invalid('the scheme has no ceiling')
        if (!open) throw invalid('the answer is made')
        if (wanted < 0n || wanted > amount) throw invalid('not between nothing and the ceiling')
        charged = wanted
      },
    },
    close(answer) {
      open = false
      return charged === undefined || charged === amount ? answer : { ...answer, charged: charged.toString() }
    },
  }
}

const invalid = (reason: string) => new X402Error('invalid_charge', { reason })
