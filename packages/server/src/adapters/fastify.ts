import type { FastifyReply, FastifyRequest, onErrorHookHandler, preHandlerHookHandler } from 'fastify'
import type { HeaderFields } from '../answer.js'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import type { VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { pathOf } from '../terms.js'
import { noteAsked, serveNode } from './node-exchange.js'
import { bodyOfMessage } from './request-body.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified payment, behind a paywall. */
    payment?: VerifiedPayment
  }
}

/** Makes the hook of a paid route. */
export type WrapFastify = (route: RouteInput) => preHandlerHookHandler

/**
 * A paywall for Fastify 5: a `preHandler` that stands before the handler of a route, or before all routes of a plugin.
 * Headers that earlier hooks set on the reply stay on its answers; everything that the handler and later hooks do to the response is held
 * back until it is paid for.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * app.get('/weather', { preHandler: paid('$0.001') }, async (request) => ({ paidBy: request.payment?.payer }))
 */
export function paywall(options: PaywallOptions): Paywall<WrapFastify> {
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapFastify = (input) => {
    const route = define(input)
    return (request, reply, done) => {
      // An answer of the gate goes out on the raw response; Fastify is not to send one of its own.
      let ran = false
      serveNode(gate, route, {
        request: {
          method: request.method,
          url: urlOf(request),
          header: (name) => headerOf(request, name),
          get address() {
            return request.ip
          },
          body: bodyOfMessage(request.raw, () => request.body),
        },
        res: reply.raw,
        standing: () => standing(reply),
        run: (payment) => {
          ran = true
          request.payment = payment
          done()
        },
        failed: (error) => {
          if (!ran) done(error instanceof Error ? error : new Error('the gate failed', { cause: error }))
        },
      })
    }
  }
  return Object.assign(paid, { ready, sold })
}

/**
 * Turns a `PaymentRequiredError` that a handler behind the paywall threw into its 402.
 *
 * @example
 * app.addHook('onError', paymentErrors)
 */
export const paymentErrors: onErrorHookHandler = (_request, reply, error, done) => {
  noteAsked(reply.raw, error)
  done()
}

/** The headers that Fastify keeps for its own answer. */
function standing(reply: FastifyReply): HeaderFields {
  const fields: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) fields[name] = typeof value === 'number' ? String(value) : value
  }
  return fields
}

function headerOf({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function urlOf({ protocol, host, originalUrl }: FastifyRequest): string {
  return `${protocol}://${host}${pathOf(originalUrl)}`
}
