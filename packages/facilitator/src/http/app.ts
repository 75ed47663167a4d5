import {
  DEFAULT_RETRY_AFTER,
  decodeFacilitatorRequest,
  type ErrorCode,
  type ExtensionFacilitator,
  encodeSettlement,
  encodeSupported,
  encodeVerdict,
  errorInfo,
  type FacilitatorRequest,
  isJsonObject,
  isPid,
  type JsonObject,
  networkByV1Name,
  type ObservedPayment,
  PROBLEM_TYPE,
  problem,
  type Refusal,
  type Settlement,
  VOUCHED_HEADER,
  v1NameOf,
  X402Error,
} from '@groat/core'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Scope } from '../access/tenants.js'
import type { Overview } from '../admin/overview.js'
import type { Catalogue } from '../bazaar/catalogue.js'
import { addCatalogueRoutes, bazaarAnswers } from '../bazaar/routes.js'
import { createReporter, type Fault, isTurnedAway } from '../fault.js'
import type { Metrics } from '../observe/metrics.js'
import { traceRequest } from '../observe/trace.js'
import type { FacilitatorService } from '../service.js'
import { type Access, createAccess, type Denied } from './access.js'
import { type AnswerHeaders, answerJudged, answerSent, incomingOf } from './answer.js'
import { readJsonBody } from './body.js'
import { EXTENSION_RESPONSES, observed } from './extensions.js'
import { readinessOf } from './readiness.js'

/** How the HTTP face of a facilitator is made. */
export type FacilitatorAppOptions = {
  /** Gets the story of what went wrong in answering. */
  readonly onFault?: (fault: Fault) => void
  /** Tenants and limits; without, whoever reaches the listener may verify and settle. */
  readonly access?: Access
  readonly metrics?: Metrics
  /** How the facilitator stands, for readiness and metrics. */
  readonly overview?: () => Promise<Overview>
  /** Proxies of yours in front, each of which adds an address to `X-Forwarded-For`; 0 unless told: the header is not believed. */
  readonly trustedProxies?: number
  /** What looks at payments and answers in `EXTENSION-RESPONSES`; it changes nothing about them. */
  readonly extensions?: readonly ExtensionFacilitator[]
  /** What can be bought here, for everybody to look at: the one that `withCatalogue` fills. */
  readonly catalogue?: Catalogue
  /** For the OpenAPI document. */
  readonly version?: string
}

/**
 * A facilitator over HTTP, as a function from `Request` to `Response` (`app.fetch`): `POST /verify`, `POST /settle`, `GET /supported`,
 * `GET /settlements/{pid}`, `GET /livez`, `GET /readyz`, `GET /readyz/{network}/{scheme}`, `GET /metrics`, `GET /openapi.json`, and `GET /discovery/…` with a catalogue. Whatever could be judged is answered with 200 and the protocol's own object; a
 * world that is broken is a problem with a reference, and never a verdict.
 *
 * @example
 * const app = createFacilitatorApp(facilitator)
 * const response = await app.fetch(new Request('http://localhost/supported'))
 */
