import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type ErrorCode, errorInfo, isPid } from '@groat/core'
import type { Store } from '@groat/store'
import { type Context, Hono } from 'hono'
import { bearerOf, hashApiKey } from '../access/api-key.js'
import { createReporter, type Fault } from '../fault.js'
import type { Metrics } from '../observe/metrics.js'
import type { Health, HealthReason } from '../service.js'
import { createJournalView } from './journal-view.js'
import type { Overview } from './overview.js'

/** What the operator's listener serves. */
export type AdminAppOptions = {
  readonly store: Store
  readonly overview: () => Promise<Overview>
  /** What is said while there is no overview, because the database is down: `service.health`. */
  readonly health?: () => Promise<Health>
  readonly metrics?: Metrics
  /** Hash of the token that opens it (`hashApiKey`), as a bearer or as the password of a browser. Absent: only loopback names are answered. */
  readonly tokenHash?: string
  readonly onFault?: (fault: Fault) => void
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * The operator's side of a facilitator: the page, what it shows as JSON, and the metrics. It changes nothing. It belongs on a listener of its
 * own, which strangers do not reach.
 *
 * @example
 * const admin = createAdminApp({ store, overview: createOverview({ service, store }), health: () => service.health() })
 */
export function createAdminApp({ store, overview, health, metrics, tokenHash, onFault }: AdminAppOptions): Hono {
  const view = createJournalView(store)
  const report = createReporter({ onFault })
  const app = new Hono()

  app.use(async (c, next) => {
    const open =
      tokenHash === undefined ? isLoopback(c.req.header('host')) : knows(c.req.header('authorization'), tokenHash)
    if (!open) {
      if (tokenHash !== undefined) c.header('www-authenticate', 'Basic realm="Groat", charset="UTF-8"')
      return c.json({ error: 'not for you' }, tokenHash === undefined ? 403 : 401)
    }
    await next()
    c.header('cache-control', 'no-store')
    c.header('x-content-type-options', 'nosniff')
    c.header('referrer-policy', 'no-referrer')
  })

  const file = (path: string, name: string, type: string) =>
    app.get(path, async (c) => {
      // Beside `src` and `dist` alike.
      const text = await readFile(new URL(`../../assets/${name}`, import.meta.url), 'utf8')
      return c.body(text, 200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY })
    })
  file('/', 'operator.html', 'text/html')
  file('/page.css', 'page.css', 'text/css')
  file('/operator.css', 'operator.css', 'text/css')
  file('/operator.js', 'operator.js', 'text/javascript')

  app.get('/api/overview', async (c) => {
    try {
      const now = await overview()
      return answerJson(c, { ...now, health: advised(now.health) })
    } catch (error) {
      const now = await health?.()
      if (now === undefined || now.ready) throw error
      return answerJson(c, { health: advised(now) }, 503)
    }
  })
  app.get('/api/payments', async (c) => answerJson(c, await view.payments(c.req.query('q')?.slice(0, 200))))
  app.get('/api/payments/:pid', async (c) => {
    const pid = c.req.param('pid')
    const history = isPid(pid) ? await view.history(pid) : []
    return history.length === 0 ? c.json({ error: 'not found' }, 404) : answerJson(c, { pid, history })
  })
  app.get('/livez', (c) => c.json({ live: true }))
  app.get('/metrics', async (c) => {
    if (metrics === undefined) return c.json({ error: 'not found' }, 404)
    const { type, text } = await metrics.read(overview)
    return c.body(text, 200, { 'content-type': type })
  })
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => c.json({ error: 'failed', reference: report(error, { during: 'admin' }) }, 500))
  return app
}

/** Heights are bigint inside; in JSON they are text. */
function answerJson(c: Context, value: unknown, status: 200 | 503 = 200): Response {
  const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? each.toString() : each))
  return c.body(text, status, { 'content-type': 'application/json' })
}

/** What the operator can do, where the table of errors says what a payer can. */
const OPERATORS: Readonly<Partial<Record<ErrorCode, string>>> = {
  rpc_unreachable: 'Look at the nodes of this network, and at its `rpc` in the file.',
  rpc_invalid_answer: 'Look at the nodes of this network, and at its `rpc` in the file.',
}

/** What is known to help is said beside what is in the way. */
function advised({ reasons, notes = [], ready }: Health) {
  const advise = (reason: HealthReason) =>
    'code' in reason ? { ...reason, hint: OPERATORS[reason.code] ?? errorInfo(reason.code).hint } : reason
  return { ready, reasons: reasons.map(advise), ...(notes.length === 0 ? {} : { notes: notes.map(advise) }) }
}

/** A page of another site could have a name of its own point here; this listener answers to the machine's own names only. */
function isLoopback(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i.test(host ?? '')
}

function knows(authorization: string | undefined, tokenHash: string): boolean {
  const basic = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '')?.[1]
  const password =
    basic &&
    Buffer.from(basic, 'base64')
      .toString()
      .replace(/^[^:]*:/, '')
  const token = bearerOf(authorization) ?? password
  if (token === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(hashApiKey(token)), digest(tokenHash))
}
