import {
  assetByAddress,
  formatUnits,
  isPid,
  type Pid,
  parseUnits,
  problem,
  type Settlement,
  v1NameOf,
  X402Error,
} from '@groat/core'
import type { Captures, Hold } from '@groat/evm/auth-capture/captures'
import { type Context, Hono } from 'hono'

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
    const amount = unitsOf(hold, wish?.amount)
    if (amount === 'wrong') return c.json({ error: 'amount: a number of tokens, as text' }, 400)
    return answered(c, await act(open, hold.pid, verb, amount ?? hold.refundable, amount), await open.hold(hold.pid))
  })
  return app
}

function act(captures: Captures, pid: Pid, verb: string, all: bigint, amount: bigint | undefined): Promise<Settlement> {
  if (verb === 'capture') return captures.capture(pid, amount)
  return verb === 'void' ? captures.void(pid) : captures.refund(pid, all)
}

function answered(c: Context, settlement: Settlement, hold: Hold | undefined): Response {
  if (settlement.status === 'refused') {
    const refusal = problem(settlement.code)
    return c.json(refusal, refusal.status as 402)
  }
  const now = hold && shown(hold)
  // Not known yet: whoever asks the same again is told.
  if (settlement.status === 'unknown') return c.json({ ...now, answer: 'unknown' }, 202)
  return c.json({ ...now, answer: 'settled', transaction: settlement.receipt.transaction })
}

function shown({ pid, network, payer, token, state, captureDeadline, refundDeadline, ...money }: Hold) {
  const asset = assetByAddress(network, token)
  const tokens = (units: bigint) =>
    asset === undefined ? `${units} of ${token}` : `${formatUnits(units, asset.decimals)} ${asset.symbol}`
  const time = (seconds: number) => new Date(seconds * 1000).toISOString()
  return {
    ...{ pid, on: v1NameOf(network) ?? network, payer, state },
    ...{ amount: tokens(money.amount), capturable: tokens(money.capturable), refundable: tokens(money.refundable) },
    ...{ captureUntil: time(captureDeadline), refundUntil: time(refundDeadline) },
  }
}

function unitsOf({ network, token }: Hold, amount: unknown): bigint | 'wrong' | undefined {
  if (amount === undefined) return undefined
  const decimals = assetByAddress(network, token)?.decimals
  if (typeof amount !== 'string' || decimals === undefined) return 'wrong'
  try {
    return parseUnits(amount, decimals)
  } catch (error) {
    if (X402Error.is(error)) return 'wrong'
    throw error
  }
}
