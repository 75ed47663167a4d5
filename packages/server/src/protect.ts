import {
  decodePayment,
  type ErrorCode,
  notify,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
} from '@groat/core'
import type { Answer } from './answer.js'
import { decide } from './decide.js'
import type { Gate } from './paywall.js'
import type { Route } from './route.js'
import { serveStrict } from './strict.js'
import { type GateRequest, refusalAnswer, type Terms } from './terms.js'

/** The payment that a handler is run for. It is verified, and not yet settled. */
export type VerifiedPayment = {
  /** Identity of the payment, the same in every log and receipt. */
  readonly pid: Pid
  readonly payer: string
  /** Atomic units of the offer's asset. */
  readonly amount: bigint
  /** The offer that was chosen. */
  readonly offer: PaymentRequirements
  /** The payment as it was presented. */
  readonly payload: PaymentPayload
}

/** One request, as a framework's adapter brings it. `Native` is the framework's own response. */
export interface Exchange<Native = unknown> {
  readonly request: GateRequest
  /** Runs the work and holds back what it makes. What it throws is the framework's; nothing is charged for it. */
  work(payment: VerifiedPayment): Promise<Work<Native>>
  /** True once nobody waits for an answer any more. */
  gone(): boolean
}

/** What the work came to. */
export type Work<Native> =
  | { readonly type: 'made'; readonly answer: Answer }
  /** It made nothing that can be sold. */
  | { readonly type: 'failed'; readonly code: ErrorCode }
  | Unsold<Native>

/** The work ended with a status of 400 or above: its own response goes out as it is, uncharged. */
export type Unsold<Native> = { readonly type: 'unsold'; readonly native: Native }

/** Send this, and nothing that the work did beside it. `paid`: what goes out was paid for. */
export type AnswerReply = { readonly type: 'answer'; readonly answer: Answer; readonly paid: boolean }

/** What the adapter does with the response. */
export type Reply<Native> = AnswerReply | Unsold<Native>

/**
 * Serves one request to a paid route: at once where nobody has to be asked, which is so for every request without a payment and every
 * payment that cannot be one.
 */
export function protect<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
): AnswerReply | Promise<Reply<Native>> {
  const terms = route.terms(exchange.request)
  return terms instanceof Promise ? terms.then((known) => judge(gate, exchange, known)) : judge(gate, exchange, terms)
}

function judge<Native>(gate: Gate, exchange: Exchange<Native>, terms: Terms): AnswerReply | Promise<Reply<Native>> {
  const now = gate.clock()
  const decision = decide(decodePayment(exchange.request.header), terms, now)
  if (decision.type === 'candidate') return serveStrict(gate, exchange, terms, decision)
  const refusal = decision.type === 'refused' ? decision.refusal : undefined
  if (gate.onEvent !== undefined) {
    const what =
      refusal === undefined
        ? { type: 'challenge_sent' as const }
        : { type: 'payment_refused' as const, code: refusal.code }
    notify(gate.onEvent, { ...what, at: now, resource: terms.resource.url })
  }
  return {
    type: 'answer',
    answer: refusal === undefined ? terms.challenge : refusalAnswer(terms, refusal),
    paid: false,
  }
}
