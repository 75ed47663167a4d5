import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import { protect, type VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { bodyOfRequest } from './request-body.js'
import { holdResponse, orAsked, passResponse, responseOf, unsoldResponse } from './web-response.js'

/** A handler that is run for a verified payment; what the platform gives beside the request (`env`, `ctx`) follows. */
export type PaidHandler<Rest extends readonly unknown[] = []> = (
  request: Request,
  payment: VerifiedPayment,
  ...rest: Rest
) => Response | Promise<Response>

/** A fetch-style handler. */
export type FetchHandler<Rest extends readonly unknown[] = []> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

/** Wraps a handler: only paid requests reach it. */
export type WrapFetch = <Rest extends readonly unknown[] = []>(
  route: RouteInput,
  handler: PaidHandler<Rest>,
) => FetchHandler<Rest>

/**
 * A paywall for fetch-style handlers: Bun, Deno, Workers, Next route handlers, anything that turns a `Request` into a `Response`.
 * A request without a payment is answered synchronously.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * export const GET = paid('$0.001', async (request, payment) => Response.json({ paidBy: payment.payer }))
 */
export function paywall(options: PaywallOptions): Paywall<WrapFetch> {
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapFetch = (input, handler) => {
    const route = define(input)
    return (request, ...rest) => {
      const reply = protect<Response>(gate, route, {
        request: {
          method: request.method,
          url: request.url,
          header: (name) => request.headers.get(name),
          body: bodyOfRequest(request),
        },
        gone: () => request.signal.aborted,
        work: (payment) =>
          orAsked(async () => holdResponse(await handler(request, payment, ...rest), {}, route.maxResponseBytes)),
      })
      if (!(reply instanceof Promise)) return new Response(reply.body, reply)
      return reply.then((later) => {
        if (later.type === 'answer') return responseOf(later)
        if (later.type === 'unsold') return unsoldResponse(later.native)
        const bare = request.method === 'HEAD'
        return passResponse(later, () => handler(request, later.payment, ...rest), { bare })
      })
    }
  }
  return Object.assign(paid, { ready, sold })
}
