import {
  canonicalJson,
  errorInfo,
  type FacilitatorRequest,
  type Receipt,
  type Refusal,
  type RepeatedPayment,
  refuse,
  type Settlement,
  sha256Hex,
} from '@groat/core'
import { type Answer, problemAnswer } from './answer.js'
import { askToSettle } from './ask-to-settle.js'
import { askedAnswer } from './asked.js'
import type { ClaimedBefore, ClaimOutcome, ClaimRequest, ClaimToken } from './claims.js'
import { type Candidate, type Late, recall } from './decide.js'
import { grantFor, serveEntitled } from './entitled.js'
import { inOurWords, inspectExtensions, judgedBy, withReceiptExtensions } from './extensions.js'
import { giveBack } from './give-back.js'
import type { Sale } from './ledger/sale.js'
import { createMeter } from './meter.js'
import type { Gate } from './paywall.js'
import { tallyAnswer } from './price-words.js'
import type { AnswerReply, Exchange, Reply } from './protect.js'
import { credible, evidenceOf } from './receipt.js'
import type { Route } from './route.js'
import {
  aboutOf,
  answer,
  facilitatorFault,
  fault,
  letGo,
  pending,
  publicDetail,
  quietly,
  type Run,
  receiptHeader,
  refused,
  spokenOf,
  tell,
} from './run.js'
import { type StreamReply, stream, streamFirst } from './stream.js'
import { pathOf, type Terms, withoutQuery } from './terms.js'
import { verify } from './verify.js'
import { contentOf, readFor } from './watched.js'

/**
 * Serves a request that carries a payment: claims it, and goes on by the route's mode.
 *
 * Strict: verify, work with the answer held back, settle, release. No byte of the work leaves before its payment is settled (SRV-007);
 * nothing is charged unless the work made something to sell (SRV-006); an outcome that is not known keeps the answer, so that presenting
 * the same payment again settles it and gets it without working again (SRV-021).
 *
 * Upfront, and accepted: verify, settle, then work, whose answer leaves as it is made; what is paid for and was not delivered stays owed.
 * Optimistic: verify, work, and settle when it ends, within a budget for loss.
 */
export async function serve<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  terms: Terms,
  candidate: Candidate | Late,
): Promise<Reply<Native>> {
  const run = runOf(gate, route, exchange, terms, candidate)
  tell(run, 'payment_presented')
  if (candidate.inspected.refund && !('refusal' in candidate)) return giveBack(run)
  const stranger = candidate.offer.scheme.vouch && (await vouched(run))
  if (stranger !== undefined) return stranger
  const asked = await claimOf(run)
  const claim = await quietly(claimed(gate, { ...asked, expiresAt: candidate.inspected.expiresAt }))
  if (claim === undefined) return fault(run, 'store_unavailable')
  if (claim.status === 'mismatch') {
    // What it says that it answers is not today's offer: the life of what is signed may have changed.
    const before = recall(candidate.payment, route.schemes, gate.clock())
    const other = before !== undefined && before.offer.rid !== candidate.offer.rid
    if (other) return serveAgain(gate, route, exchange, terms, before, refuse('idempotency_mismatch'))
  }
  if (claim.status !== 'claimed') return serveClaimed(run, claim)
  if ('refusal' in candidate) {
    await letGo(run, claim.token)
    return refused(run, candidate.refusal)
  }
  tell(run, 'payment_claimed')
  return serveFirst(run, claim.token)
}

/** What speaks against whoever presents a payment; asked of schemes that have to wait for the answer. */
async function vouched(run: Run): Promise<AnswerReply | undefined> {
  const { payment, offer } = run.candidate
  try {
    const refusal = await offer.scheme.vouch?.(payment, offer.requirements)
    return refusal && refused(run, refusal)
  } catch (error) {
    return facilitatorFault(run, error)
  }
}

/**
 * Serves a payment that answers none of today's offers, if it was claimed here for the offer that it names: what was sold is delivered,
 * whatever is sold now (SRV-027). Anything else is refused.
 */
export async function serveAgain<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  terms: Terms,
  before: Candidate,
  refusal: Refusal,
): Promise<Reply<Native>> {
  const run = runOf(gate, route, exchange, terms, before)
  let claim: ClaimedBefore | undefined
  try {
    claim = await resumed(gate, await claimOf(run, before.payment.resource?.url))
  } catch {
    return fault(run, 'store_unavailable')
  }
  if (claim !== undefined) return serveClaimed(run, claim)
  return refusal.code === 'idempotency_mismatch' ? answer(problemAnswer('idempotency_mismatch')) : refused(run, refusal)
}

