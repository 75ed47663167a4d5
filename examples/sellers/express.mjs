// A paid route in Express, and one sale on a local chain: `node examples/sellers/express.mjs`, after `npm run build` in the root.
import { createServer } from 'node:http'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paymentErrors, paywall } from '@groat/server/express'
import express from 'express'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const store = createMemoryClaims({ singleProcess: true })
  const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store })

  const app = express()
  app.get('/weather', paid('$0.001'), (req, res) => {
    res.json({ temperature: 11, paidBy: req.payment.payer })
  })
  app.use(paymentErrors)

  await paid.ready()
  return listen(createServer(app))
}

await tryOut(import.meta.url, openShop)
