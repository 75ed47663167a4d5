import {
  type Clock,
  type ExtensionClient,
  encodePayment,
  type Fetch,
  findScheme,
  MAX_HEADER_LENGTH,
  notify,
  type OnEvent,
  type PaymentHeader,
  type Random,
  type SchemeClient,
  sha256Hex,
  X402Error,
  type X402Event,
} from '@groat/core'
import { type ChallengeReader, drain, type ReadChallenge } from './challenge.js'
import type { Chosen, OfferRefusal } from './choose.js'
import { claimUnresolved, whileClaimed } from './claim.js'
import type { RuleRefusal } from './entry.js'
import { attachExtensions, binder, flawsIn, presentedHeaders } from './extensions.js'
import type { Choose, Question, Witness } from './guard.js'
import type { Intent, IntentEnd, Intents } from './intents.js'
import type { KnownTerms } from './known-terms.js'
import { judgeAnswer, type PaymentOutcome } from './outcome.js'
import type { ParsedPolicy } from './policy.js'
import { type Limits, present } from './present.js'
import { type PayableRequest, printable, type Replay } from './request.js'
import type { JudgeSeller } from './seller.js'
import { sellersNames } from './sellers-name.js'
import { type Sleep, within } from './time.js'

/** What paying is done with. */
export type PayTools = {
  readonly schemes: readonly SchemeClient[]
  readonly policy: ParsedPolicy
  readonly limits: Limits
  readonly intents: Intents
  readonly fetch: Fetch
  readonly clock: Clock
  readonly random: Random
  readonly sleep: Sleep
  readonly onEvent: OnEvent | undefined
  readonly readChallenge: ChallengeReader
  readonly known: KnownTerms | undefined
  readonly extensions: readonly ExtensionClient[]
  readonly choose: Choose
  readonly judgeSeller: JudgeSeller
  readonly witness: Witness | undefined
  /** Opens the name of every claim of this process. */
  readonly process: string
}

/** An answer, and how payment went; no outcome where nothing was asked for. */
export type Paid = { readonly response: Response; readonly outcome?: PaymentOutcome }

/**
 * Answers a 402: presents the payment that an earlier call left unresolved, or signs one and presents that. At most one payment is
 * signed, and another only where the scheme says that a refusal corrected it; each intent is kept before the signature and its bytes before they are sent.
 * Throws `X402Error` `body_not_replayable`, `signer_failed`, `payment_unresolved`, `payment_in_flight`, `idempotency_mismatch`,
 * `cross_origin_redirect`, `store_unavailable`, `store_busy`.
 */
export async function pay(request: PayableRequest, unpaid: Response, tools: PayTools): Promise<Paid> {
  const read = await tools.readChallenge(unpaid, tools.limits.answerMs)
  if (read === undefined) return { response: unpaid }
  notify(tools.onEvent, { type: 'challenge_received', at: tools.clock(), resource: printable(request.url) })
  if (!read.ok) return refusedByPolicy(unpaid, { ...read, refusals: [] }, request, tools)
  const free = await askAsKnown(request, read.value, unpaid, tools)
  if (free !== undefined) return { response: free }
  const paid = await payFor(request, read.value, unpaid, tools)
  const { url } = unpaid
  // What was redirected is asked for where it was asked for.
  if ('response' in paid && isTaken(paid) && (url === '' || url === request.url.href))
    tools.known?.keep(request, read.value)
  return 'response' in paid ? paid : refusedByPolicy(unpaid, paid, request, tools)
}

/** Asks once more, as somebody whom the seller may know; `undefined`: it wants to be paid all the same. */
async function askAsKnown(
  request: PayableRequest,
  read: ReadChallenge,
  unpaid: Response,
  tools: PayTools,
): Promise<Response | undefined> {
  const { extensions, clock, fetch, limits } = tools
  const { challenge } = read
  if (!extensions.some(({ present }) => present !== undefined) || !request.replayable) return undefined
  const url = new URL(unpaid.url || request.url)
  // What is signed for one origin is not sent to another.
  if (url.origin !== request.url.origin) return undefined
  // A seller that may not be paid is not told who asks either.
  if ((await tools.judgeSeller(questionOf(request, '', unpaid, read, tools, undefined))) !== undefined) return undefined
  const headers = await presentedHeaders(extensions, { challenge, url, clock })
  if (headers === undefined) return undefined
  const { init, method, body, headers: own } = await request.replay()
  const all = new Headers(own)
  for (const [name, value] of Object.entries(headers)) all.set(name, value)
  const response = await fetch(url, { ...init, method, headers: all, redirect: 'manual', ...(body && { body }) })
  if (response.ok) {
    drain(unpaid, limits.answerMs)
    return response
  }
  drain(response, limits.answerMs)
  return undefined
}

