import {
  type Clock,
  DEFAULT_RETRY_AFTER,
  decodeReceipt,
  type ErrorContext,
  type Fetch,
  type PaymentHeader,
  type Settlement,
  X402Error,
} from '@groat/core'
import { drain } from './challenge.js'
import { printable, type Replay, withPayment } from './request.js'
import type { Sleep } from './time.js'

/** What the world said to a payment: an answer, with its receipt when it carries one that can be read. */
export type Answer = {
  readonly response: Response
  readonly settlement?: Settlement
  /** The seller does not know yet: seconds after which it makes sense to ask again. */
  readonly pending?: number
}

/** How a payment is presented. */
export type PresentOptions = {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly sleep: Sleep
  readonly signal: AbortSignal | undefined
  readonly limits: Limits
  /** Said of the payment in errors. */
  readonly about: ErrorContext
  /** Called before each time the payment leaves. */
  readonly onPresent: () => void
}

/** The bounds of one call. Times in milliseconds. */
export type Limits = {
  /** For a wallet to sign. Default 60 000. */
  readonly signMs: number
  /** For the head of an answer to a paid request. Default 60 000. */
  readonly answerMs: number
  /** For all presentations of the payment together; no new one is begun later. Default 120 000. */
  readonly deadlineMs: number
  /** Presentations of the payment. Default 4. */
  readonly attempts: number
  /** Seconds for which a signature still counts as alive after it expired: clocks differ and blocks come late. Default 120. */
  readonly graceSeconds: number
}

export const defaultLimits: Limits = {
  signMs: 60_000,
  answerMs: 60_000,
  deadlineMs: 120_000,
  attempts: 4,
  graceSeconds: 120,
}

/**
 * Presents one payment until the seller's answer decides something: network faults, lost answers and "not known yet" lead to the same
 * payment again, within the limits. A fault that remains is thrown as `X402Error` `payment_unresolved` with its cause; a redirect to
 * another origin as `cross_origin_redirect`, before the payment goes there.
 */
export async function present(replay: Replay, payment: PaymentHeader, options: PresentOptions): Promise<Answer> {
  const { clock, sleep, signal, limits, about } = options
  const unresolved = (cause: unknown) =>
    X402Error.is(cause) ? cause : new X402Error('payment_unresolved', about, { cause })
  const end = clock() + limits.deadlineMs
  for (let attempt = 1; ; attempt++) {
    const answer = await presentOnce(replay, payment, options).catch(asFault)
    const fault = 'fault' in answer
    if (fault && (X402Error.is(answer.fault) || signal?.aborted)) throw unresolved(answer.fault)
    if (!fault && answer.pending === undefined) return answer

    const pause = fault ? FIRST_PAUSE * 2 ** (attempt - 1) : (answer.pending ?? 0) * 1000
    if (attempt >= limits.attempts || clock() + pause > end) {
      if (fault) throw unresolved(answer.fault)
      return answer
    }
    if (!fault) drain(answer.response, limits.answerMs)
    await sleep(pause, signal).catch((aborted: unknown) => {
      throw unresolved(aborted)
    })
  }
}

const FIRST_PAUSE = 250
const MAX_REDIRECTS = 5

/** Statuses with which a server asks for patience, if it also says how long. */
const PATIENCE: ReadonlySet<number> = new Set([409, 425, 429, 502, 504])

async function presentOnce(replay: Replay, payment: PaymentHeader, options: PresentOptions): Promise<Answer> {
  const asked = replay.init.redirect ?? 'follow'
  let { url, method, body, headers } = replay
  let settled: Settlement | undefined
  options.onPresent()
  for (let redirects = 0; ; redirects++) {
    // A payment that a receipt has used up is not shown around.
    const sent = withPayment(headers, settled === undefined ? payment : undefined)
    const response = await send(url, { ...replay.init, method, headers: sent, ...(body && { body }) }, options)
    const settlement = settled ?? receiptOf(response)
    const target = asked === 'manual' ? undefined : redirectOf(response, url)
    if (target === undefined) return answerOf(response, settlement, options.clock())

    drain(response, options.limits.answerMs)
    if (target === 'hidden' || target.origin !== url.origin) {
      throw new X402Error('cross_origin_redirect', {
        ...options.about,
        from: printable(url),
        to: target === 'hidden' ? undefined : printable(target),
      })
    }
    if (asked === 'error' || redirects === MAX_REDIRECTS) {
      const reason = asked === 'error' ? 'redirected' : 'too many redirects'
      throw new X402Error('payment_unresolved', { ...options.about, reason })
    }
    if (settlement?.status === 'settled') settled = settlement
    url = target
    if (becomesGet(response.status, method)) {
      method = 'GET'
      body = undefined
      headers = withoutContent(headers)
    }
  }
}

/** The time limit is for the head of the answer; its body may take as long as the caller lets it. */
async function send(url: URL, init: RequestInit, { fetch, signal, limits }: PresentOptions): Promise<Response> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new DOMException('no answer in time', 'TimeoutError')), limits.answerMs)
  try {
    const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
    return await fetch(url, { ...init, redirect: 'manual', signal: stop })
  } finally {
    clearTimeout(timer)
  }
}

function answerOf(response: Response, settlement: Settlement | undefined, now: number): Answer {
  const pending = pendingFor(response, settlement, now)
  return { response, ...(settlement && { settlement }), ...(pending !== undefined && { pending }) }
}

/** Content that arrived is an answer, whatever is still unsettled; 202 is the seller's way to say that there is no content yet. */
function pendingFor(response: Response, settlement: Settlement | undefined, now: number): number | undefined {
  const { status, headers } = response
  const unknown = settlement?.status === 'unknown' ? settlement.retryAfter : undefined
  if (settlement?.status === 'settled' || (status < 400 && status !== 202)) return undefined
  const asked = parseRetryAfter(headers.get('retry-after'), now)
  if (unknown !== undefined || status === 503) return asked ?? unknown ?? DEFAULT_RETRY_AFTER
  return PATIENCE.has(status) ? asked : undefined
}

/** `Retry-After` in seconds from now, from either of its forms. */
function parseRetryAfter(text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  if (/^[0-9]{1,9}$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000)
}

/** A receipt that cannot be read proves nothing, and takes nothing away from the answer either. */
function receiptOf(response: Response): Settlement | undefined {
  const receipt = decodeReceipt((name) => response.headers.get(name))
  return receipt?.ok ? receipt.value : undefined
}

/** Where an answer redirects to; `hidden` where the platform does not tell (browsers). */
function redirectOf(response: Response, url: URL): URL | 'hidden' | undefined {
  if (response.type === 'opaqueredirect') return 'hidden'
  const location = response.headers.get('location')
  if (location === null || !REDIRECTS.has(response.status) || !URL.canParse(location, url.href)) return undefined
  return new URL(location, url)
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** As the Fetch standard has it. */
function becomesGet(status: number, method: string): boolean {
  return (status === 303 && method !== 'GET' && method !== 'HEAD') || (status < 303 && method === 'POST')
}

function withoutContent(headers: Headers): Headers {
  const kept = new Headers(headers)
  for (const name of headers.keys()) if (name.startsWith('content-')) kept.delete(name)
  return kept
}

function asFault(fault: unknown): { readonly fault: unknown } {
  return { fault }
}
