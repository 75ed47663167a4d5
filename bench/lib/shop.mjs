// A shop on Express in a process of its own, with one paid route: ours, or the published one.

import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/express'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import express from 'express'
import { listen } from './http.mjs'

const { kind, facilitator, network, payTo, price } = JSON.parse(process.argv[2] ?? '{}')
const app = express()
let runs = 0
const answer = (_, response) => {
  runs++
  response.json({ served: true })
}
if (kind === 'groat') {
  const store = createMemoryClaims({ singleProcess: true, maxBytes: 1024 ** 3 })
  const paid = paywall({ facilitator, payTo: { [network]: payTo }, schemes: [exactEvm], store })
  await paid.ready()
  app.get('/paid', paid(price), answer)
} else {
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator }))
  server.register(network, new ExactEvmScheme())
  await server.initialize()
  const routes = { 'GET /paid': { accepts: { scheme: 'exact', price, network, payTo } } }
  app.use(paymentMiddleware(routes, server)).get('/paid', answer)
}
const { url } = await listen(app)
process.once('SIGTERM', () => process.exit(0))
process.once('disconnect', () => process.exit(1))
process.on('message', (message) => {
  if (message === 'figures') process.send({ figures: { runs } })
})
process.send?.({ url })