/** Serves a payment that was claimed before. */
async function serveClaimed<Native>(run: Run<Native>, claim: ClaimedBefore): Promise<Reply<Native>> {
  const objection = await foreignTo(run, claim)
  if (objection !== undefined) return objection
  switch (claim.status) {
    case 'settling':
      // Nobody wrote down what is charged: the process that counted it is gone, and nothing was settled.
      if (run.route.mode === 'optimistic' && run.candidate.offer.scheme.metered && claim.charged === undefined) {
        await letGo(run, claim.token)
        return answer(problemAnswer('payment_in_flight', { retryAfter: 1 }))
      }
      return serveSettled(run, claim.token, { ...claim, again: true })
    case 'open':
      if (claim.partly < (await mostPartly(run))) return streamSettled(run, claim.token, claim.receipt)
      await quietly(run.gate.claims.pause(claim.token, false))
      return refused(run, refuse('payment_already_used'))
    case 'settled':
      return claim.answer === undefined
        ? refused(run, refuse('payment_already_used'))
        : released(run, claim.answer, claim.receipt)
    case 'refunded':
      return refused(run, refuse('payment_refunded'))
    case 'busy':
      return answer(problemAnswer('payment_in_flight', { retryAfter: 1 }))
    case 'mismatch':
      return answer(problemAnswer('idempotency_mismatch'))
  }
}

/** A request that is not the one that was paid for gets nothing of it, and what is owed waits for the right one. */
async function foreignTo(run: Run, claim: ClaimedBefore): Promise<AnswerReply | undefined> {
  const token = 'token' in claim && claim.token
  if (!token && claim.status !== 'settled') return undefined
  const refusal = await judgedBy(run, 'resume')
  if (refusal?.ok !== false) return undefined
  if (token) await quietly(run.gate.claims.pause(token, false))
  return objected(run, refusal)
}

/** How often a payment may be delivered in part before it counts as used: a buyer whose line breaks, not one who breaks it. */
const MAX_PARTLY = 3

/** What cannot be told from another request is not begun again once some of its answer was sent. */
async function mostPartly({ exchange: { request } }: Run): Promise<number> {
  return (await contentOf(request)) === undefined ? 1 : MAX_PARTLY
}

function runOf<Native>(
  gate: Gate,
  route: Route,
  exchange: Exchange<Native>,
  terms: Terms,
  candidate: Candidate,
): Run<Native> {
  const { payment, offer } = candidate
  const told = inOurWords(route, exchange.request, terms, payment)
  const asked = { ...told, requirements: offer.requirements, resource: terms.resource }
  return { gate, route, exchange, terms, candidate, asked }
}

/** What is claimed: this payment, for this offer of this resource, in this request. */
async function claimOf(
  { gate, route, exchange: { request }, terms, candidate: { payment, offer, inspected } }: Run,
  resource = terms.resource.url,
): Promise<Asked> {
  // The whole payload, signature and all: who has only read a nonce off the chain gets nothing by it (SRV-023).
  const lines = [
    offer.rid,
    withoutQuery(resource),
    `${request.method} ${pathOf(request.url)}`,
    canonicalJson(payment.payload),
  ]
  // What is owed for a cheap request is not delivered to a dear one.
  const priced = await readFor(request)
  if (priced !== '') lines.push(priced)
  const bare = (): string => sha256Hex(lines.join('\n'))
  // What is owed is owed to the request that was paid for (SRV-043). Where the work comes first its answer is kept, and not made again;
  // what is prepaid pays for each request.
  const isBare = route.mode === 'strict' || route.sold?.prepaid !== undefined
  const whole = async (): Promise<string> => {
    const content = await contentOf(request)
    return sha256Hex([...lines, `body ${content ?? 'unread'}`].join('\n'))
  }
  return {
    ...{ pid: inspected.pid, leaseMs: gate.leaseMs, binding: isBare ? bare() : await whole() },
    other: async () => (isBare ? whole() : bare()),
  }
}

/** A claim that is asked for. */
type Asked = Omit<ClaimRequest, 'expiresAt'> & {
  /** How it was written down while the route had another mode, or before bodies were looked at: what was paid for then is owed too. */
  readonly other: () => Promise<string>
}

