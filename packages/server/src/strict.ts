import {
  canonicalJson,
  type ErrorCode,
  encodeReceipt,
  errorInfo,
  type FacilitatorRequest,
  notify,
  type PaymentHeader,
  type Receipt,
  type Refusal,
  refuse,
  type Settlement,
  sameAddress,
  sha256Hex,
  X402Error,
  type X402Event,
} from '@groat/core'
import { type Answer, problemAnswer } from './answer.js'
import { askToSettle, UNKNOWN } from './ask-to-settle.js'
import type { ClaimOutcome, ClaimToken } from './claims.js'
import type { Candidate, Late } from './decide.js'
import { createMeter } from './meter.js'
import type { Gate } from './paywall.js'
import type { AnswerReply, Exchange, Reply } from './protect.js'
import { credible, evidenceOf } from './receipt.js'
import { pathOf, refusalAnswer, type Terms } from './terms.js'

/**
 * Strict mode: claim, verify, work with its answer held back, settle, release. No byte of the work leaves before its payment is
 * settled (SRV-007); nothing is charged unless the work made something to sell (SRV-006); an outcome that is not known keeps the
 * answer, so that presenting the same payment again settles it and gets it without working again (SRV-021).
 */
export async function serveStrict<Native>(
  gate: Gate,
  exchange: Exchange<Native>,
  terms: Terms,
  candidate: Candidate | Late,
): Promise<Reply<Native>> {
  const { payment, offer } = candidate
  const asked = { payment, requirements: offer.requirements, resource: terms.resource }
  const run: Run<Native> = { gate, exchange, terms, candidate, asked }
  tell(run, 'payment_presented')
  const claim = await quietly(claimFor(run))
  if (claim === undefined) return fault(run, 'store_unavailable')
  switch (claim.status) {
    case 'claimed':
      if ('refusal' in candidate) {
        await letGo(run, claim.token)
        return refused(run, candidate.refusal)
      }
      tell(run, 'payment_claimed')
      return serveFirst(run, claim.token)
    case 'settling':
      return settle(run, claim.token, claim.answer, true)
    case 'settled':
      return claim.answer === undefined
        ? refused(run, refuse('payment_already_used'))
        : released(run, claim.answer, claim.receipt)
    case 'busy':
      return answer(problemAnswer('payment_in_flight', { retryAfter: 1 }))
    case 'mismatch':
      return answer(problemAnswer('idempotency_mismatch'))
  }
}

/** Everything about one request. */
type Run<Native = unknown> = {
  readonly gate: Gate
  readonly exchange: Exchange<Native>
  readonly terms: Terms
  readonly candidate: Candidate
  /** One object for verify and settle: a client may keep its encoding. */
  readonly asked: FacilitatorRequest
}

function claimFor({
  gate,
  exchange: { request },
  candidate: { payment, offer, inspected },
}: Run): Promise<ClaimOutcome> {
  // The whole payload, signature and all: who has only read a nonce off the chain gets nothing by it (SRV-023).
  const { rid } = offer
  const binding = sha256Hex(`${rid}\n${request.method} ${pathOf(request.url)}\n${canonicalJson(payment.payload)}`)
  const { pid, expiresAt } = inspected
  return gate.claims.claim({ pid, expiresAt, binding, leaseMs: gate.leaseMs })
}

/** Seconds of validity that a new payment must have left, for the work and for its inclusion on chain. */
const MIN_REMAINING_SECONDS = 6

async function serveFirst<Native>(run: Run<Native>, token: ClaimToken): Promise<Reply<Native>> {
  const held = await workFor(run, token).catch(async (error: unknown) => {
    await letGo(run, token)
    throw error
  })
  if ('reply' in held) {
    await letGo(run, token)
    return held.reply
  }
  return settle(run, token, held.answer, false)
}

/** The answer of the work, kept in the claim store; or a reply for which nothing is charged. */
type Held<Native> = { readonly answer: Answer } | { readonly reply: Reply<Native> }

