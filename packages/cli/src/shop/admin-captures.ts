import { isPid, type Pid, type Settlement } from '@groat/core'
import type { Captures, Hold } from '@groat/evm/auth-capture/captures'
import { type Context, Hono } from 'hono'
import { answered, nameOf, tokensOf, unitsOf } from './admin-money.js'

/** Holds that are listed at the most. */
const MOST = 1_000

/**
 * What is held for a shop: `GET /` lists it, `POST /:pid/capture|void|refund` has it paid out, let go or given back, all of it or `amount` tokens. `who` says who
 * asks; nobody changes nothing.
 */
export function createCapturesApp(captures: () => Captures | undefined, who: (c: Context) => string | undefined): Hono {
  const app = new Hono()
  app.get('/', async (c) => c.json(((await captures()?.open(MOST)) ?? []).map(shown)))
  app.post('/:pid/:verb{capture|void|refund}', async (c) => {
    const [pid, verb, open] = [c.req.param('pid'), c.req.param('verb'), captures()]
    if (who(c) === undefined || open === undefined) return c.json({ error: 'not for you' }, 403)
    const hold = isPid(pid) ? await open.hold(pid) : undefined
    if (hold === undefined) return c.json({ error: 'nothing is held by this name' }, 404)
    const wish = (await c.req.json().catch(() => ({}))) as Record<string, unknown> | null
    const amount = unitsOf(hold.network, hold.token, wish?.amount)
    if (amount === 'wrong') return c.json({ error: 'amount: a number of tokens, as text' }, 400)
    const settlement = await act(open, hold.pid, verb, amount ?? hold.refundable, amount)
    const now = await open.hold(hold.pid)
    return answered(c, settlement, now && shown(now))
  })
  return app
}

function act(captures: Captures, pid: Pid, verb: string, all: bigint, amount: bigint | undefined): Promise<Settlement> {
  if (verb === 'capture') return captures.capture(pid, amount)
  return verb === 'void' ? captures.void(pid) : captures.refund(pid, all)
}

function shown({ pid, network, payer, token, state, captureDeadline, refundDeadline, ...money }: Hold) {
  const tokens = (units: bigint) => tokensOf(network, token, units)
  const time = (seconds: number) => new Date(seconds * 1000).toISOString()
  return {
    ...{ pid, on: nameOf(network), payer, state },
    ...{ amount: tokens(money.amount), capturable: tokens(money.capturable), refundable: tokens(money.refundable) },
    ...{ captureUntil: time(captureDeadline), refundUntil: time(refundDeadline) },
  }
}
