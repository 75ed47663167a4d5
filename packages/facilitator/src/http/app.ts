import {
  DEFAULT_RETRY_AFTER,
  decodeFacilitatorRequest,
  type ErrorCode,
  encodeSettlement,
  encodeSupported,
  encodeVerdict,
  errorInfo,
  type FacilitatorRequest,
  isJsonObject,
  isPid,
  type JsonObject,
  PROBLEM_TYPE,
  problem,
  type Refusal,
  type Settlement,
  X402Error,
} from '@groat/core'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { createReporter, type Fault } from '../fault.js'
import type { FacilitatorService } from '../service.js'
import { readJsonBody } from './body.js'

/** How the HTTP face of a facilitator is made. */
export type FacilitatorAppOptions = {
  /** Gets the story of what went wrong in answering. */
  readonly onFault?: (fault: Fault) => void
}

/**
 * A facilitator over HTTP, as a function from `Request` to `Response` (`app.fetch`): `POST /verify`, `POST /settle`, `GET /supported`,
 * `GET /settlements/{pid}`, `GET /livez`, `GET /readyz`. Whatever could be judged is answered with 200 and the protocol's own object; a
 * world that is broken is a problem with a reference, and never a verdict.
 *
 * @example
 * const app = createFacilitatorApp(facilitator)
 * const response = await app.fetch(new Request('http://localhost/supported'))
 */
export function createFacilitatorApp(service: FacilitatorService, { onFault }: FacilitatorAppOptions = {}): Hono {
  const report = createReporter({ onFault })
  const app = new Hono()

  app.use(async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
  })

  app.post('/verify', async (c) => {
    const body = await readJsonBody(c.req.raw)
    if (!body.ok) return unread(c, body, (refusal) => encodeVerdict(2, refusal))
    const request = decodeFacilitatorRequest(body.value)
    if (!request.ok) return c.json(encodeVerdict(2, request), statusOf(request))
    const verdict = await service.verify(request.value)
    return c.json(encodeVerdict(request.value.payment.x402Version, verdict))
  })

  app.post('/settle', async (c) => {
    const body = await readJsonBody(c.req.raw)
    if (!body.ok) return unread(c, body, (refusal) => refusedUnread(refusal, ''))
    const request = decodeFacilitatorRequest(body.value)
    if (!request.ok) return c.json(refusedUnread(request, networkText(body.value)), statusOf(request))
    const settlement = await service.settle(request.value)
    waitBefore(c, settlement)
    return c.json(encodeFor(request.value, settlement))
  })

  let supported: Promise<JsonObject> | undefined
  app.get('/supported', async (c) => {
    supported ??= service.supported().then(encodeSupported)
    return c.json(await supported)
  })

  app.get('/settlements/:pid', async (c) => {
    const pid = c.req.param('pid')
    const found = isPid(pid) ? await service.find(pid) : undefined
    if (found === undefined) return answerProblem(c, 'settlement_not_found')
    const { network, scheme, payTo, asset, amount, settlement } = found
    waitBefore(c, settlement)
    const { status } = settlement
    const terms = { scheme, payTo, asset, amount: amount.toString() }
    return c.json({ pid, status, ...terms, ...withoutAbsent(encodeSettlement(2, network, settlement)) })
  })

  app.get('/livez', (c) => c.json({ live: true }))

  app.get('/readyz', async (c) => {
    const health = await service.health()
    if (!health.ready) c.header('retry-after', String(DEFAULT_RETRY_AFTER))
    return c.json(health, health.ready ? 200 : 503)
  })

  for (const [path, allow] of METHODS) {
    app.all(path, (c) => {
      c.header('allow', allow)
      return answerProblem(c, 'method_not_allowed')
    })
  }
  app.notFound((c) => answerProblem(c, 'not_found'))
  app.onError((error, c) => {
    if (X402Error.is(error) && typeof error.context.reference === 'string') {
      return answerProblem(c, error.code, error.context.reference)
    }
    return answerProblem(c, unexpectedAt(c.req.path), report(error, { during: 'http' }))
  })
  return app
}

const METHODS = [
  ['/verify', 'POST'],
  ['/settle', 'POST'],
  ['/supported', 'GET, HEAD'],
  ['/settlements/:pid', 'GET, HEAD'],
  ['/livez', 'GET, HEAD'],
  ['/readyz', 'GET, HEAD'],
] as const

/** Bytes that are no request at all are 400; a request that asks for what is not served could be judged, and is 200. */
function statusOf({ code }: Refusal): 200 | 400 {
  return code === 'invalid_network' || code === 'invalid_x402_version' ? 200 : 400
}

function unread(c: Context, refusal: Refusal, encode: (refusal: Refusal) => JsonObject): Response {
  if (refusal.code === 'invalid_payload') return c.json(encode(refusal), 400)
  return answerProblem(c, refusal.code)
}

function encodeFor({ payment, requirements }: FacilitatorRequest, settlement: Settlement): JsonObject {
  return encodeSettlement(payment.x402Version, requirements.network, settlement)
}

/** The refusal of a request whose network is only text, and perhaps none. */
function refusedUnread({ code, detail }: Refusal, network: string): JsonObject {
  return { success: false, errorReason: code, errorMessage: detail, transaction: '', network }
}

function networkText({ paymentRequirements, paymentPayload }: JsonObject): string {
  const { network } = isJsonObject(paymentRequirements) ? paymentRequirements : {}
  if (typeof network === 'string') return network.slice(0, 64)
  const { network: older } = isJsonObject(paymentPayload) ? paymentPayload : {}
  return typeof older === 'string' ? older.slice(0, 64) : ''
}

function waitBefore(c: Context, settlement: Settlement): void {
  if (settlement.status === 'unknown') c.header('retry-after', String(settlement.retryAfter))
  const again = settlement.status === 'refused' && errorInfo(settlement.code).retry === 'same-payment'
  if (again) c.header('retry-after', String(DEFAULT_RETRY_AFTER))
}

function answerProblem(c: Context, code: ErrorCode, reference?: string): Response {
  const { status, ...rest } = problem(code, { reference })
  if (status === 503) c.header('retry-after', String(DEFAULT_RETRY_AFTER))
  c.header('content-type', PROBLEM_TYPE)
  // The registry's statuses all have a body.
  return c.body(JSON.stringify({ ...rest, status }), status as ContentfulStatusCode)
}

function unexpectedAt(path: string): ErrorCode {
  return path === '/verify' ? 'unexpected_verify_error' : 'unexpected_settle_error'
}

function withoutAbsent(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
