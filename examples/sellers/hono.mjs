// A paid route in Hono, and one sale on a local chain: `node examples/sellers/hono.mjs`, after `npm run build` in the root.
import { createServer } from 'node:http'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  const app = new Hono()
  app.get('/weather', paid('$0.001'), (c) => c.json({ temperature: 11, paidBy: c.get('payment').payer }))

  await paid.ready()
  return listen(createServer(getRequestListener(app.fetch)))
}

await tryOut(import.meta.url, openShop)