async function workFor<Native>(run: Run<Native>, token: ClaimToken): Promise<Held<Native>> {
  const { gate, exchange, candidate } = run
  const objection = tooLate(run) ?? (await verify(run))
  if (objection !== undefined) return { reply: objection }
  tell(run, 'payment_verified')
  if (exchange.gone()) return { reply: answer(problemAnswer('handler_failed')) }
  const meter = createMeter(candidate)
  const work = await exchange.work(meter.payment)
  if (work.type === 'unsold') return { reply: work }
  if (work.type === 'failed') return { reply: answer(problemAnswer(work.code)) }
  if (exchange.gone()) return { reply: answer(problemAnswer('handler_failed')) }
  const held = meter.close(work.answer)
  try {
    const ours = await gate.claims.settling(token, held, gate.leaseMs)
    return ours ? { answer: held } : { reply: answer(problemAnswer('payment_in_flight', { retryAfter: 1 })) }
  } catch {
    return { reply: fault(run, 'store_unavailable') }
  }
}

function tooLate(run: Run): AnswerReply | undefined {
  const { inspected, offer } = run.candidate
  const needed = Math.min(MIN_REMAINING_SECONDS, Math.floor(offer.requirements.maxTimeoutSeconds / 2))
  return inspected.expiresAt - run.gate.clock() / 1000 < needed ? refused(run, refuse('payment_expired')) : undefined
}

async function verify(run: Run): Promise<AnswerReply | undefined> {
  try {
    const verdict = await run.gate.facilitator.verify(run.asked)
    if (!verdict.ok) return judged(run, refuse(verdict.code, publicDetail(verdict.detail)))
    const lies = verdict.payer !== '' && !sameAddress(verdict.payer, run.candidate.inspected.payer)
    return lies ? fault(run, 'facilitator_invalid_answer') : undefined
  } catch (error) {
    return facilitatorFault(run, error)
  }
}

/** A verdict about the payer is a 402; one about the world is not the payer's to mend (HTTP-046). */
function judged(run: Run, refusal: Refusal): AnswerReply {
  const blame = errorInfo(refusal.code).status === 402 || refusal.code === 'unexpected_verify_error'
  return blame ? refused(run, refusal) : fault(run, refusal.code)
}

async function settle(run: Run, token: ClaimToken, held: Answer, again: boolean): Promise<AnswerReply> {
  const { gate } = run
  const asked = askedFor(run, held)
  let outcome: Settlement
  try {
    outcome = await askToSettle(gate.facilitator, asked, run.candidate.inspected.pid, again)
  } catch (error) {
    // Nothing was accepted, and nothing had been before: as if the facilitator had been down before the work.
    await letGo(run, token)
    return facilitatorFault(run, error)
  }
  switch (outcome.status) {
    case 'settled':
      return deliver(run, token, held, asked, outcome.receipt)
    case 'refused': {
      await letGo(run, token)
      const { detail, ...bare } = outcome
      return refused(run, refuse(outcome.code, publicDetail(detail)), receiptHeader(run, bare))
    }
    case 'unknown':
      await quietly(gate.claims.pause(token))
      return pending(run, outcome.retryAfter, outcome.transaction)
  }
}

/** Releases what was held back, if the receipt can be true and no other delivery hangs on it. */
async function deliver(
  run: Run,
  token: ClaimToken,
  held: Answer,
  { requirements }: FacilitatorRequest,
  receipt: Receipt,
): Promise<AnswerReply> {
  const { candidate, gate } = run
  const { inspected, offer } = candidate
  let doubt: ErrorCode | undefined
  if (!credible(receipt, requirements, inspected.payer, offer.scheme.offChain)) doubt = 'facilitator_invalid_answer'
  else {
    const unique = await quietly(gate.claims.settled(token, receipt, evidenceOf(receipt, inspected.pid)))
    if (unique !== true) doubt = unique === false ? 'facilitator_invalid_answer' : 'store_unavailable'
  }
  if (doubt !== undefined) {
    await quietly(gate.claims.pause(token))
    return pending(run, undefined, undefined, doubt)
  }
  tell(run, 'payment_settled', { transaction: receipt.transaction, amount: requirements.amount })
  return released(run, held, receipt)
}

