import { createHmac } from 'node:crypto'
import { plainHeaders } from '@groat/evm/plain-headers/server'
import type { VerifiedPayment } from '@groat/server'
import { proxy } from 'hono/proxy'
import { problemResponse } from './problem-response.js'

/** Where requests go, and how. */
export type Upstream = {
  readonly upstream: URL
  readonly upstreamTimeoutMs: number
  readonly upstreamSecret?: string
}

/** The header by which the API learns who paid. */
export const IDENTITY_HEADER = 'groat-payment'

/**
 * Sends a request on to the API, without what is between buyer and shop, and gives its answer. An API that cannot be reached, or does not
 * begin to answer in time, is a failure like any other of the work: 502 or 504, uncharged where the route is strict.
 */
export async function forward(
  request: Request,
  { upstream, upstreamTimeoutMs, upstreamSecret }: Upstream,
  payment?: VerifiedPayment,
): Promise<Response> {
  const { pathname, search, host, protocol } = new URL(request.url)
  const headers = new Headers(request.headers)
  for (const name of [...headers.keys()]) if (!isForwarded(name)) headers.delete(name)
  headers.set('x-forwarded-host', host)
  headers.set('x-forwarded-proto', protocol.slice(0, -1))
  if (payment !== undefined && upstreamSecret !== undefined) {
    headers.set(IDENTITY_HEADER, identify(payment, request.method, pathname, upstreamSecret))
  }
  const target = targetOf(upstream, pathname + search)
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), upstreamTimeoutMs)
  try {
    const response = await proxy(target, {
      raw: new Request(request, { headers }),
      redirect: 'manual',
      signal: AbortSignal.any([request.signal, late.signal]),
    })
    for (const name of NOT_RETURNED) response.headers.delete(name)
    return response
  } catch {
    return failure(late.signal.aborted ? 504 : 502)
  } finally {
    clearTimeout(timer)
  }
}

/** Where the API has a path. */
export function targetOf({ origin, pathname }: URL, path: string): string {
  return origin + pathname.replace(/\/$/, '') + path
}

/**
 * Who paid what, for the API to check: base64url of JSON, a dot, and the HMAC-SHA256 of the first part in hex by the shared secret.
 * `at` is when it was made, in seconds since 1970.
 */
export function identify(payment: VerifiedPayment, method: string, path: string, secret: string): string {
  const { pid, payer, amount, offer } = payment
  const at = Math.floor(Date.now() / 1000)
  const claims = { pid, payer, amount: amount.toString(), asset: offer.asset, network: offer.network, method, path, at }
  const text = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${text}.${createHmac('sha256', secret).update(text).digest('hex')}`
}

/** What the buyer says to the shop, and what a stranger could use to speak in the shop's name. */
const NOT_FORWARDED = [
  'payment-signature',
  'x-payment',
  'payment-entitlement',
  'sign-in-with-x',
  ...plainHeaders.requestHeaders.map((name) => name.toLowerCase()),
  IDENTITY_HEADER,
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'forwarded',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
  'host',
  'expect',
]

/** Some servers read a name with `_` as the same name with `-`. */
export function isForwarded(name: string): boolean {
  return !NOT_FORWARDED.includes(name.toLowerCase().replaceAll('_', '-'))
}

/** What only the shop says to the buyer. */
export const NOT_RETURNED = [
  'payment-required',
  'payment-response',
  'x-payment-response',
  'payment-entitlement',
  'x-payment-required',
  'x-payment-amount',
  'x-payment-asset',
  'x-payment-network',
  'x-payment-recipient',
  'x-payment-error',
  'x-payment-transaction',
]

const failure = (status: 502 | 504): Response => problemResponse('handler_failed', { status })
