import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createPaywall, type Paywall, type PaywallOptions } from '../paywall.js'
import type { VerifiedPayment } from '../protect.js'
import type { RouteInput, RouteOptions } from '../route.js'
import { noteAsked, serveNode } from './node-exchange.js'
import { gateRequestOf } from './node-request.js'
import { checkUpgrade, serveUpgrade, type WrapUpgrade } from './upgrade.js'

/** A handler of `node:http` that is run for a verified payment. */
export type PaidListener = (req: IncomingMessage, res: ServerResponse, payment: VerifiedPayment) => void | Promise<void>

/** Wraps a handler: only paid requests reach it. */
export type WrapNode = (route: RouteInput, handler: PaidListener) => RequestListener

/** A paywall for `node:http`: wraps handlers of requests, and of upgrades. */
export type NodePaywall = Paywall<WrapNode & { readonly upgrade: WrapUpgrade }>

export type { PaidUpgrade, UpgradeListener, WrapUpgrade } from './upgrade.js'

/**
 * A paywall for `node:http`, and for whatever is built on its request and response. A handler that throws before it has answered ends in
 * a bare 500, as nobody else is there to answer.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * createServer(paid('$0.001', (req, res, payment) => res.end(`paid by ${payment.payer}`))).listen(8080)
 */
export function paywall(options: PaywallOptions): NodePaywall {
  const { gate, define, ready, sold } = createPaywall(options)
  const paid: WrapNode = (input, handler) => {
    const route = define(input)
    return (req, res) => {
      const failed = (): void => fail(res)
      serveNode(gate, route, {
        request: gateRequestOf(req),
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
  const upgrade: WrapUpgrade = (input, handler) => {
    const own: RouteOptions = typeof input === 'object' ? input : { price: input }
    const route = define({ mode: options.mode === 'accepted' ? 'accepted' : 'upfront', ...own })
    checkUpgrade(route)
    return (req, socket, head) => serveUpgrade(gate, route, { req, socket, head, handler })
  }
  return Object.assign(paid, { upgrade, ready, sold })
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
