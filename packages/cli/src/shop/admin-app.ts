import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { formatUnits, isNetwork, isPid, parseUnits, problem, v1NameOf, X402Error } from '@groat/core'
import type { Captures } from '@groat/evm/auth-capture/captures'
import { type Ledger, type UsageRow, usageSince } from '@groat/server/ledger'
import { isRefundId, type Refund, type RefundAnswer, type Refunds, refundId } from '@groat/server/refunds'
import { type Context, Hono } from 'hono'
import type { AdminConfig } from '../config/shop-config.js'
import { createCapturesApp } from './admin-captures.js'
import { createChannelsApp } from './admin-channels.js'
import type { ShopChannels } from './shop-channels.js'

/** What the seller's own listener serves. */
export type ShopAdmin = {
  /** As the file has it now; `undefined`: it has none any more, and nobody is answered. */
  readonly config: () => AdminConfig | undefined
  readonly ledger: Ledger
  /** With the keys that the file names now; `undefined`: none are given. */
  readonly refunds: () => Refunds | undefined
  /** What is held in escrow, where the shop sells so. */
  readonly captures?: () => Captures | undefined
  /** What channels owe, where it sells so. */
  readonly channels?: () => ShopChannels | undefined
}

type Env = { Variables: { who: string | undefined } }

/**
 * The seller's side of a shop: how it does, and refunds, by people who are told apart by their tokens. Without tokens it answers this machine's own names only,
 * and changes nothing.
 */
export function createShopAdmin(shop: ShopAdmin): Hono<Env> {
  const { config, ledger, refunds, captures = () => undefined, channels = () => undefined } = shop
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    const { tokens } = config() ?? {}
    if (tokens === undefined) return c.json({ error: 'not for you' }, 403)
    const who = knownAs(c.req.header('authorization'), tokens)
    const guarded = Object.keys(tokens).length > 0
    if (guarded ? who === undefined : !isLoopback(c.req.header('host'))) {
      if (guarded) c.header('www-authenticate', 'Basic realm="Groat", charset="UTF-8"')
      return c.json({ error: 'not for you' }, guarded ? 401 : 403)
    }
    c.set('who', who)
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
  file('/', 'usage.html', 'text/html')
  file('/usage.css', 'usage.css', 'text/css')
  file('/usage.js', 'usage.js', 'text/javascript')
  app.get('/api/usage', async (c) => {
    const days = /^[1-9][0-9]{0,3}$/.exec(c.req.query('days') ?? '30')?.[0]
    if (days === undefined) return c.json({ error: 'days: 1 to 9999' }, 400)
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
    const usage = await usageSince(ledger.store, today - (Number(days) - 1) * DAY_MS)
    const rows = (list: readonly UsageRow[]) => list.map((row) => usageRow(row, ledger))
    return c.json({ ...usage, days: rows(usage.days), routes: rows(usage.routes), payers: rows(usage.payers) })
  })

  app.get('/api/refunds', async (c) => c.json((await refunds()?.list())?.map((refund) => shown(refund, ledger)) ?? []))
  app.post('/api/refunds', async (c) => {
    const wish: unknown = await c.req.json().catch(() => undefined)
    const { payment, amount, reason, part } = (wish ?? {}) as Record<string, unknown>
    if (typeof payment !== 'string' || !isPid(payment) || typeof reason !== 'string' || reason === '') return wrong(c)
    if (part !== undefined && (typeof part !== 'string' || refundId(payment, part) === undefined)) return wrong(c)
    const named = part === undefined ? {} : { part }
    const by = personOf(c)
    const desk = refunds()
    if (by === undefined || desk === undefined) return c.json({ error: 'not for you' }, 403)
    if (amount === undefined) return answered(c, await desk.ask({ pid: payment, reason, by, ...named }), ledger)
    const units = typeof amount === 'string' ? await unitsOf(ledger, payment, amount) : undefined
    if (units === undefined) return wrong(c)
    return answered(c, await desk.ask({ pid: payment, reason, by, ...named, amount: units }), ledger)
  })
  for (const verb of ['approve', 'reject'] as const) {
    app.post(`/api/refunds/:id/${verb}`, async (c) => {
      const [id, by] = [c.req.param('id'), personOf(c)]
      const desk = refunds()
      if (by === undefined || desk === undefined) return c.json({ error: 'not for you' }, 403)
      if (!isRefundId(id)) return c.json({ error: 'not the id of a refund: `groat refund list` names them' }, 400)
      return answered(c, await desk[verb](id, by), ledger)
    })
  }
  app.route('/api/captures', createCapturesApp(captures, personOf))
  app.route('/api/channels', createChannelsApp(channels, personOf))
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((_, c) => c.json({ error: 'failed' }, 500))
  return app
}