/**
 * Pays for a request by terms that are known from before, without asking first. `undefined` when nothing was signed: then it has to be asked.
 * Throws as `pay` does.
 */
export async function payKnown(
  request: PayableRequest,
  read: ReadChallenge,
  tools: PayTools,
): Promise<Paid | undefined> {
  const paid = await payFor(request, read, undefined, tools)
  return 'response' in paid ? paid : undefined
}

/** Whether a seller took what it was paid. */
export function isTaken({ outcome }: Paid): boolean {
  return outcome?.status === 'settled' || outcome?.status === 'answered'
}

async function payFor(
  request: PayableRequest,
  read: ReadChallenge,
  unpaid: Response | undefined,
  tools: PayTools,
): Promise<Paid | Unpaid> {
  const replay = await request.replay()
  let corrected = false
  let latest = unpaid

  for (;;) {
    const id = hex(tools.random(16))
    const call: Call = { id, owner: tools.process + id, request, replay, read, tools }
    const earlier = await claimEarlier(call)
    if (earlier && unpaid) drain(unpaid, tools.limits.answerMs)
    const again = earlier && (await presentIntent(earlier, call))
    if (again !== undefined && !again.over) return again.paid

    const response = again?.paid.response ?? latest
    const refused = (why: Unpaid) => (response ? refusedByPolicy(response, why, request, tools) : why)
    const choice = await tools.choose(questionOf(request, replay.fingerprint, unpaid, read, tools, replay))
    if (!choice.ok) return refused(choice)
    const intent = await signIntent(choice, call)
    if (intent && 'code' in intent) return refused({ ...intent, refusals: [{ ...intent, offer: choice.offer }] })
    if (response) drain(response, tools.limits.answerMs)
    // Another call with the same idempotency key was faster: its payment is ours.
    if (intent === undefined) continue
    const first = await presentIntent(intent, call)
    await noteFlaws(first.paid, choice, call)
    // Told what it had lost count of, the scheme signs once more; a seller that goes on correcting is not followed.
    if (!first.corrected || corrected) return first.paid
    corrected = true
    latest = first.paid.response
  }
}

/** What is to be decided about a challenge; with a `replay`, for a payment that will be signed. */
export function questionOf(
  request: PayableRequest,
  fingerprint: string,
  unpaid: Response | undefined,
  read: ReadChallenge,
  tools: PayTools,
  replay: Replay | undefined,
): Question {
  const { url } = request
  const { schemes, policy, clock, random, extensions } = tools
  const { challenge, terms } = read
  const challenged = new URL(unpaid?.url || url)
  const about = { request, fingerprint, challenge, terms, schemes, policy, clock, random, requested: url, challenged }
  const bind = replay && binder(extensions, { ...replay, challenge, random })
  return { ...about, named: unpaid && sellersNames.get(unpaid), binding: replay !== undefined, bind }
}

/** Servers take 16 KiB for all headers together: the others need room too. */
const MAX_PAYMENT_LENGTH = MAX_HEADER_LENGTH - 2_048

type Call = {
  /** Names the intent that this call may write: a call writes one at most. */
  readonly id: string
  readonly request: PayableRequest
  readonly replay: Replay
  readonly read: ReadChallenge
  readonly owner: string
  readonly tools: PayTools
}

type SignedIntent = Intent & { readonly payment: PaymentHeader }

/** The unresolved payment of this logical request, now claimed by this call. */
async function claimEarlier({ request, replay, owner, tools }: Call): Promise<SignedIntent | undefined> {
  const { intents, process, sleep, limits } = tools
  const { signal } = request
  const exclusive = request.idempotencyKey !== undefined
  const claimant = { intents, process, owner, sleep, signal, patience: limits.deadlineMs }
  const intent = await claimUnresolved(keyOf(request, replay), exclusive, claimant)
  if (intent === undefined) return undefined
  const { payment, fingerprint } = intent
  if (payment !== undefined && fingerprint === replay.fingerprint) return { ...intent, payment }
  await release(intent, undefined, { owner, tools })
  throw new X402Error('idempotency_mismatch', { intent: intent.id })
}

