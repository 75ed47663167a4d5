import type { Request, RequestHandler, Response } from 'express'
import { type Answer, applyHeaders, makePrivate, stripProtocolHeaders } from '../answer.js'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import { protect, type Reply, type VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { pathOf } from '../terms.js'
import { type HeldResponse, holdResponse, tableOf } from './held-response.js'

declare global {
  // The place that Express has for what middleware adds to a request.
  namespace Express {
    interface Request {
      /** The verified payment, behind a paywall. */
      payment?: VerifiedPayment
    }
  }
}

/** Makes the middleware of a paid route. */
export type WrapExpress = (route: RouteInput) => RequestHandler

/**
 * A paywall for Express 4 and 5: a middleware that stands before the handlers it protects, on every method that reaches them.
 * Headers that earlier middleware set stay on its answers; everything that later handlers do to the response, whatever method they
 * do it with, is held back until it is paid for.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * app.get('/weather', paid('$0.001'), (req, res) => { res.json({ paidBy: req.payment?.payer }) })
 */
export function paywall(options: PaywallOptions): Paywall<WrapExpress> {
  const { gate, define, ready } = createPaywall(options)
  const paid: WrapExpress = (input) => {
    const route = define(input)
    return (req, res, next) => {
      let held: HeldResponse | undefined
      const reply = protect<HeldResponse>(gate, route, {
        request: { method: req.method, url: urlOf(req), header: (name) => req.get(name) },
        gone: () => res.destroyed,
        work: (payment) => {
          held = holdResponse(res, route.maxResponseBytes)
          req.payment = payment
          next()
          return held.made
        },
      })
      if (!(reply instanceof Promise)) {
        answer(res, reply, false)
        return
      }
      reply
        .then((later) => send(res, held, later))
        .catch((error: unknown) => {
          held?.restore()
          next(error)
        })
    }
  }
  return Object.assign(paid, { ready })
}

function send(res: Response, held: HeldResponse | undefined, reply: Reply<HeldResponse>): void {
  if (reply.type === 'unsold') reply.native.release(stripProtocolHeaders)
  else if (held !== undefined) held.replace(reply.answer, reply.paid ? makePrivate : undefined)
  else answer(res, reply.answer, reply.paid)
}

/** An answer for which nothing was run: what earlier middleware set stays beside it. */
function answer(res: Response, answer: Answer, paid: boolean): void {
  const table = tableOf(res)
  applyHeaders(answer, table)
  if (paid) makePrivate(table)
  res.statusCode = answer.status
  res.end(answer.body)
}

/** The whole URL, whatever router the handler is mounted in and whichever form the request line has. */
function urlOf(req: Request): string {
  return `${req.protocol}://${req.get('host') ?? 'localhost'}${pathOf(req.originalUrl)}`
}
