import type { Context, MiddlewareHandler } from 'hono'
import type { HeaderFields } from '../answer.js'
import { PaymentRequiredError } from '../payment-required-error.js'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import { protect, type Reply, type VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { bodyOfRequest } from './request-body.js'
import { readUnread } from './unread-text.js'
import { fieldsOf, holdResponse, passResponse, responseOf, unsoldResponse } from './web-response.js'

/** What a handler behind the paywall finds in its context: `c.get('payment')`. */
export type PaidEnv = { Variables: { payment: VerifiedPayment } }

/** Makes the middleware of a paid route. */
export type WrapHono = (route: RouteInput) => MiddlewareHandler<PaidEnv>

/**
 * A paywall for Hono: a middleware that stands before the handlers it protects, on every method that reaches them.
 * Headers that earlier middleware set stay on its answers; everything that later handlers make is held back until it is paid for.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * app.get('/weather', paid('$0.001'), (c) => c.json({ paidBy: c.get('payment').payer }))
 */
export function paywall(options: PaywallOptions): Paywall<WrapHono> {
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapHono = (input) => {
    const route = define(input)
    return async (c, next) => {
      const { raw } = c.req
      let before: HeaderFields | undefined
      const decided = protect<Response>(gate, route, {
        request: {
          method: raw.method,
          url: raw.url,
          header: (name) => raw.headers.get(name),
          address: addressOf(c.env),
          body: bodyOfRequest(raw),
        },
        gone: () => isGone(c.env, raw),
        work: async (payment) => {
          before = standingHeaders(c)
          c.set('payment', payment)
          await next()
          const { error } = c
          if (PaymentRequiredError.is(error)) return { type: 'asked', error }
          return holdResponse(c.res, before, route.maxResponseBytes, readUnread)
        },
      })
      const reply: Reply<Response> =
        decided instanceof Promise ? await decided : { type: 'answer', answer: decided, paid: false }
      if (reply.type === 'answer') replace(c, responseOf(reply, before ?? standingHeaders(c)))
      else if (reply.type === 'unsold') replace(c, unsoldResponse(reply.native))
      else {
        const work = async (): Promise<Response> => {
          c.set('payment', reply.payment)
          await next()
          return c.res
        }
        replace(c, await passResponse(reply, work, { before: standingHeaders(c), bare: raw.method === 'HEAD' }))
      }
    }
  }
  return Object.assign(paid, { ready, sold })
}

/** What earlier middleware has set, whether or not there is a response yet. */
function standingHeaders(c: Context<PaidEnv>): HeaderFields {
  return fieldsOf(c.newResponse(null).headers)
}

/** Where a request comes from, as `@hono/node-server` says it. */
function addressOf(env: unknown): string | undefined {
  const { incoming } = Object(env) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } }
  return incoming?.socket?.remoteAddress
}

/** Whether nobody waits for the answer any more. On a Node socket its response knows; a request that is asked for its signal has to make one. */
function isGone(env: unknown, request: Request): boolean {
  const { outgoing } = Object(env) as { readonly outgoing?: { readonly destroyed?: unknown } }
  return typeof outgoing?.destroyed === 'boolean' ? outgoing.destroyed : request.signal.aborted
}

/** Hono adds the headers of a response that is replaced to the new one, unless it is taken away first. */
function replace(c: Context<PaidEnv>, response: Response): void {
  c.res = undefined
  c.res = response
}
