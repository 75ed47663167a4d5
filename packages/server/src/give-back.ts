import { refuse } from '@groat/core'
import { askToSettle } from './ask-to-settle.js'
import type { AnswerReply } from './protect.js'
import { credible } from './receipt.js'
import { answer, facilitatorFault, pending, publicDetail, type Run, receiptHeader, refused } from './run.js'
import { verify } from './verify.js'

/**
 * Answers a payer that asks for what it deposited and has not spent (EVM-BATCH-086): nothing is worked for, claimed or counted as sold, and what is
 * due is for the facilitator to say, which for channels is the seller's own ledger.
 */
export async function giveBack(run: Run): Promise<AnswerReply> {
  const { gate, asked, candidate } = run
  const { pid, payer } = candidate.inspected
  const objection = await verify(run)
  if (objection !== undefined) return objection
  let outcome: Awaited<ReturnType<typeof askToSettle>>
  try {
    outcome = await askToSettle(gate.facilitator, asked, pid, { again: false, patient: true })
  } catch (error) {
    return facilitatorFault(run, error)
  }
  if (outcome.status === 'unknown') return pending(run, outcome.retryAfter, outcome.transaction)
  if (outcome.status === 'refused') {
    const { detail, ...bare } = outcome
    return refused(run, refuse(outcome.code, publicDetail(detail)), receiptHeader(run, bare))
  }
  const { receipt } = outcome
  const { amount: refunded, transaction } = receipt
  // How much it is stands nowhere in the terms.
  const { amount: _, ...bare } = receipt
  if (!credible(bare, asked.requirements, payer, true))
    return pending(run, undefined, undefined, 'facilitator_invalid_answer')
  const { name, value } = receiptHeader(run, outcome)
  const body = JSON.stringify({ transaction, ...(refunded === undefined ? {} : { refunded: refunded.toString() }) })
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', [name]: value }
  return answer({ status: 200, headers, body })
}
