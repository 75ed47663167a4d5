import {
  type Decoded,
  decodePayment,
  type ErrorCode,
  errorInfo,
  notify,
  type PaymentPayload,
  type PaymentRequirements,
  type Pid,
  refuse,
  X402Error,
} from '@groat/core'
import { type Answer, problemAnswer } from './answer.js'
import { askedAnswer } from './asked.js'
import { decide, recall } from './decide.js'
import { ENTITLEMENT_HEADER, freePayment, serveEntitled, serveEntitledBy } from './entitled.js'
import { admits, admittedBy, enrichedTerms, isEnriched } from './extensions.js'
import { createMeter } from './meter.js'
import type { Offer } from './offers.js'
import { forPeople } from './page/for-people.js'
import type { PaymentRequiredError } from './payment-required-error.js'
import type { Gate } from './paywall.js'
import type { Used } from './price-words.js'
import type { Route } from './route.js'
import { serve, serveAgain } from './serve.js'
import type { StreamReply } from './stream.js'
import { type Challenge, type GateRequest, refusalAnswer, type Terms } from './terms.js'

/** The payment that a handler is run for. It is verified; whether it is settled already is the route's mode. */
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
  /**
   * Says what the work costs, where the offer's amount is a ceiling (`upto`): 0 to `amount` atomic units. The last word before the answer
   * counts; without one the whole amount is charged. Nothing but this decides: no header, no part of the answer.
   * Throws `X402Error` `invalid_charge` for an amount outside that range, for a scheme without a ceiling, and once the answer is made.
   */
  charge(amount: bigint): void
  /**
   * Says what the work used of what the route charges by, such as `{ outputTokens: 12 }`; it adds up, and counts in place of what would be
   * measured. `false`: the ceiling is reached, and it is time to stop.
   * Throws `X402Error` `invalid_charge` for what the route has no price for, and once the answer is made.
   */
  use(used: Used): boolean
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
  /** It wants to be paid for first; nothing was done. */
  | { readonly type: 'asked'; readonly error: PaymentRequiredError }
  | Unsold<Native>

/** The work ended with a status of 400 or above: its own response goes out as it is, uncharged. */
export type Unsold<Native> = { readonly type: 'unsold'; readonly native: Native }

/** Send this, and nothing that the work did beside it. `paid`: what goes out was paid for. */
export type AnswerReply = { readonly type: 'answer'; readonly answer: Answer; readonly paid: boolean }

/** What the adapter does with the response. */
export type Reply<Native> = AnswerReply | Unsold<Native> | StreamReply

/**
 * Serves one request to a paid route: with a 402 at once where nobody has to be asked, which is so for every request without a payment
 * and every payment that cannot be one.
 */
export function protect<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
): Challenge | Promise<Reply<Native>> {
  const { request } = exchange
  const decoded = decodePayment(request.header)
  const quote = decoded?.ok ? decoded.value.accepted?.extra.quote : undefined
  const terms = typeof quote === 'string' ? termsQuoted(gate, route, request, quote) : route.terms(request)
  if (!(terms instanceof Promise)) return judge(gate, route, exchange, terms, decoded)
  return terms.then(
    (known) => {
      const judged = judge(gate, route, exchange, known, decoded)
      return judged instanceof Promise ? judged : { type: 'answer', answer: judged, paid: false }
    },
    (error: unknown) => {
      // The facilitator could not be asked for its part of the offer. What else goes wrong here is the price function's.
      if (!X402Error.is(error) || errorInfo(error.code).status < 500) throw error
      notify(gate.onEvent, { type: 'fault', at: gate.clock(), code: error.code })
      return { type: 'answer', answer: problemAnswer(error.code), paid: false }
    },
  )
}

function judge<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  terms: Terms,
  decoded: Decoded<PaymentPayload> | undefined,
): Challenge | Promise<Reply<Native>> {
  const now = gate.clock()
  const { resource, outgoing } = terms
  const offers = outgoing.length === 0 ? terms.offers : [...terms.offers, ...outgoing]
  const decision = decide(decoded, { resource, offers }, now)
  switch (decision.type) {
    case 'unpaid': {
      const spoken = route.dialects.length === 0 ? undefined : readDialects(route, exchange.request, terms)
      if (spoken !== undefined) return judge(gate, route, exchange, terms, spoken)
      const token = route.sold && exchange.request.header(ENTITLEMENT_HEADER)
      if (token) return serveEntitled(gate, route, exchange.request, terms, token)
      if (admits(route)) return serveAdmitted(gate, route, exchange, terms)
      if (route.free !== undefined) return serveFree(gate, route, exchange, terms)
      if (route.asks !== undefined) return serveAsking(gate, route, exchange, route.asks)
      return challenge(gate, route, exchange.request, terms)
    }
    case 'refused': {
      const { refusal, payment } = decision
      const before = payment && recall(payment, route.schemes, now)
      if (before !== undefined) return serveAgain(gate, route, exchange, terms, before, refusal)
      notify(gate.onEvent, { type: 'payment_refused', at: now, resource: terms.resource.url, code: refusal.code })
      return refusalAnswer(terms, refusal)
    }
    case 'candidate':
    case 'late':
      return serve(gate, route, exchange, terms, decision)
  }
}

