import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import type { VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { pathOf } from '../terms.js'
import { noteAsked, serveNode } from './node-exchange.js'
import { headerOf } from './node-request.js'
import { bodyOfMessage } from './request-body.js'

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
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapExpress = (input) => {
    const route = define(input)
    return (req, res, next) => {
      asTable(req, 'complete')
      asTable(res, 'sendDate')
      serveNode(gate, route, {
        request: {
          method: req.method,
          url: urlOf(req),
          header: (name) => headerOf(req, name),
          // Where many proxies are trusted it takes a while to tell, and few routes ask.
          get address() {
            return req.ip
          },
          body: bodyOfMessage(req, () => req.body),
        },
        res,
        run: (payment) => {
          req.payment = payment
          next()
        },
        failed: next,
      })
    }
  }
  return Object.assign(paid, { ready, sold })
}

/**
 * Turns a `PaymentRequiredError` that a handler behind the paywall threw into its 402: goes behind the routes, before other error handlers.
 *
 * @example
 * app.use(paymentErrors)
 */
export const paymentErrors: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (noteAsked(res, error)) res.status(402).end()
  else next(error)
}

/**
 * Makes the engine keep an object as a table. Express gives requests and responses another prototype after they were made, and from then on
 * V8 makes a hidden class for each property that is set on each of them: what the gate and Node set costs ten times as much. Taking a
 * property away and putting it back ends that, and changes nothing else.
 */
function asTable<T extends Request | Response>(target: T, name: keyof T): void {
  if (!Object.hasOwn(target, name)) return
  const value = target[name]
  if (Reflect.deleteProperty(target, name)) target[name] = value
}

/** The whole URL, whatever router the handler is mounted in and whichever form the request line has. */
function urlOf(req: Request): string {
  return `${req.protocol}://${req.headers.host ?? 'localhost'}${pathOf(req.originalUrl)}`
}
