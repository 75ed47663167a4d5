import { X402Error } from '../errors/x402-error.js'
import { callOver, type HttpCall, NoAnswer } from '../http/call.js'
import { nodeCall } from '../http/node-call.js'
import { publicCall } from '../http/public-address.js'
import type { Clock } from '../ports.js'
import { systemClock } from '../ports.js'
import { signWebhook, type WebhookMessage } from './sign.js'

/** Where messages go, and by which secrets they are known to be ours. */
export type WebhookTarget = {
  readonly url: string
  /** 16 characters at the least; the newest first. */
  readonly secrets: readonly [string, ...string[]]
}

/** What became of one sending. `gone`: the receiver wants no more of them (410). */
export type WebhookOutcome = 'delivered' | 'failed' | 'gone'

/** What came back: what became of it, the status or why there was none, and the seconds that the receiver asks to wait. */
export type WebhookAnswer = { readonly outcome: WebhookOutcome; readonly said: string; readonly retryAfter?: number }

/** How messages are sent. */
export type WebhookSenderOptions = {
  /** Whether a target may be this machine or a private network, and plain http. Only for targets that the operator names. */
  readonly allowPrivate?: boolean
  /** Milliseconds for one sending; 10,000 unless told. */
  readonly timeoutMs?: number
  /** Makes the exchange; Node's own client, which refuses private addresses as it connects, unless told. */
  readonly call?: HttpCall
  readonly clock?: Clock
}

/** Sends signed messages. */
export interface WebhookSender {
  /** Sends once. What the receiver answers besides its status is not looked at. Never throws. */
  send(target: WebhookTarget, message: WebhookMessage): Promise<WebhookOutcome>
  /** The same, and what the receiver said. */
  post(target: WebhookTarget, message: WebhookMessage): Promise<WebhookAnswer>
}

/** Milliseconds from one sending to the next: twelve of them, within two days. */
const DELAYS = [5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 28_800, 36_000, 43_200].map((seconds) => seconds * 1000)

/**
 * Milliseconds until a message is sent again after so many sendings that failed, with up to a tenth added so that not all come at once;
 * `undefined`: that was the last.
 *
 * @example
 * webhookDelay(1, Math.random()) // 5_000 to 5_500
 */
export function webhookDelay(failures: number, jitter: number): number | undefined {
  const delay = DELAYS[failures - 1]
  return delay === undefined ? undefined : Math.round(delay * (1 + jitter / 10))
}

/**
 * Checks a target when it is configured. Throws `X402Error` `invalid_config`: a URL that is none, with credentials or of plain http without
 * `allowPrivate`, or a secret that is too short.
 *
 * @example
 * checkWebhookTarget({ url: 'https://shop.example/hook', secrets: [secret] })
 */
export function checkWebhookTarget({ url: text, secrets }: WebhookTarget, { allowPrivate = false } = {}): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const protocols = allowPrivate ? ['https:', 'http:'] : ['https:']
  if (url === undefined || !protocols.includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new X402Error('invalid_config', { field: 'webhook.url', reason: 'not an https URL without credentials' })
  }
  if (secrets.some((secret) => secret.length < 16)) {
    throw new X402Error('invalid_config', { field: 'webhook.secret', reason: 'at least 16 characters' })
  }
}

/**
 * Makes a sender. It follows no redirect, reads little of the answer, and connects to no private address unless told, whatever a name
 * resolves to at that moment.
 *
 * @example
 * const sender = createWebhookSender()
 * await sender.send({ url: 'https://shop.example/hook', secrets: [secret] }, { id: 'evt_1', body: '{}' })
 */
export function createWebhookSender(options: WebhookSenderOptions = {}): WebhookSender {
  const { allowPrivate = false, timeoutMs = 10_000, clock = systemClock } = options
  // A runtime without Node's modules has no names of its own network either.
  const call = options.call ?? (allowPrivate ? nodeCall() : publicCall()) ?? callOver(globalThis.fetch)

  async function post({ url, secrets }: WebhookTarget, message: WebhookMessage): Promise<WebhookAnswer> {
    try {
      checkWebhookTarget({ url, secrets }, { allowPrivate })
      const signed = await signWebhook(message, secrets, clock())
      const headers = { 'content-type': 'application/json', ...signed }
      const answer = await call({ url, method: 'POST', headers, body: message.body, timeoutMs, maxBytes: 65_536 })
      const { status, retryAfter = '' } = answer
      const outcome = status === 410 ? 'gone' : status >= 200 && status < 300 ? 'delivered' : 'failed'
      const wait = /^[0-9]{1,6}$/.test(retryAfter) ? { retryAfter: Number(retryAfter) } : {}
      return { outcome, said: String(status), ...wait }
    } catch (error) {
      if (error instanceof NoAnswer) return { outcome: 'failed', said: reasonOf(error.cause) }
      if (X402Error.is(error)) return { outcome: 'failed', said: error.code }
      throw error
    }
  }

  return { post, send: async (target, message) => (await post(target, message)).outcome }
}

/** The system's own code, such as ECONNREFUSED: no URL, no text of anybody's. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'no answer'
}