async function claimed({ claims }: Gate, { other, ...asked }: Asked & ClaimRequest): Promise<ClaimOutcome> {
  const claim = await claims.claim(asked)
  if (claim.status !== 'mismatch') return claim
  return (await claims.resume({ ...asked, binding: await other() })) ?? claim
}

async function resumed({ claims }: Gate, { other, ...asked }: Asked): Promise<ClaimedBefore | undefined> {
  return (await claims.resume(asked)) ?? claims.resume({ ...asked, binding: await other() })
}

/** Seconds of validity that a new payment must have left, for the work and for its inclusion on chain. */
const MIN_REMAINING_SECONDS = 6

async function serveFirst<Native>(run: Run<Native>, token: ClaimToken): Promise<Reply<Native>> {
  const { route, candidate } = run
  const { worth, scheme } = candidate.offer
  const onTrust = route.mode === 'optimistic' && route.budget?.take(worth) === true
  // What is counted cannot be settled before the work.
  const isHeld = route.mode === 'strict' || (scheme.metered === true && !onTrust)
  const giveUp = async (): Promise<void> => {
    if (onTrust) route.budget?.give(worth)
    await letGo(run, token)
  }
  const step = await firstStep(run, token, isHeld).catch(async (error: unknown) => {
    await giveUp()
    throw error
  })
  if ('reply' in step) {
    await giveUp()
    return step.reply
  }
  if (onTrust) return streamFirst(run, token, (charged) => settle(run, token, false, charged?.toString()))
  return serveSettled(run, token, { ...step, again: false })
}

/** The answer of the work in strict mode, kept in the claim store; or a reply for which nothing is charged. */
type Step<Native> = { readonly answer?: Answer } | { readonly reply: Reply<Native> }

async function firstStep<Native>(run: Run<Native>, token: ClaimToken, isHeld: boolean): Promise<Step<Native>> {
  const { gate, exchange } = run
  const misfit = inspectExtensions(run)
  const objection = tooLate(run) ?? (misfit && objected(run, misfit)) ?? (await verify(run))
  if (objection !== undefined) return { reply: objection }
  tell(run, 'payment_verified')
  const guarded = run.route.extensions[0] && (await judgedBy(run, 'guard'))
  if (guarded?.ok === false) return { reply: objected(run, guarded) }
  const repeats = guarded && (await serveEarlier(run, guarded))
  if (repeats !== undefined) return { reply: repeats }
  if (exchange.gone()) return { reply: answer(problemAnswer('handler_failed')) }
  const work = isHeld ? await metered(run) : {}
  if ('reply' in work) return work
  if (exchange.gone()) return { reply: answer(problemAnswer('handler_failed')) }
  try {
    if (await gate.claims.settling(token, work.answer, gate.leaseMs, saleOf(run, askedFor(run, work.answer?.charged))))
      return work
    return { reply: answer(problemAnswer('payment_in_flight', { retryAfter: 1 })) }
  } catch {
    return { reply: fault(run, 'store_unavailable') }
  }
}

/** A refusal of an extension: a 402 where another payment would do, else the problem that it is. */
function objected(run: Run, refusal: Refusal): AnswerReply {
  const { status } = errorInfo(refusal.code)
  if (status >= 500) return fault(run, refusal.code)
  if (status === 402) return refused(run, refusal)
  tell(run, 'payment_refused', { code: refusal.code })
  return answer(problemAnswer(refusal.code, refusal.detail === undefined ? {} : { detail: refusal.detail }))
}

/**
 * Answers a payment that repeats an earlier one by what became of that one. `undefined`: the earlier one was never settled, and its claim,
 * taken over and given up here, can be settled by nobody any more; this one has taken its place.
 */
async function serveEarlier<Native>(
  run: Run<Native>,
  { earlier, replace }: RepeatedPayment,
): Promise<Reply<Native> | undefined> {
  const { gate, route, exchange, terms } = run
  const before = recall(earlier, route.schemes, gate.clock())
  if (before === undefined) return answer(problemAnswer('payment_identifier_spent'))
  const first = runOf(gate, route, exchange, terms, before)
  try {
    const { expiresAt } = before.inspected
    const claim = await claimed(gate, { ...(await claimOf(first, earlier.resource?.url)), expiresAt })
    if (claim.status !== 'claimed') return serveClaimed(first, claim)
    // An expired payment whose claim is gone may have been settled, so long ago that nobody remembers.
    const isSpent = expiresAt * 1000 <= gate.clock()
    // While its claim is held here nobody else can begin with it: once it is let go, its name is another's.
    const taken = !isSpent && (await replace())
    await letGo(first, claim.token)
    if (taken) return undefined
    return answer(problemAnswer(isSpent ? 'payment_identifier_spent' : 'payment_in_flight', { retryAfter: 1 }))
  } catch {
    return fault(run, 'store_unavailable')
  }
}