/**
 * Keeps the intent, signs, keeps the signed payment: in one step where the key is in this process, so that the disk is waited for once.
 * `undefined` when another call holds the request's key.
 */
async function signIntent(chosen: Chosen, call: Call): Promise<SignedIntent | RuleRefusal | undefined> {
  const { request, owner, tools } = call
  const { intents } = tools
  const intent = intentOf(chosen, call)
  request.signal?.throwIfAborted()
  let { pid } = intent
  let payment: PaymentHeader | undefined
  let fault: { readonly cause: unknown } | undefined
  const signNow = async () => {
    try {
      payment = await signPayment(chosen, call)
      return payment
    } catch (cause) {
      fault = { cause }
      throw cause
    }
  }
  const created = await intents
    .create(intent, owner, chosen.entry, chosen.prepared.local && signNow)
    .catch((error: unknown) => {
      // What the signer says is no fault of the store.
      throw fault ? fault.cause : error
    })
  if (created !== true) return created || undefined
  try {
    if (payment === undefined) {
      payment = await whileClaimed(intent, { intents, owner }, () => signPayment(chosen, call))
      pid = chosen.prepared.signedPid?.() ?? pid
      if (!(await intents.sign(intent.id, owner, payment, pid))) {
        throw new X402Error('store_busy', { reason: 'the claim on the intent lapsed', intent: intent.id })
      }
    }
    const signed = { ...intent, pid, state: 'signed', payment } as const
    tell(tools, 'payment_signed', signed)
    request.signal?.throwIfAborted()
    return signed
  } catch (error) {
    await release(intent, 'unsent', call)
    throw error
  }
}

async function signPayment({ prepared, offer, scheme, bound }: Chosen, call: Call): Promise<PaymentHeader> {
  const { request, read, tools } = call
  const { signMs } = tools.limits
  const late = () => new X402Error('signer_failed', { reason: `no signature within ${signMs} ms` })
  const signing = (async () => prepared.sign())()
  const payload = await within(signMs, request.signal, signing, late).catch((cause: unknown) => {
    if (X402Error.is(cause) || request.signal?.aborted) throw cause
    throw new X402Error('signer_failed', {}, { cause })
  })
  const { challenge } = read
  const { x402Version, resource } = challenge
  const echo = prepared.extensions?.() ?? challenge.extensions
  const extensions =
    tools.extensions.length === 0
      ? echo
      : await attachExtensions(echo, tools.extensions, bound, {
          ...{ challenge, offer, payer: prepared.payer, clock: tools.clock, random: tools.random },
          ...(request.idempotencyKey === undefined ? {} : { request: idempotencyName(request.idempotencyKey) }),
        })
  const payment = encodePayment({
    x402Version,
    scheme: scheme.scheme.name,
    network: offer.network,
    accepted: offer,
    payload,
    ...(resource && { resource }),
    ...(extensions && { extensions }),
  })
  if (payment.value.length > MAX_PAYMENT_LENGTH) {
    throw new X402Error('invalid_challenge', { reason: 'a payment for it does not fit into a header' })
  }
  return payment
}

/**
 * Presents a claimed payment and gives the claim back. `over`: a new one may be signed, because it had expired and brought nothing, not even a
 * receipt, or because the refusal `corrected` the scheme.
 */
async function presentIntent(
  intent: SignedIntent,
  call: Call,
): Promise<{ readonly paid: Paid; readonly over: boolean; readonly corrected: boolean }> {
  const { request, replay, owner, tools } = call
  const { intents, limits, clock } = tools
  const half = findScheme(tools.schemes, intent)
  let end: IntentEnd | undefined
  let transaction: string | undefined
  try {
    const answer = await whileClaimed(intent, { intents, owner }, () =>
      present(replay, intent.payment, {
        ...tools,
        signal: request.signal,
        about: { pid: intent.pid, intent: intent.id, expiresAt: intent.expiresAt },
        onPresent: () => tell(tools, 'payment_presented', intent),
      }),
    )
    const judged = judgeAnswer(answer, intent)
    const { outcome } = judged
    const expired = intent.state === 'signed' && clock() / 1000 > intent.expiresAt + limits.graceSeconds
    const ended = expired && judged.end === undefined && answer.pending === undefined
    // A receipt is known, of now or of before: whether to pay anew is the caller's to say, by asking anew.
    const hasReceipt = 'receipt' in outcome
    let over = ended && !hasReceipt && intent.transaction === undefined
    if (intent.state === 'signed' && !(ended && hasReceipt)) end = over ? 'dead' : ended ? 'settled' : judged.end
    if (over && tools.witness) {
      end = await tools.witness(intent)
      over = end === 'void'
    }
    if (outcome.status === 'settled') {
      transaction = outcome.receipt.transaction
      await half?.settled?.(intent.pid, outcome.receipt)
    }
    const { status, headers } = answer.response
    const correction =
      intent.state === 'signed' && !over && outcome.status === 'refused' && status === 402
        ? await half?.corrected?.(intent, (name) => headers.get(name))
        : undefined
    end = correction ?? end
    tellOutcome(tools, outcome, intent)
    const corrected = correction !== undefined
    return { paid: { response: answer.response, outcome }, over: over || corrected, corrected }
  } catch (error) {
    if (X402Error.is(error)) tell(tools, 'settlement_unknown', intent, { code: error.code })
    throw error
  } finally {
    await release(intent, end, call, transaction)
  }
}

