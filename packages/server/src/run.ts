import {
  type ErrorCode,
  encodeReceipt,
  errorInfo,
  type FacilitatorRequest,
  type Json,
  type JsonObject,
  notify,
  type PaymentHeader,
  type Receipt,
  type Refusal,
  type Settlement,
  X402Error,
  type X402Event,
} from '@groat/core'
import { type Answer, problemAnswer } from './answer.js'
import { UNKNOWN } from './ask-to-settle.js'
import type { ClaimToken } from './claims.js'
import type { Candidate } from './decide.js'
import type { Gate } from './paywall.js'
import type { AnswerReply, Exchange } from './protect.js'
import type { Route } from './route.js'
import { refusalAnswer, type Terms } from './terms.js'

/** Everything about one request that carries a payment. */
export type Run<Native = unknown> = {
  readonly gate: Gate
  readonly route: Route
  readonly exchange: Exchange<Native>
  readonly terms: Terms
  readonly candidate: Candidate
  /** One object for verify and settle: a client may keep its encoding. */
  readonly asked: FacilitatorRequest
}

/** The payment as the work is told of it. */
export function aboutOf({ payment, offer: { requirements }, inspected }: Candidate) {
  const { pid, payer } = inspected
  return { pid, payer, amount: requirements.amount, offer: requirements, payload: payment }
}

/** A 402 with the offers again. */
export function refused(run: Run, refusal: Refusal, receipt?: PaymentHeader, extra?: JsonObject): AnswerReply {
  tell(run, 'payment_refused', { code: refusal.code })
  const correction = extra && { offer: run.candidate.offer, extra }
  return answer(refusalAnswer(run.terms, refusal, receipt, correction))
}

/** Nobody knows yet: present the same payment again (HTTP-043, HTTP-044). */
export function pending(
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
export function receiptHeader(run: Run, settlement: Settlement, status = 200): PaymentHeader {
  const { payment, offer, inspected } = run.candidate
  const encode = (what: Settlement): PaymentHeader =>
    encodeReceipt(payment.x402Version, offer.requirements.network, what)
  if (settlement.status !== 'settled') return encode({ ...settlement, payer: inspected.payer })
  const receipt = { ...settlement.receipt, payer: inspected.payer }
  const { extensions, ...rest } = receipt
  const said = Object.entries(extensions ?? {})
  const ours = said.filter(([key]) => isOurs(run, key))
  // What extensions say is said of something that was delivered.
  const first = status < 400 ? said : said.filter(([key]) => !isOurs(run, key))
  const full = encode({ status: 'settled', receipt: withExtensions(rest, first) })
  if (full.value.length <= MAX_RECEIPT_LENGTH) return full
  const { extra: _, ...bare } = rest
  return encode({ status: 'settled', receipt: withExtensions(bare, status < 400 ? ours : []) })
}

/** What dialects say of a payment that is settled: headers by lower-case name. */
export function spokenOf({ route: { dialects } }: Run, receipt: Receipt): Readonly<Record<string, string>> {
  return dialects.length === 0 ? {} : Object.assign({}, ...dialects.map((dialect) => dialect.settle?.(receipt)))
}

const isOurs = ({ route }: Run, key: string): boolean => route.extensions.some(({ data }) => data.key === key)

const withExtensions = (receipt: Receipt, said: readonly (readonly [string, Json | undefined])[]): Receipt =>
  said.length === 0 ? receipt : { ...receipt, extensions: Object.fromEntries(said) }

const MAX_RECEIPT_LENGTH = 2048

/** The facilitator could not be asked, or gave no answer that can be used. Nothing was charged. */
export function facilitatorFault(run: Run, error: unknown): AnswerReply {
  if (!X402Error.is(error)) return fault(run, 'facilitator_unreachable')
  const { retryAfter } = error.context
  return fault(run, faultCodeOf(error), typeof retryAfter === 'number' ? retryAfter : undefined)
}

/** Who is turned away for a while is the shop, and not its buyer. */
function faultCodeOf({ code }: X402Error): ErrorCode {
  const { status } = errorInfo(code)
  if (status === 429) return 'facilitator_busy'
  return status >= 500 ? code : 'facilitator_unreachable'
}

/** A fault of the world: the operator is told which, under a reference. */
export function fault(run: Run, code: ErrorCode, retryAfter?: number): AnswerReply {
  const wait = retryAfter === undefined ? {} : { retryAfter }
  return answer(problemAnswer(code, { reference: noted(run, code, wait), ...wait }))
}

/** Tells the operator of a fault under a reference, which is all that a stranger is told of it. */
function noted(run: Run, code: ErrorCode, more: Pick<X402Event, 'retryAfter'> = {}): string {
  const reference = Array.from(run.gate.random(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
  tell(run, 'fault', { code, reference, ...more })
  return reference
}

/** The facilitator's words may come from anywhere; only a bare identifier among them is repeated to strangers. */
export function publicDetail(detail: string | undefined): string | undefined {
  return detail !== undefined && /^[a-z][a-z0-9_]{0,63}$/.test(detail) ? detail : undefined
}

/** Forgets the claim. */
export async function letGo({ gate }: Run, token: ClaimToken): Promise<void> {
  // A claim that cannot be released runs out with its lease.
  await quietly(gate.claims.release(token))
}

/** The step's value, or nothing where the store failed. */
export async function quietly<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step
  } catch {
    return undefined
  }
}

/** An answer for which nothing was paid. */
export function answer(of: Answer): AnswerReply {
  return { type: 'answer', answer: of, paid: false }
}

/** Tells the observer of this payment. */
export function tell({ gate, candidate, terms }: Run, type: X402Event['type'], more: Partial<X402Event> = {}): void {
  if (gate.onEvent === undefined) return
  const { scheme, network, payTo, asset, amount } = candidate.offer.requirements
  const { pid, payer } = candidate.inspected
  const resource = terms.resource.url
  notify(gate.onEvent, { type, at: gate.clock(), pid, network, scheme, payer, payTo, asset, amount, resource, ...more })
}
