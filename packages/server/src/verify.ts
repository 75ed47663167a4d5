import { errorInfo, type JsonObject, type Refusal, refuse, sameAddress } from '@groat/core'
import type { AnswerReply } from './protect.js'
import { facilitatorFault, fault, publicDetail, type Run, refused } from './run.js'
import { isForApproval } from './terms.js'

/** Asks the facilitator whether a payment is good; the answer to the buyer where it is not. */
export async function verify(run: Run): Promise<AnswerReply | undefined> {
  try {
    const verdict = await run.gate.facilitator.verify(run.asked)
    if (!verdict.ok) return judged(run, refuse(verdict.code, publicDetail(verdict.detail)), verdict.extra)
    const lies = verdict.payer !== '' && !sameAddress(verdict.payer, run.candidate.inspected.payer)
    return lies ? fault(run, 'facilitator_invalid_answer') : undefined
  } catch (error) {
    return facilitatorFault(run, error)
  }
}

/** A verdict about the payer is a 402; one about the world is not the payer's to mend (HTTP-046). */
function judged(run: Run, refusal: Refusal, extra?: JsonObject): AnswerReply {
  const { status } = errorInfo(refusal.code)
  const blame = status === 402 || isForApproval(refusal.code) || refusal.code === 'unexpected_verify_error'
  return blame ? refused(run, refusal, undefined, extra) : fault(run, refusal.code)
}
