import { type ErrorCode, isJsonObject, type Network, type Pid, type Random, X402Error } from '@groat/core'
import { encodeWebhookEvent, type WebhookAnswer, type WebhookSender, webhookDelay } from '@groat/core/webhook'
import { crashpoint } from '../crashpoint.js'
import { createSignal, type Signal } from '../engine/signal.js'
import type { Deliveries, Delivery } from '../journal/deliveries.js'
import type { WebhookEndpoint } from './endpoint.js'

/** Brings webhooks to their endpoints. */
export interface Courier {
  start(): void
  /** There is something to bring. */
  nudge(): void
  /** Waits for what is on its way, and lets the rest go. */
  stop(): Promise<void>
}

/** How webhooks are brought; times in milliseconds. */
export type CourierTiming = {
  /** How long a receiver may take to answer. Default 10000. */
  readonly timeout?: number
  /** How long to wait after so many failures, given a random number from 0 to 1; `undefined`: it is given up. Default `webhookDelay`. */
  readonly delay?: (failures: number, jitter: number) => number | undefined
  /** Between two looks at what other replicas left. Default 1000. */
  readonly interval?: number
  /** Is told when an endpoint begins to fail and when it takes something again, not of each try. What it throws is dropped. */
  readonly onEndpoint?: (turn: EndpointTurn) => void
}

/** An endpoint that begins to fail, or takes what it is told again. */
export type EndpointTurn = {
  readonly endpoint: string
  /** The host of its URL, with the port where that says one. */
  readonly host: string
  readonly state: 'failing' | 'well'
  /** What the try that failed came to: a status, or the system's code. */
  readonly said?: string
}

/** What a courier works with. */
export type CourierOptions = CourierTiming & {
  readonly deliveries: Deliveries
  readonly endpoints: readonly WebhookEndpoint[]
  readonly sender: WebhookSender
  readonly random: Random
  readonly onGivenUp: (delivery: Delivery, said: string) => void
  readonly onError: (error: unknown) => void
}

/**
 * Makes a courier. What happened to one payment is brought in its order, each only after the one before it was taken; what happened to others
 * does not wait for it. An endpoint that fails is asked for one thing at a time until it answers.
 *
 * @example
 * const courier = createCourier({ deliveries, endpoints, sender, random, onGivenUp, onError })
 */
export function createCourier(options: CourierOptions): Courier {
  const { deliveries, endpoints, sender, random, onGivenUp, onError } = options
  const { timeout = 10_000, delay = webhookDelay, interval = 1000, onEndpoint } = options
  const alarms = new Map<string, Signal>()
  const stopping = createSignal()
  let stopped = false
  let rounds: readonly Promise<void>[] = []

  async function serve(endpoint: WebhookEndpoint): Promise<void> {
    const under = new Set<Promise<void>>()
    const follow = createFollower(endpoint, onEndpoint)
    let failures = 0
    let cooling: Promise<void> | undefined
    while (!stopped) {
      await Promise.race([cooling, stopping.given])
      cooling = undefined
      const most = failures === 0 ? AT_ONCE : 1
      if (under.size >= most) {
        await Promise.race(under)
        continue
      }
      // News that comes while it is looked for is not missed.
      const alarm = createSignal()
      alarms.set(endpoint.id, alarm)
      const taken = await deliveries.take(endpoint.id, most - under.size, timeout + LEASE_MARGIN).catch(none)
      for (const delivery of taken) {
        const work = bring(endpoint, delivery)
          .then((answer) => {
            follow(answer)
            return answer.outcome === 'delivered'
          })
          .catch((error: unknown) => {
            onError(error)
            return false
          })
          .then((isTaken) => {
            failures = isTaken ? 0 : failures + 1
            if (!isTaken) cooling = sleepUnref(Math.min(delay(failures, jitter()) ?? MOST_REST, MOST_REST))
            under.delete(work)
            // What comes next of this payment is due now.
            alarms.get(endpoint.id)?.give()
          })
        under.add(work)
      }
      if (taken.length === 0) await Promise.race([alarm.given, sleepUnref(interval)])
    }
    await Promise.all(under)
  }

  function none(error: unknown): readonly Delivery[] {
    onError(error)
    return []
  }

  async function bring(endpoint: WebhookEndpoint, delivery: Delivery): Promise<WebhookAnswer> {
    const body = JSON.stringify(encodeWebhookEvent(eventOf(delivery)))
    const answer = await sender.post(endpoint, { id: delivery.message, body })
    if (answer.outcome === 'delivered') {
      crashpoint('FP-11')
      await deliveries.delivered(delivery)
      return answer
    }
    const again = nextTry(delivery, answer)
    await deliveries.failed(delivery, answer.said, again)
    if (again === 'dead') onGivenUp(delivery, answer.said)
    return answer
  }

  function nextTry({ tries }: Delivery, { outcome, retryAfter = 0 }: WebhookAnswer): number | 'dead' {
    const pause = outcome === 'gone' ? undefined : delay(tries + 1, jitter())
    return pause === undefined ? 'dead' : Math.max(pause, Math.min(retryAfter * 1000, MOST_ASKED))
  }

  function jitter(): number {
    return (random(1)[0] ?? 0) / 256
  }

  return {
    start() {
      rounds = endpoints.map((endpoint) => serve(endpoint).catch(onError))
    },
    nudge() {
      for (const alarm of alarms.values()) alarm.give()
    },
    async stop() {
      stopped = true
      stopping.give()
      for (const alarm of alarms.values()) alarm.give()
      await Promise.all(rounds)
      if (rounds.length > 0) await deliveries.release().catch(onError)
    },
  }
}

/** Tells of the turns in what an endpoint answers. */
function createFollower({ id, url }: WebhookEndpoint, tell: CourierTiming['onEndpoint']) {
  const about = { endpoint: id, host: new URL(url).host }
  let state: EndpointTurn['state'] = 'well'
  return ({ outcome, said }: WebhookAnswer): void => {
    const now = outcome === 'delivered' ? 'well' : 'failing'
    if (now === state) return
    state = now
    try {
      tell?.({ ...about, state, ...(now === 'failing' ? { said } : {}) })
    } catch {
      // An observer must not change an outcome.
    }
  }
}

/** Webhooks that are on their way to one endpoint at the same time. */
const AT_ONCE = 8

/** Milliseconds by which a lease is longer than a try may take. */
const LEASE_MARGIN = 20_000

/** Milliseconds after which an endpoint that fails is asked again, whatever the pause: something else may be due. */
const MOST_REST = 60_000

/** Milliseconds that a receiver may ask to wait. */
const MOST_ASKED = 3_600_000

function eventOf({ message, topic, at, pid, turn, payload, payment }: Delivery) {
  const told: unknown = JSON.parse(payload)
  if (!isJsonObject(told)) throw new X402Error('store_unavailable', { reason: 'a message cannot be read' })
  const { transaction, logIndex, code, amount } = told
  const { network, scheme, payer, pay_to: payTo, asset } = payment
  return {
    ...({ id: message, type: `payment.${topic}`, at, sequence: turn, scheme, payer, payTo, asset } as const),
    // Codecs: the journal holds nothing else.
    pid: pid as Pid,
    network: network as Network,
    amount: BigInt(typeof amount === 'string' ? amount : payment.amount),
    ...(typeof transaction === 'string' ? { transaction } : {}),
    ...(typeof logIndex === 'number' ? { logIndex } : {}),
    ...(typeof code === 'string' ? { code: code as ErrorCode } : {}),
  }
}

function sleepUnref(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref())
}
