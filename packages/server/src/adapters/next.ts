import type { Paywall, PaywallOptions } from '../paywall.js'
import type { VerifiedPayment } from '../protect.js'
import type { RouteInput } from '../route.js'
import { paywall as fetchPaywall } from './fetch.js'

/** What Next.js gives a route handler beside the request; `params` is a promise since version 15. */
export type NextContext<Params = Readonly<Record<string, string | string[] | undefined>>> = {
  readonly params: Promise<Params>
}

/** A route handler of the App Router that is run for a verified payment. */
export type PaidRouteHandler<Incoming extends Request, Context extends NextContext> = (
  request: Incoming,
  context: Context & { readonly payment: VerifiedPayment },
) => Response | Promise<Response>

/** Wraps a route handler: only paid requests reach it. */
export type WrapNext = <Incoming extends Request = Request, Context extends NextContext = NextContext>(
  route: RouteInput,
  handler: PaidRouteHandler<Incoming, Context>,
) => (request: Incoming, context: Context) => Promise<Response>

/**
 * A paywall for route handlers of the Next.js App Router (`app/…/route.ts`): the payment is in the context, beside `params`. Next.js runs `GET` for HEAD,
 * and answers OPTIONS itself. Say `export const dynamic = 'force-dynamic'` in the file: what is paid for is not rendered ahead.
 * Throws `X402Error` for what is wrong in the configuration.
 *
 * @example
 * const paid = paywall({ facilitator: 'https://pay.example', payTo: { base: '0x…' }, schemes: [exactEvm], store })
 * export const GET = paid('$0.001', async (request, { payment }) => Response.json({ paidBy: payment.payer }))
 */
export function paywall(options: PaywallOptions): Paywall<WrapNext> {
  const wrap = fetchPaywall(options)
  const paid: WrapNext = (route, handler) => {
    const serve = wrap(route, (request, payment, incoming: typeof request, context: NextContext) =>
      // Next.js hands in its own kind of request, and what it hands in is what the handler gets.
      (handler as unknown as PaidRouteHandler<Request, NextContext>)(incoming, { ...context, payment }),
    )
    return async (request, context) => serve(request, request, context)
  }
  return Object.assign(paid, { ready: wrap.ready, sold: wrap.sold })
}