/** The payment of a request in the dialects of its route. */
function readDialects(
  { dialects }: Route,
  { header }: GateRequest,
  { resource, offers }: Terms,
): Decoded<PaymentPayload> | undefined {
  const terms = { resource, offers: offers.map(({ requirements }) => requirements) }
  for (const dialect of dialects) {
    const payment = dialect.read(header, terms)
    if (payment !== undefined) return payment
  }
  return undefined
}

/** The terms at the price that was quoted; those of today where the quote is not good, or no longer. */
async function termsQuoted(gate: Gate, route: Route, request: GateRequest, quote: string): Promise<Terms> {
  const today = await route.terms(request)
  const price = await gate.quotes.read(route.name, request, quote, gate.clock())
  return price === undefined ? today : route.quoted(request, price, quote)
}

/** Runs the handler for nothing, and passes on what it asks for. */
async function serveAsking<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  { requirements }: Offer,
): Promise<Reply<Native>> {
  // It is no payment's: those have other identities.
  const { payment } = createMeter(freePayment('free-asked' as Pid, requirements))
  // What it asks is quoted for this body, which it takes.
  await exchange.request.body?.()
  const work = await exchange.work(payment)
  if (work.type === 'unsold') return work
  const answer =
    work.type === 'asked'
      ? await askedAnswer(gate, route, exchange.request, work.error)
      : work.type === 'failed'
        ? problemAnswer(work.code)
        : work.answer
  return { type: 'answer', answer, paid: false }
}

/** Serves a request that may cost nothing. */
async function serveFree<Native>(
  gate: Gate,
  route: Route,
  { request }: Exchange<Native>,
  terms: Terms,
): Promise<Reply<Native>> {
  const reply = await route.free?.<Native>(gate, route, request, terms)
  return reply ?? challenge(gate, route, request, terms, 'later')
}

/** Serves a request whose sender may have paid before; one that an extension says nothing of goes the usual way. */
async function serveAdmitted<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  terms: Terms,
): Promise<Reply<Native>> {
  const { request } = exchange
  const admission = await admittedBy(route, request, terms)
  if (admission === undefined) {
    if (route.free !== undefined) return serveFree(gate, route, exchange, terms)
    if (route.asks !== undefined) return serveAsking(gate, route, exchange, route.asks)
    return challenge(gate, route, request, terms, 'later')
  }
  if ('paid' in admission) {
    const reply = await serveEntitledBy<Native>(gate, route, request, terms, admission.paid)
    if (reply !== undefined) return reply.type === 'stream' ? varied(reply) : reply
  }
  const refusal = 'code' in admission ? admission : refuse('sign_in_unknown')
  notify(gate.onEvent, { type: 'payment_refused', at: gate.clock(), resource: terms.resource.url, code: refusal.code })
  const { status } = errorInfo(refusal.code)
  if (status >= 500 || status === 429) {
    const { retryAfter } = refusal
    const answer = problemAnswer(refusal.code, retryAfter === undefined ? {} : { retryAfter })
    return { type: 'answer', answer, paid: false }
  }
  // What was answered is used up: the next attempt needs a challenge of its own.
  const anew = await enrichedTerms(gate, route, request, terms)
  return { type: 'answer', answer: refusalAnswer(anew, refusal), paid: false }
}

/** An answer that was given to somebody who signed in is no answer for others (EXT-SIGN-002). */
function varied(reply: StreamReply): StreamReply {
  return {
    ...reply,
    head: (headers, status) => {
      reply.head(headers, status)
      const vary = headers.get('vary')
      if (vary !== '*') headers.set('vary', [vary, 'SIGN-IN-WITH-X'].filter(Boolean).join(', '))
    },
  }
}

/** The 402 of a request without a payment: at once, unless an extension makes its part for each request. */
function challenge(gate: Gate, route: Route, request: GateRequest, terms: Terms): Challenge | Promise<AnswerReply>
function challenge(gate: Gate, route: Route, request: GateRequest, terms: Terms, when: 'later'): Promise<AnswerReply>
function challenge(
  gate: Gate,
  route: Route,
  request: GateRequest,
  terms: Terms,
  when?: 'later',
): Challenge | Promise<AnswerReply> {
  const reply = (of: Terms): AnswerReply => ({ type: 'answer', answer: challenged(gate, request, of), paid: false })
  if (isEnriched(route)) return enrichedTerms(gate, route, request, terms).then(reply)
  return when === 'later' ? Promise.resolve(reply(terms)) : challenged(gate, request, terms)
}

function challenged({ onEvent, clock, page }: Gate, request: GateRequest, terms: Terms): Challenge {
  notify(onEvent, { type: 'challenge_sent', at: clock(), resource: terms.resource.url })
  return page === undefined ? terms.challenge : forPeople(page, request, terms)
}
