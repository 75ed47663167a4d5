import { problem, X402Error } from '@groat/core'
import type { LedgerChannel } from '@groat/evm/batch-settlement/ledger'
import { type Context, Hono } from 'hono'
import { answered, nameOf, tokensOf, unitsOf } from './admin-money.js'
import type { ShopChannels } from './shop-channels.js'

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
    const amount = unitsOf(channel.network, channel.config.token, wish?.amount)
    if (amount === 'wrong') return c.json({ error: 'amount: a number of tokens, as text' }, 400)
    const settlement = await open.ledger.refund(channel.channelId, amount)
    return answered(c, settlement, shown((await open.ledger.channel(channel.channelId)) ?? channel))
  })
  return app
}

function shown(channel: LedgerChannel) {
  const { channelId, network, config, charged, totalClaimed, balance, withdrawRequestedAt } = channel
  const owed = charged > totalClaimed ? charged - totalClaimed : 0n
  const tokens = (units: bigint) => tokensOf(network, config.token, units)
  return {
    ...{ channelId, on: nameOf(network), payer: config.payer },
    ...{ owed: tokens(owed), charged: tokens(charged), balance: tokens(balance) },
    leaving: withdrawRequestedAt > 0,
  }
}
