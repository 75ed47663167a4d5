import type { ServerResponse } from 'node:http'
import { type Answer, applyHeaders, type HeaderFields, makePrivate, stripProtocolHeaders } from '../answer.js'
import { PaymentRequiredError } from '../payment-required-error.js'
import type { Gate } from '../paywall.js'
import { protect, type Reply, type VerifiedPayment } from '../protect.js'
import type { Route } from '../route.js'
import type { Challenge, GateRequest } from '../terms.js'
import { type HeldResponse, holdResponse } from './held-response.js'
import { tableOf } from './node-response.js'
import { passResponse } from './passed-response.js'

/** One request on a Node socket, whatever the framework around it. */
export type NodeExchange = {
  readonly request: GateRequest
  readonly res: ServerResponse
  /** Headers that stand already and are not on `res` yet, where the framework keeps them until it answers. */
  readonly standing?: () => HeaderFields
  /** Goes on to the handler. */
  run(payment: VerifiedPayment): void
  /** Takes what went wrong in the gate itself. */
  failed(error: unknown): void
}

/** Serves a request to a paid route by whatever the gate says. */
export function serveNode(gate: Gate, route: Route, { request, res, standing, run, failed }: NodeExchange): void {
  let held: HeldResponse | undefined
  const begin = (): Challenge | Promise<Reply<HeldResponse>> =>
    protect<HeldResponse>(gate, route, {
      request,
      gone: () => res.destroyed,
      work: (payment) => {
        held = holdResponse(res, route.maxResponseBytes, standing?.())
        asking.set(res, undefined)
        run(payment)
        return held.made.then((work) => {
          const error = asking.get(res)
          asking.delete(res)
          return error === undefined ? work : { type: 'asked', error }
        })
      },
    })
  const send = (reply: Reply<HeldResponse>): void => {
    if (reply.type === 'stream') {
      passResponse(res, reply, standing?.())
      run(reply.payment)
    } else if (reply.type === 'unsold') reply.native.release(stripProtocolHeaders)
    else if (held !== undefined) held.replace(reply.answer, reply.paid ? makePrivate : undefined)
    else answer(res, reply.answer, reply.paid, standing?.())
  }
  try {
    const reply = begin()
    if (reply instanceof Promise) {
      reply.then(send).catch((error: unknown) => {
        held?.restore()
        failed(error)
      })
    } else answer(res, reply, false, standing?.())
  } catch (error) {
    failed(error)
  }
}

/**
 * Tells the gate that the work of this response threw `PaymentRequiredError`. `false`: nothing is held back that could still become a
 * challenge, or it threw something else.
 */
export function noteAsked(res: ServerResponse, error: unknown): boolean {
  if (!asking.has(res) || !PaymentRequiredError.is(error)) return false
  asking.set(res, error)
  return true
}

/** Responses that are held back, and what their work has asked for. */
const asking = new WeakMap<ServerResponse, PaymentRequiredError | undefined>()

/** An answer for which nothing was run: what earlier middleware set stays beside it. */
function answer(res: ServerResponse, answer: Answer, paid: boolean, standing: HeaderFields = {}): void {
  const table = tableOf(res)
  for (const [name, value] of Object.entries(standing)) table.set(name, value)
  applyHeaders(answer, table)
  if (paid) makePrivate(table)
  res.statusCode = answer.status
  res.end(answer.body)
}
