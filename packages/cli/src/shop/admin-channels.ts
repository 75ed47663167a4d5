import { assetByAddress, parseUnits, problem, X402Error } from '@groat/core'
import type { LedgerChannel } from '@groat/evm/batch-settlement/ledger'
import { type Context, Hono } from 'hono'
import { nameOf, type ShopChannels, tokensOf } from './shop-channels.js'

/** Channels that are listed at the most. */
const MOST = 1_000

/**
 * What channels owe a shop: `GET /` lists it, `POST /claim` claims it now, `POST /:id/refund` gives a payer back what it has not spent, or `amount` tokens of
 * it. `who` says who asks; nobody changes nothing.
 */
export function createChannelsApp(
  channels: () => ShopChannels | undefined,
  who: (c: Context) => string | undefined,
): Hono {
  const app = new Hono()
  const all = async () => (await channels()?.ledger.watched(MOST)) ?? []
  app.get('/', async (c) => c.json((await all()).map(shown)))
  app.post('/claim', async (c) => {
    const open = channels()
    if (who(c) === undefined || open === undefined) return c.json({ error: 'not for you' }, 403)
    try {
      const runs = await open.claim()
      const names = (what: 'claimed' | 'refused' | 'transactions') => runs.flatMap((run) => run[what])
      return c.json({ claimed: names('claimed'), refused: names('refused'), transactions: names('transactions') })
    } catch (error) {
      if (!X402Error.is(error)) throw error
      return c.json(problem(error.code), 503)
    }
  })
  app.post('/:id/refund', async (c) => {
    const open = channels()
    if (who(c) === undefined || open === undefined) return c.json({ error: 'not for you' }, 403)
    const id = c.req.param('id').toLowerCase()
    const [channel, ...others] = id.length < 6 ? [] : (await all()).filter(({ channelId }) => channelId.startsWith(id))
    if (channel === undefined || others.length > 0)
      return c.json({ error: 'no channel, or several, are named so' }, 404)
    const wish = (await c.req.json().catch(() => ({}))) as Record<string, unknown> | null
    const amount = unitsOf(channel, wish?.amount)
    if (amount === 'wrong') return c.json({ error: 'amount: a number of tokens, as text' }, 400)
    const settlement = await open.ledger.refund(channel.channelId, amount)
    if (settlement.status === 'refused') {
      const refusal = problem(settlement.code)
      return c.json(refusal, refusal.status as 402)
    }
    const now = shown((await open.ledger.channel(channel.channelId)) ?? channel)
    // Not known yet: whoever asks the same again is told.
    if (settlement.status === 'unknown') return c.json({ ...now, answer: 'unknown' }, 202)
    return c.json({ ...now, answer: 'settled', transaction: settlement.receipt.transaction })
  })
  return app
}

function shown(channel: LedgerChannel) {
  const { channelId, network, config, charged, totalClaimed, balance, withdrawRequestedAt } = channel
  const owed = charged > totalClaimed ? charged - totalClaimed : 0n
  const tokens = (units: bigint) => tokensOf(channel, units)
  return {
    ...{ channelId, on: nameOf(network), payer: config.payer },
    ...{ owed: tokens(owed), charged: tokens(charged), balance: tokens(balance) },
    leaving: withdrawRequestedAt > 0,
  }
}

function unitsOf({ network, config }: LedgerChannel, amount: unknown): bigint | 'wrong' | undefined {
  if (amount === undefined) return undefined
  const decimals = assetByAddress(network, config.token)?.decimals
  if (typeof amount !== 'string' || decimals === undefined) return 'wrong'
  try {
    return parseUnits(amount, decimals)
  } catch (error) {
    if (X402Error.is(error)) return 'wrong'
    throw error
  }
}
