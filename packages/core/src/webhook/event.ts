import { check } from '../codec/check.js'
import type { ErrorCode } from '../errors/code-names.js'
import { isErrorCode } from '../errors/is-error-code.js'
import { isPid, type Pid } from '../model/identity.js'
import type { JsonObject } from '../model/json.js'
import { isNetwork, type Network } from '../model/network.js'
import { type Refusal, refuse } from '../model/outcome.js'
import { type Clock, systemClock } from '../ports.js'
import { WebhookBody } from './schema.shapes.js'
import { verifyWebhook } from './sign.js'

/**
 * What a facilitator tells of a payment: `settled` (the money has moved), `final` (its block cannot be undone any more), `reorged` (its block
 * was undone; it goes out again), `refused` (something was sent for it, and it is proven that it never settles).
 */
export type WebhookTopic = 'settled' | 'refused' | 'final' | 'reorged'

/** Something that happened to a payment. It may be told twice: by `id` one knows. */
export type WebhookEvent = {
  readonly id: string
  readonly type: `payment.${WebhookTopic}`
  /** Milliseconds since 1970 when it happened. */
  readonly at: number
  readonly pid: Pid
  /** The first thing that is told of a payment has 0, the next 1: what comes late shows. */
  readonly sequence: number
  readonly network: Network
  readonly scheme: string
  readonly payer: string
  readonly payTo: string
  readonly asset: string
  /** Atomic units: what moved, or what the terms ask for where nothing has. */
  readonly amount: bigint
  readonly transaction?: string
  /** Which log of the transaction credits this payment. */
  readonly logIndex?: number
  /** Why it will never settle. */
  readonly code?: ErrorCode
}

/** How a webhook is judged. */
export type OpenWebhookOptions = {
  /** The endpoint's secret; several while it is being changed: one that fits is enough. */
  readonly secrets: readonly string[]
  readonly clock?: Clock
  /** Seconds by which the clocks may differ; 300 unless told. What is older is a replay. */
  readonly tolerance?: number
}

/**
 * The body of a webhook.
 *
 * @example
 * encodeWebhookEvent({ id, type: 'payment.settled', at, pid, sequence: 0, network, scheme, payer, payTo, asset, amount: 1000n })
 */
export function encodeWebhookEvent({ id: _, type, at, amount, ...data }: WebhookEvent): JsonObject {
  return { type, timestamp: new Date(at).toISOString(), data: { ...data, amount: amount.toString() } }
}

/**
 * Opens a webhook that came in. Pass the body as it came: a signature covers its bytes. Refuses `webhook_signature_invalid`
 * when it was not signed by one of the secrets, or not lately, and `invalid_payload` for a body that is signed and not understood, such as an event of a newer facilitator.
 *
 * Answer with 2xx once the event is written down; anything else, and it comes again.
 *
 * @example
 * const opened = await openWebhook(request.headers, await request.text(), { secrets: [process.env.WEBHOOK_SECRET ?? ''] })
 * if (!opened.ok) return new Response(opened.code, { status: 400 })
 * if (opened.event.type === 'payment.settled') await markPaid(opened.event.pid)
 */
export async function openWebhook(
  headers: { get(name: string): string | null },
  body: string,
  { secrets, clock = systemClock, tolerance = 300 }: OpenWebhookOptions,
): Promise<{ readonly ok: true; readonly event: WebhookEvent } | Refusal> {
  const header = (name: string) => headers.get(name)
  const at = { now: clock(), toleranceSeconds: tolerance }
  const fits = await Promise.all(secrets.map((secret) => verifyWebhook(header, body, { secret, ...at })))
  const id = header('webhook-id')
  if (id === null || !fits.includes(true)) return refuse('webhook_signature_invalid')
  const checked = check(WebhookBody, jsonOf(body))
  if (!checked.ok) return checked
  const { type, timestamp, data } = checked.value
  const { pid, sequence, network, scheme, payer, payTo, asset, amount, transaction, logIndex, code } = data
  const happened = Date.parse(timestamp)
  if (!isType(type)) return refuse('invalid_payload', 'its type is not known')
  if (!isPid(pid) || !isNetwork(network) || Number.isNaN(happened)) return refuse('invalid_payload')
  const event: WebhookEvent = {
    ...{ id, type, at: happened, pid, sequence, network, scheme, payer, payTo, asset, amount: BigInt(amount) },
    ...(transaction === undefined ? {} : { transaction }),
    ...(logIndex === undefined ? {} : { logIndex }),
    ...(code !== undefined && isErrorCode(code) ? { code } : {}),
  }
  return { ok: true, event }
}

function isType(type: string): type is WebhookEvent['type'] {
  return /^payment\.(?:settled|refused|final|reorged)$/.test(type)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