/** What the facilitator is asked to settle: the offer, or as much of it as the work charged. */
function askedFor({ asked }: Run, { charged }: Answer): FacilitatorRequest {
  if (charged === undefined) return asked
  return { ...asked, requirements: { ...asked.requirements, amount: BigInt(charged) } }
}

function released(run: Run, held: Answer, receipt: Receipt): AnswerReply {
  const { name, value } = receiptHeader(run, { status: 'settled', receipt })
  tell(run, 'delivery_released', { transaction: receipt.transaction })
  return { type: 'answer', answer: { ...held, headers: { ...held.headers, [name]: value } }, paid: true }
}

function refused(run: Run, refusal: Refusal, receipt?: PaymentHeader): AnswerReply {
  tell(run, 'payment_refused', { code: refusal.code })
  return answer(refusalAnswer(run.terms, refusal, receipt))
}

/** Nobody knows yet: present the same payment again (HTTP-043, HTTP-044). */
function pending(
  run: Run,
  retryAfter: number | undefined,
  transaction: string | undefined,
  cause?: ErrorCode,
): AnswerReply {
  const { payer } = run.candidate.inspected
  const unknown = { ...UNKNOWN, payer, ...(transaction === undefined ? {} : { transaction }) }
  const { name, value } = receiptHeader(run, unknown)
  const reference = cause === undefined ? undefined : noted(run, cause)
  tell(run, 'settlement_unknown')
  return answer(
    problemAnswer('settlement_pending', {
      headers: { [name]: value },
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(reference === undefined ? {} : { reference }),
    }),
  )
}

/** The receipt header, without the facilitator's additions where they would make it longer than what clients and proxies take. */
function receiptHeader(run: Run, settlement: Settlement): PaymentHeader {
  const { payment, offer, inspected } = run.candidate
  const encode = (what: Settlement): PaymentHeader =>
    encodeReceipt(payment.x402Version, offer.requirements.network, what)
  if (settlement.status !== 'settled') return encode({ ...settlement, payer: inspected.payer })
  const receipt = { ...settlement.receipt, payer: inspected.payer }
  const full = encode({ status: 'settled', receipt })
  if (full.value.length <= MAX_RECEIPT_LENGTH) return full
  const { extra: _, extensions: __, ...bare } = receipt
  return encode({ status: 'settled', receipt: bare })
}

const MAX_RECEIPT_LENGTH = 2048

function facilitatorFault(run: Run, error: unknown): AnswerReply {
  const known = X402Error.is(error) && errorInfo(error.code).status >= 500 ? error : undefined
  const retryAfter = known?.context.retryAfter
  return fault(run, known?.code ?? 'facilitator_unreachable', typeof retryAfter === 'number' ? retryAfter : undefined)
}

function fault(run: Run, code: ErrorCode, retryAfter?: number): AnswerReply {
  const reference = noted(run, code)
  return answer(problemAnswer(code, { reference, ...(retryAfter === undefined ? {} : { retryAfter }) }))
}

/** Tells the operator of a fault under a reference, which is all that a stranger is told of it. */
function noted(run: Run, code: ErrorCode): string {
  const reference = Array.from(run.gate.random(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  tell(run, 'fault', { code, reference })
  return reference
}

/** The facilitator's words may come from anywhere; only a bare identifier among them is repeated to strangers. */
function publicDetail(detail: string | undefined): string | undefined {
  return detail !== undefined && /^[a-z][a-z0-9_]{0,63}$/.test(detail) ? detail : undefined
}

async function letGo({ gate }: Run, token: ClaimToken): Promise<void> {
  // A claim that cannot be released runs out with its lease.
  await quietly(gate.claims.release(token))
}

async function quietly<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step
  } catch {
    return undefined
  }
}

function answer(of: Answer): AnswerReply {
  return { type: 'answer', answer: of, paid: false }
}

function tell({ gate, candidate, terms }: Run, type: X402Event['type'], more: Partial<X402Event> = {}): void {
  if (gate.onEvent === undefined) return
  const { scheme, network, payTo, asset, amount } = candidate.offer.requirements
  const { pid, payer } = candidate.inspected
  const resource = terms.resource.url
  notify(gate.onEvent, { type, at: gate.clock(), pid, network, scheme, payer, payTo, asset, amount, resource, ...more })
}