/** The work, with what it charges. */
async function metered<Native>(run: Run<Native>): Promise<Step<Native>> {
  const { candidate, exchange, route } = run
  const { requirements, scheme } = candidate.offer
  const tally = scheme.metered ? route.tally?.(exchange.request, candidate.offer) : undefined
  const meter = createMeter(aboutOf(candidate), { ceiling: scheme.metered ? requirements.amount : undefined, tally })
  if (route.asks !== undefined) await exchange.request.body?.()
  const work = await exchange.work(meter.payment)
  if (work.type === 'unsold') return { reply: work }
  if (work.type === 'failed') return { reply: answer(problemAnswer(work.code)) }
  if (work.type === 'asked') return { reply: answer(await askedAnswer(run.gate, route, exchange.request, work.error)) }
  if (route.isInvalid(work.answer)) return { reply: answer(problemAnswer('handler_failed')) }
  if (tally !== undefined) tallyAnswer(tally, work.answer)
  if (!meter.known()) return { reply: fault(run, 'usage_missing') }
  const charged = meter.close() ?? requirements.amount
  return { answer: scheme.metered ? { ...work.answer, charged: charged.toString() } : work.answer }
}

function tooLate(run: Run): AnswerReply | undefined {
  const { inspected, offer } = run.candidate
  const needed = Math.min(MIN_REMAINING_SECONDS, Math.floor(offer.requirements.maxTimeoutSeconds / 2))
  return inspected.expiresAt - run.gate.clock() / 1000 < needed ? refused(run, refuse('payment_expired')) : undefined
}

/** Settles; then releases what was held back, or works. */
async function serveSettled<Native>(
  run: Run<Native>,
  token: ClaimToken,
  { answer: held, charged = held?.charged, again }: { answer?: Answer; charged?: string; again: boolean },
): Promise<Reply<Native>> {
  const since = run.gate.clock()
  const end = await settle(run, token, again, charged)
  if ('receipt' in end && held !== undefined) return released(run, held, end.receipt)
  const works = 'receipt' in end || end.accepted === true
  if (works && !(await isStillOurs(run, token, since)))
    return answer(problemAnswer('payment_in_flight', { retryAfter: 1 }))
  if ('receipt' in end) return streamSettled(run, token, end.receipt)
  return works ? streamFirst(run, token, () => settle(run, token, true)) : end.reply
}

/**
 * Whether a claim that was held at a time is still this request's, so that it may work: settling may have taken longer than the lease, and a copy of the payment
 * may have begun with it.
 */
async function isStillOurs({ gate }: Run, token: ClaimToken, since: number): Promise<boolean> {
  const passed = gate.clock() - since
  if (passed >= 0 && passed < gate.leaseMs / 2) return true
  return (await quietly(gate.claims.renew(token, gate.leaseMs))) === true
}

/** The work of a payment that is settled; what was prepaid pays for its first use like for any other. */
async function streamSettled<Native>(run: Run<Native>, token: ClaimToken, receipt: Receipt): Promise<Reply<Native>> {
  const granted = await grantFor(run)
  if (granted === undefined || run.route.sold?.prepaid === undefined) {
    return stream(run, token, receipt, granted?.headers ?? {})
  }
  const { gate, route, exchange, terms } = run
  // From now on the payment is as good as its bearer: presented again, it pays for another use.
  await quietly(gate.claims.pause(token, false))
  const reply = await serveEntitled<Native>(gate, route, exchange.request, terms, granted.token)
  return reply.type === 'stream' ? withReceipt(run, reply, receipt) : reply
}

function withReceipt(run: Run, reply: StreamReply, receipt: Receipt): StreamReply {
  return {
    ...reply,
    head: (headers, status) => {
      reply.head(headers, status)
      const { name, value } = receiptHeader(run, { status: 'settled', receipt }, status)
      headers.set(name, value)
      for (const [field, text] of Object.entries(spokenOf(run, receipt))) headers.set(field, text)
    },
  }
}

