import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { paywall as expressPaywall } from '@groat/server/express'
import { paywall as honoPaywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme } from '@x402/evm/exact/server'
import { paymentMiddleware as expressMiddleware, x402ResourceServer } from '@x402/express'
import { paymentMiddleware as honoMiddleware } from '@x402/hono'
import express from 'express'
import { Hono } from 'hono'
import { listen } from './http.mjs'

const network = 'eip155:84532'
const payTo = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const answer = { served: true }

/** Servers with one paid route (`/paid`, $0.01) and one free route (`/free`), by name; the bare ones have `/free` alone. */
export async function startServers(facilitatorUrl) {
  const official = async () => {
    const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
      network,
      new ExactEvmScheme(),
    )
    await server.initialize()
    return server
  }
  const routes = { 'GET /paid': { accepts: { scheme: 'exact', price: '$0.01', network, payTo } } }
  const gate = () => ({
    facilitator: facilitatorUrl,
    payTo: { [network]: payTo },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true, maxBytes: 1024 ** 3 }),
  })

  const bareExpress = express().get('/free', (_, response) => response.json(answer))
  const bareHono = new Hono().get('/free', (c) => c.json(answer))
  const officialExpress = express()
    .use(expressMiddleware(routes, await official()))
    .get('/free', (_, response) => response.json(answer))
    .get('/paid', (_, response) => response.json(answer))
  const officialHono = new Hono()
    .use(honoMiddleware(routes, await official()))
    .get('/free', (c) => c.json(answer))
    .get('/paid', (c) => c.json(answer))
  const paidExpress = expressPaywall(gate())
  const ourExpress = express()
    .get('/paid', paidExpress('$0.01'), (_, response) => response.json(answer))
    .get('/free', (_, response) => response.json(answer))
  const paidHono = honoPaywall(gate())
  const ourHono = new Hono().get('/paid', paidHono('$0.01'), (c) => c.json(answer)).get('/free', (c) => c.json(answer))
  await paidExpress.ready()
  await paidHono.ready()

  const servers = {
    'bare Express': await listen(bareExpress),
    'official Express': await listen(officialExpress),
    'groat Express': await listen(ourExpress),
    'bare Hono': await listen(getRequestListener(bareHono.fetch)),
    'official Hono': await listen(getRequestListener(officialHono.fetch)),
    'groat Hono': await listen(getRequestListener(ourHono.fetch)),
  }
  return { ...servers, close: () => Promise.all(Object.values(servers).map((server) => server.close())) }
}