/**
 * Gives a claim back. When that cannot be written, the answer is worth more than the note: the claim lapses, and the next call presents
 * the same payment once more.
 */
async function release(
  intent: Intent,
  end: IntentEnd | undefined,
  { owner, tools }: Pick<Call, 'owner' | 'tools'>,
  transaction?: string,
): Promise<void> {
  await tools.intents.release(intent.id, owner, end, transaction).catch(() => {
    tell(tools, 'fault', intent, { code: 'store_unavailable' })
  })
}

function refusedByPolicy(
  response: Response,
  { code, detail, refusals }: Unpaid,
  { url }: PayableRequest,
  { onEvent, clock }: PayTools,
): Paid {
  notify(onEvent, { type: 'payment_refused', at: clock(), code, resource: printable(url) })
  return { response, outcome: { status: 'unpaid', code, ...(detail !== undefined && { detail }), refusals } }
}

/** Why nothing was signed. */
type Unpaid = { readonly code: X402Error['code']; readonly detail?: string; readonly refusals: readonly OfferRefusal[] }

function intentOf({ prepared, offer, scheme }: Chosen, { id, request, replay, read, tools }: Call): Intent {
  const { pid, payer, amount, expiresAt } = prepared
  return {
    id,
    key: keyOf(request, replay),
    exclusive: request.idempotencyKey !== undefined,
    fingerprint: replay.fingerprint,
    origin: request.url.origin,
    challenge: read.digest,
    pid,
    x402Version: read.challenge.x402Version,
    scheme: scheme.scheme.name,
    network: offer.network,
    asset: offer.asset,
    payTo: offer.payTo,
    payer,
    amount,
    expiresAt,
    createdAt: tools.clock(),
    state: 'open',
  }
}

function keyOf({ idempotencyKey }: PayableRequest, { fingerprint }: Replay): string {
  return idempotencyKey === undefined ? fingerprint : idempotencyName(idempotencyKey)
}

const idempotencyName = (key: string): string => sha256Hex(JSON.stringify(['idempotency-key', key]))

/** Writes into the outcome what is wrong with the extensions of its receipt. */
async function noteFlaws(paid: Paid, { offer, prepared }: Chosen, { read, request, tools }: Call): Promise<void> {
  const { outcome } = paid
  if (tools.extensions.length === 0 || outcome === undefined || !('receipt' in outcome)) return
  const { receipt } = outcome
  const { challenge } = read
  const about = { challenge, offer, payer: prepared.payer, receipt, url: request.url, clock: tools.clock }
  const flaws = await flawsIn(tools.extensions, about)
  if (flaws !== undefined) Object.assign(receipt, { flaws })
}

function tellOutcome(tools: PayTools, outcome: PaymentOutcome, intent: Intent): void {
  if (outcome.status === 'settled') tell(tools, 'payment_settled', intent, { transaction: outcome.receipt.transaction })
  else if (outcome.status === 'refused') tell(tools, 'payment_refused', intent, { code: outcome.code })
  else tell(tools, 'settlement_unknown', intent)
}

function tell(
  { onEvent, clock }: PayTools,
  type: X402Event['type'],
  { pid, network, scheme, payer, payTo, asset, amount, origin }: Intent,
  more: Partial<X402Event> = {},
): void {
  const about = { pid, network, scheme, payer, payTo, asset, amount, resource: origin }
  notify(onEvent, { type, at: clock(), ...about, ...more })
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