const DAY_MS = 86_400_000

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

function usageRow({ name, network, asset, payments, revenue, refunds, refunded }: UsageRow, ledger: Ledger) {
  const known = ledger.asset({ network, asset })
  const money = (amount: bigint) =>
    known === undefined ? `${amount} of ${asset}` : `${formatUnits(amount, known.decimals)} ${known.symbol}`
  const on = (isNetwork(network) ? v1NameOf(network) : undefined) ?? network
  return { name, on, payments, revenue: money(revenue), refunds, refunded: money(refunded) }
}

/** Who changes something: by a bearer, which no page of somebody else's can send along. */
function personOf(c: Context): string | undefined {
  return /^bearer /i.test(c.req.header('authorization') ?? '') ? c.get('who') : undefined
}

function answered(c: Context, answer: RefundAnswer, ledger: Ledger): Response {
  if (answer.ok) return c.json(shown(answer.refund, ledger))
  const { status } = problem(answer.code)
  return c.json(problem(answer.code), status as 404)
}

const wrong = (c: Context) =>
  c.json(
    {
      error:
        'payment (its whole id, as `groat ledger export` has it), reason and amount (a number of tokens as text, of a token that is known) are asked for; part is a name of letters, digits, _ and -',
    },
    400,
  )

/** A refund as the listener tells it: atomic units, and in tokens where the asset is known. */
function shown(refund: Refund, ledger: Ledger) {
  const { amount, paid } = refund
  const known = ledger.asset(refund)
  const tokens = known && {
    tokens: `${formatUnits(amount, known.decimals)} of ${formatUnits(paid, known.decimals)} ${known.symbol}`,
  }
  return { ...refund, amount: amount.toString(), paid: paid.toString(), ...tokens }
}

async function unitsOf(ledger: Ledger, pid: string, amount: string): Promise<bigint | undefined> {
  const [paid] = await ledger.list({ pid, kinds: ['payment'] }, 1)
  // Of a payment that nobody knows there is nothing to give back, however much it is.
  if (paid === undefined) return 1n
  const decimals = ledger.asset(paid)?.decimals
  try {
    return decimals === undefined ? undefined : parseUnits(amount, decimals)
  } catch (error) {
    if (X402Error.is(error)) return undefined
    throw error
  }
}

/** A page of another site could have a name of its own point here. */
function isLoopback(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?$/i.test(host ?? '')
}

/** The name that a token has in the file, as a bearer or as the password of a browser. */
function knownAs(authorization: string | undefined, tokens: AdminConfig['tokens']): string | undefined {
  const [, type = '', text = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization ?? '') ?? []
  const token = /^basic$/i.test(type)
    ? Buffer.from(text, 'base64')
        .toString()
        .replace(/^[^:]*:/, '')
    : text
  const digest = createHash('sha256').update(token).digest()
  const found = Object.entries(tokens).filter(([, hash]) => {
    const wanted = Buffer.from(hash.replace(/^sha256:/, ''), 'hex')
    return wanted.length === digest.length && timingSafeEqual(wanted, digest)
  })
  return token === '' ? undefined : found[0]?.[0]
}
