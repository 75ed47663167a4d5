import type { HeaderDialect } from '@groat/core'
import { ENTITLEMENT_HEADER } from './entitled.js'

/** What a browser of another origin may read of answers, and may send. */
export const corsHeaders = {
  /** For `Access-Control-Expose-Headers`. */
  expose: ['PAYMENT-REQUIRED', 'PAYMENT-RESPONSE', 'X-PAYMENT-RESPONSE', ENTITLEMENT_HEADER, 'Retry-After'],
  /** For `Access-Control-Allow-Headers`; the one that names what is exposed is sent by some paying clients. */
  allow: ['PAYMENT-SIGNATURE', 'X-PAYMENT', ENTITLEMENT_HEADER, 'Access-Control-Expose-Headers', 'Content-Type'],
} as const

/** Whom answers are for. */
export type CorsOptions = {
  /** Origins such as `https://app.example`; `*` stands for all. */
  readonly origins: '*' | readonly string[]
  /** Methods that a preflight allows. Default: GET, HEAD, POST, PUT, PATCH, DELETE. */
  readonly methods?: readonly string[]
  /** Headers of one's own, beside those of payments. */
  readonly allow?: readonly string[]
  readonly expose?: readonly string[]
  /** The dialects in which routes can be paid for too: their headers may be sent and read like the protocol's own. */
  readonly dialects?: readonly Pick<HeaderDialect, 'requestHeaders' | 'responseHeaders'>[]
  /** Seconds for which a browser may remember a preflight. Default 600. */
  readonly maxAgeSeconds?: number
}

/** Says what a browser has to be told: the headers for an answer, and the whole answer to a preflight. */
export type Cors = {
  /** Headers to set on every answer, also on a 402; none where the origin is not one of those. */
  headers(origin: string | null | undefined): Readonly<Record<string, string>>
  /** The answer to a preflight; `undefined`: it is none, and goes on. */
  preflight(request: Request): Response | undefined
  /** A fetch-style handler that pages of other origins can pay. */
  wrap<Rest extends readonly unknown[]>(
    handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Request, ...rest: Rest) => Response | Promise<Response>
}

/**
 * Lets pages of other origins read what a payment needs: stands outside of the gate, so that a 402 has it too.
 * A preflight is answered here and never reaches the gate: a browser cannot pay with one.
 *
 * @example
 * const { wrap } = cors({ origins: ['https://app.example'] })
 * export default { fetch: wrap(paid('$0.001', weather)) }
 */
export function cors(options: CorsOptions): Cors {
  const { origins, methods = METHODS, allow = [], expose = [], dialects = [], maxAgeSeconds = 600 } = options
  const read = dialects.flatMap(({ responseHeaders = [] }) => responseHeaders)
  const sent = dialects.flatMap(({ requestHeaders }) => requestHeaders)
  const exposed = [...corsHeaders.expose, ...read, ...expose].join(', ')
  const allowed = [...corsHeaders.allow, ...sent, ...allow].join(', ')
  const headers: Cors['headers'] = (origin) => {
    if (origins === '*') return { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposed }
    if (origin == null || !origins.includes(origin)) return { vary: 'Origin' }
    return { 'access-control-allow-origin': origin, 'access-control-expose-headers': exposed, vary: 'Origin' }
  }
  const preflight: Cors['preflight'] = (request) => {
    if (request.method !== 'OPTIONS' || !request.headers.has('access-control-request-method')) return undefined
    return new Response(null, {
      status: 204,
      headers: {
        ...headers(request.headers.get('origin')),
        'access-control-allow-methods': methods.join(', '),
        'access-control-allow-headers': allowed,
        'access-control-max-age': String(maxAgeSeconds),
      },
    })
  }
  const told = (request: Request, response: Response): Response => {
    const answer = new Response(response.body, response)
    for (const [name, value] of Object.entries(headers(request.headers.get('origin')))) {
      if (name === 'vary') answer.headers.append(name, value)
      else answer.headers.set(name, value)
    }
    return answer
  }
  return {
    headers,
    preflight,
    wrap:
      (handler) =>
      (request, ...rest) => {
        const answer = preflight(request)
        if (answer !== undefined) return answer
        const response = handler(request, ...rest)
        return response instanceof Promise ? response.then((later) => told(request, later)) : told(request, response)
      },
  }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