export function createFacilitatorApp(service: FacilitatorService, options: FacilitatorAppOptions = {}): Hono {
  const { onFault, metrics, overview, catalogue, trustedProxies = 0, version = '0.0.0' } = options
  const { extensions: more = [] } = options
  const extensions = catalogue === undefined ? more : [...more, bazaarAnswers(catalogue)]
  const access = options.access ?? createAccess(service, {})
  const report = createReporter({ onFault })
  const app = new Hono()

  app.use(async (c, next) => {
    const began = performance.now()
    // Said before there is an answer: one that is made already would have to be made again.
    c.header('cache-control', 'no-store')
    await traceRequest(`${c.req.method} ${routeOf(c.req.path)}`, c.req.raw.headers, next)
    metrics?.answered(routeOf(c.req.path), c.res.status, (performance.now() - began) / 1000)
  })

  const admit = (c: Context, scope: Scope) => {
    const authorization = c.req.header('authorization')
    return access.admit(scope, { authorization, ip: addressOf(c, trustedProxies) })
  }

  const look = async (seen: ObservedPayment): Promise<AnswerHeaders> => {
    const said = await observed(extensions, seen, report)
    return said === undefined ? {} : { [EXTENSION_RESPONSES]: said }
  }

  app.post('/verify', async (c) => {
    const caller = admit(c, 'verify')
    if (!caller.ok) return answerDenied(c, caller)
    const body = await readJsonBody(c.req.raw, incomingOf(c))
    if (!body.ok) return unread(c, body, (refusal) => encodeVerdict(2, refusal))
    const request = decodeFacilitatorRequest(body.value)
    if (!request.ok) return c.json(encodeVerdict(2, request), statusOf(request))
    const { x402Version } = request.value.payment
    const refusal = access.judge(caller.tenant, request.value, 'verify')
    if (refusal !== undefined) return c.json(encodeVerdict(x402Version, refusal))
    const work = access.enter('verify', caller.tenant, request.value)
    if (!work.ok) return answerDenied(c, work)
    try {
      const verdict = await service.verify(request.value)
      if (verdict.ok) work.passed()
      const said = verdict.ok ? await look({ during: 'verify', ...request.value }) : {}
      return answerJudged(c, encodeVerdict(x402Version, verdict), said)
    } finally {
      work.leave()
    }
  })

  app.post('/settle', async (c) => {
    const caller = admit(c, 'settle')
    if (!caller.ok) return answerDenied(c, caller)
    const body = await readJsonBody(c.req.raw, incomingOf(c))
    if (!body.ok) return unread(c, body, (refusal) => refusedUnread(refusal, ''))
    const request = decodeFacilitatorRequest(body.value)
    if (!request.ok) return c.json(refusedUnread(request, networkText(body.value)), statusOf(request))
    const refusal = access.judge(caller.tenant, request.value, 'settle')
    if (refusal !== undefined) return c.json(refusedUnread(refusal, networkText(body.value)))
    const work = access.enter('settle', caller.tenant, request.value)
    if (!work.ok) return answerDenied(c, work)
    try {
      const vouched = c.req
        .header(VOUCHED_HEADER)
        ?.split(',')
        .map((key) => key.trim())
      const settlement = await service.settle({ ...request.value, ...(vouched && { vouched }) }, { claim: work.claim })
      if (isSignedFor(settlement)) work.passed()
      const said = settlement.status === 'settled' ? await look({ during: 'settle', ...request.value, settlement }) : {}
      return answerJudged(c, encodeFor(request.value, settlement), { ...said, ...waitBefore(settlement) })
    } catch (error) {
      const isOver = X402Error.is(error) && error.code === 'quota_exceeded'
      if (isOver) return answerDenied(c, access.turnAway(caller.tenant, error.context))
      throw error
    } finally {
      work.leave()
    }
  })

  let supported: Promise<JsonObject> | undefined
  app.get('/supported', async (c) => {
    supported ??= service.supported().then((known) => {
      const keys = extensions.map(({ extension }) => extension.key)
      return encodeSupported({ ...known, extensions: [...new Set([...known.extensions, ...keys])] })
    })
    return c.json(await supported)
  })

  app.get('/settlements/:pid', async (c) => {
    const caller = admit(c, 'read')
    if (!caller.ok) return answerDenied(c, caller)
    const pid = c.req.param('pid')
    const found = isPid(pid) ? await service.find(pid) : undefined
    // What a tenant may not have settled is none of its business.
    if (found === undefined || !access.mayRead(caller.tenant, found)) return answerProblem(c, 'settlement_not_found')
    const { network, scheme, payTo, asset, amount, settlement } = found
    const { status } = settlement
    const terms = { scheme, payTo, asset, amount: amount.toString() }
    const told = { pid, status, ...terms, ...withoutAbsent(encodeSettlement(2, network, settlement)) }
    return c.json(told, 200, waitBefore(settlement))
  })

  app.get('/livez', (c) => c.json({ live: true }))

  app.get('/readyz', async (c) => {
    const health = await service.health()
    if (!health.ready) c.header('retry-after', String(DEFAULT_RETRY_AFTER))
    return c.json(health, health.ready ? 200 : 503)
  })

  app.get('/readyz/:network/:scheme?', async (c) => {
    const { network: named, scheme } = c.req.param()
    // By its name too, as the configuration has it.
    const network = networkByV1Name(named) ?? named
    const half = service.schemes.find(
      ({ scheme: { name }, networks }) => name === scheme && networks.some((id) => id === network),
    )
    if (half === undefined) return answerProblem(c, 'not_found', { detail: unserved(service) })
    const asked = [service.health(), overview?.().catch(() => undefined)] as const
    const health = readinessOf(network, ...(await Promise.all(asked)))
    if (!health.ready) c.header('retry-after', String(DEFAULT_RETRY_AFTER))
    return c.json(health, health.ready ? 200 : 503)
  })

  app.get('/metrics', async (c) => {
    const caller = admit(c, 'metrics')
    if (!caller.ok) return answerDenied(c, caller)
    if (metrics === undefined || overview === undefined) return answerProblem(c, 'not_found')
    const { type, text } = await metrics.read(overview)
    return c.body(text, 200, { 'content-type': type })
  })

  let openApi: Promise<object> | undefined
  app.get('/openapi.json', async (c) => {
    // Schemas weigh something, and most never ask.
    openApi ??= import('./openapi.js').then((made) => made.createOpenApi({ version, keys: access.tenants.length > 0 }))
    return c.json(await openApi)
  })

  if (catalogue !== undefined) {
    addCatalogueRoutes(app, catalogue, { problem: (c, code, detail) => answerProblem(c, code, { detail }) })
  }

  for (const [path, allow] of METHODS) {
    app.all(path, (c) => {
      c.header('allow', allow)
      return answerProblem(c, 'method_not_allowed')
    })
  }
  app.notFound((c) => answerProblem(c, 'not_found'))
  app.onError((error, c) => {
    if (isTurnedAway(error)) return answerProblem(c, error.code)
    if (X402Error.is(error) && typeof error.context.reference === 'string') {
      return answerProblem(c, error.code, { reference: error.context.reference })
    }
    const reference = report(error, { during: 'http' })
    return answerSent(c) ?? answerProblem(c, unexpectedAt(c.req.path), { reference })
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
  ['/readyz/:network/:scheme?', 'GET, HEAD'],
  ['/metrics', 'GET, HEAD'],
  ['/openapi.json', 'GET, HEAD'],
] as const

/** What could have been asked for, as a path says it. */
function unserved({ schemes }: FacilitatorService): string {
  const served = schemes.flatMap(({ scheme: { name }, networks }) =>
    networks.map((id) => `${v1NameOf(id) ?? id}/${name}`),
  )
  return `no such network and scheme is served here; what is: ${served.join(', ')}`
}

/** The route of a path: what strangers write into paths is no label. */
function routeOf(path: string): string {
  const [first] = path.split('/', 2).slice(1)
  if (first === 'discovery') return '/discovery'
  const route = METHODS.find(([known]) => known.split('/', 2)[1] === first)
  return route === undefined ? 'other' : `/${first}`
}

/** Where a request comes from: the socket, or what the last proxy that is ours saw. */
function addressOf(c: Context, trustedProxies: number): string | undefined {
  // Set by the Node server; a request that was made in this process has none.
  const socket = (c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)?.incoming?.socket
  if (trustedProxies === 0) return socket?.remoteAddress
  const seen = c.req.header('x-forwarded-for')?.split(',') ?? []
  return seen.at(-trustedProxies)?.trim() ?? socket?.remoteAddress
}

function answerDenied(c: Context, denied: Denied): Response {
  const { code, retryAfter, during } = denied
  if (code === 'api_key_missing' || code === 'api_key_unknown') c.header('www-authenticate', 'Bearer')
  return answerProblem(c, code, { retryAfter, detail: code === 'scope_missing' ? during : limitText(denied) })
}

/** Which limit it was, as far as it is the caller's own. */
function limitText({ ring, during, perSecond, maxOpen }: Denied): string | undefined {
  if (maxOpen !== undefined) return `${ring}: open settlements are limited to ${maxOpen}`
  if (perSecond === undefined) return ring
  return `${ring}: ${ring === 'tenant' ? `${during} requests` : 'requests'} are limited to ${rateText(perSecond)}`
}

/** A whole number, where there is one: 7 a minute are no decimal fraction a second. */
function rateText(perSecond: number): string {
  return Number.isInteger(perSecond) ? `${perSecond} a second` : `${Number((perSecond * 60).toPrecision(9))} a minute`
}

/** Bytes that are no request at all are 400; a request that asks for what is not served could be judged, and is 200. */
function statusOf({ code }: Refusal): 200 | 400 {
  return code === 'invalid_network' || code === 'invalid_x402_version' ? 200 : 400
}

function unread(c: Context, refusal: Refusal, encode: (refusal: Refusal) => JsonObject): Response {
  if (refusal.code === 'invalid_payload') return c.json(encode(refusal), 400)
  return answerProblem(c, refusal.code, { detail: refusal.detail })
}

function encodeFor({ payment, requirements }: FacilitatorRequest, settlement: Settlement): JsonObject {
  return encodeSettlement(payment.x402Version, requirements.network, settlement)
}

/** Checked and found good, or there would be no transaction: what is only claimed may be written in anybody's name. */
function isSignedFor(settlement: Settlement): boolean {
  return settlement.status === 'settled' || settlement.transaction !== undefined
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

function waitBefore(settlement: Settlement): AnswerHeaders {
  if (settlement.status === 'unknown') return { 'retry-after': String(settlement.retryAfter) }
  const again = settlement.status === 'refused' && errorInfo(settlement.code).retry === 'same-payment'
  return again ? { 'retry-after': String(DEFAULT_RETRY_AFTER) } : {}
}

type About = {
  readonly reference?: string | undefined
  readonly detail?: string | undefined
  readonly retryAfter?: number | undefined
}

function answerProblem(c: Context, code: ErrorCode, { retryAfter, ...about }: About = {}): Response {
  const { status, ...rest } = problem(code, about)
  const wait = retryAfter ?? (status === 503 ? DEFAULT_RETRY_AFTER : undefined)
  if (wait !== undefined) c.header('retry-after', String(wait))
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
