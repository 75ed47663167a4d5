import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import type { VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { pathOf } from '../terms.js'
import { noteAsked, serveNode } from './node-exchange.js'
import { bodyOfMessage } from './request-body.js'

/** A handler of `node:http` that is run for a verified payment. */
export type PaidListener = (req: IncomingMessage, res: ServerResponse, payment: VerifiedPayment) => void | Promise<void>

/** Wraps a handler: only paid requests reach it. */
export type WrapNode = (route: RouteInput, handler: PaidListener) => RequestListener

/**
 * A paywall for `node:http`, and for whatever is built on its request and response. A handler that throws before it has answered ends in
 * a bare 500, as nobody else is there to answer.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * createServer(paid('$0.001', (req, res, payment) => res.end(`paid by ${payment.payer}`))).listen(8080)
 */
export function paywall(options: PaywallOptions): Paywall<WrapNode> {
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapNode = (input, handler) => {
    const route = define(input)
    return (req, res) => {
      const failed = (): void => fail(res)
      serveNode(gate, route, {
        request: {
          method: req.method ?? 'GET',
          url: urlOf(req),
          header: (name) => headerOf(req, name),
          address: req.socket.remoteAddress,
          body: bodyOfMessage(req),
        },
        res,
        run: (payment) => {
          Promise.resolve()
            .then(() => handler(req, res, payment))
            .catch((error: unknown) => {
              if (noteAsked(res, error)) res.writeHead(402).end()
              else failed()
            })
        },
        failed,
      })
    }
  }
  return Object.assign(paid, { ready, sold })
}

/** A 500, or the end of the connection where an answer has begun. */
function fail(res: ServerResponse): void {
  if (res.headersSent) {
    res.destroy()
    return
  }
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  res.statusCode = 500
  res.end()
}

/** A header; the values of one that stands more than once are listed, as they would be by any proxy. */
function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function urlOf({ headers, socket, url = '/' }: IncomingMessage): string {
  const scheme = (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http'
  return `${scheme}://${headers.host ?? 'localhost'}${pathOf(url)}`
}