/** How a settlement ended: with a receipt that is written down, or with what the buyer is told instead. */
export type SettlementEnd =
  | { readonly receipt: Receipt }
  | {
      readonly reply: AnswerReply
      /** The facilitator has it in its journal and sent a transaction, and that is enough for this route. */
      readonly accepted?: boolean
    }

async function settle(run: Run, token: ClaimToken, again: boolean, charged?: string): Promise<SettlementEnd> {
  const { gate, route, candidate } = run
  const asked = askedFor(run, charged)
  // A copy that is presented later waits for the end: it is not worked for on trust again.
  const trusting = route.mode === 'accepted' && !again
  let outcome: Settlement
  try {
    outcome = await askToSettle(gate.facilitator, asked, candidate.inspected.pid, { again, patient: !trusting })
  } catch (error) {
    // Nothing was accepted, and nothing had been before: as if the facilitator had been down before the work.
    await letGo(run, token)
    return { reply: facilitatorFault(run, error) }
  }
  switch (outcome.status) {
    case 'settled':
      return written(run, token, asked, outcome.receipt)
    case 'refused': {
      await letGo(run, token)
      const { detail, ...bare } = outcome
      return { reply: refused(run, refuse(outcome.code, publicDetail(detail)), receiptHeader(run, bare)) }
    }
    case 'unknown': {
      const { retryAfter, transaction } = outcome
      const accepted = trusting && transaction !== undefined
      if (!accepted) await quietly(gate.claims.pause(token, false))
      return { reply: pending(run, retryAfter, transaction), accepted }
    }
  }
}

/** Writes a receipt down, if it can be true and no other delivery hangs on it. */
async function written(
  run: Run,
  token: ClaimToken,
  asked: FacilitatorRequest,
  receipt: Receipt,
): Promise<SettlementEnd> {
  const { requirements } = asked
  const { candidate, gate } = run
  const { inspected, offer } = candidate
  const signed = run.route.extensions[0] ? await withReceiptExtensions(run, receipt) : receipt
  const believable = credible(receipt, requirements, inspected.payer, offer.scheme.offChain)
  const unique =
    believable &&
    (await quietly(gate.claims.settled(token, signed, evidenceOf(receipt, inspected.pid), saleOf(run, asked))))
  if (unique === true) {
    tell(run, 'payment_settled', { transaction: receipt.transaction, amount: requirements.amount })
    return { receipt: signed }
  }
  await quietly(gate.claims.pause(token, false))
  const doubt = unique === undefined ? 'store_unavailable' : 'facilitator_invalid_answer'
  return { reply: pending(run, undefined, undefined, doubt) }
}

/** What the facilitator is asked to settle: the offer, or as much of it as the work charged. */
function askedFor({ asked }: Run, charged: string | undefined): FacilitatorRequest {
  if (charged === undefined) return asked
  return { ...asked, requirements: { ...asked.requirements, amount: BigInt(charged) } }
}

/** What the books say of it. */
function saleOf({ gate, route, terms, candidate }: Run, { requirements }: FacilitatorRequest): Sale {
  const { pid, payer } = candidate.inspected
  const { url: resource, description } = terms.resource
  const { scheme, network, asset, payTo, amount } = requirements
  const { offChain, held } = candidate.offer.scheme
  return {
    ...{ pid, route: route.name, resource, scheme, network, asset, payer, payTo, amount, at: gate.clock() },
    ...(route.group === undefined ? {} : { group: route.group }),
    ...(description === undefined ? {} : { description }),
    ...(route.sold?.uses === undefined ? {} : { uses: route.sold.uses }),
    ...(offChain === true ? { offChain } : {}),
    ...(held === true ? { held } : {}),
  }
}

async function released(run: Run, held: Answer, receipt: Receipt): Promise<AnswerReply> {
  const { name, value } = receiptHeader(run, { status: 'settled', receipt })
  const granted = run.route.sold && (await grantFor(run))
  tell(run, 'delivery_released', { transaction: receipt.transaction })
  return {
    type: 'answer',
    answer: {
      ...held,
      headers: { ...held.headers, ...granted?.headers, ...spokenOf(run, receipt), [name]: value },
    },
    paid: true,
  }
}
