import { nodeCall } from '@groat/core/http'
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

/**
 * Servers with one paid route (`/paid`, $0.01) and one free route (`/free`), by name. The bare ones show what is left when nothing is decided: `/paid`
 * answers the bytes of our challenge, and a payment by the two calls to the facilitator alone.
 */
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

  let challenge = { body: '', headers: {} }
  const call = nodeCall()
  const headers = { 'content-type': 'application/json' }
  const post = (path, body) =>
    call({ url: `${facilitatorUrl}${path}`, method: 'POST', headers, body, timeoutMs: 30_000, maxBytes: 65_536 })
  const calls = async (header) => {
    const paymentPayload = JSON.parse(Buffer.from(header, 'base64').toString())
    const asked = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: paymentPayload.accepted })
    await post('/verify', asked)
    const { text } = await post('/settle', asked)
    return { 'PAYMENT-RESPONSE': Buffer.from(JSON.stringify(JSON.parse(text))).toString('base64') }
  }
  const bareExpress = express()
    .get('/free', (_, response) => response.json(answer))
    .get('/paid', async ({ headers }, response) => {
      const payment = headers['payment-signature']
      if (payment === undefined) return response.writeHead(402, challenge.headers).end(challenge.body)
      response.set(await calls(payment)).json(answer)
    })
  const bareHono = new Hono()
    .get('/free', (c) => c.json(answer))
    .get('/paid', async (c) => {
      const payment = c.req.header('payment-signature')
      if (payment === undefined) return new Response(challenge.body, { status: 402, headers: challenge.headers })
      return c.json(answer, 200, await calls(payment))
    })
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
  const ours = await fetch(`${servers['groat Hono'].url}/paid`)
  const {
    'content-type': type,
    'payment-required': required,
    'cache-control': caching,
  } = Object.fromEntries(ours.headers)
  const body = await ours.text()
  const length = String(Buffer.byteLength(body))
  const written = { 'content-type': type, 'payment-required': required, 'content-length': length }
  challenge = { headers: { ...written, ...(caching && { 'cache-control': caching }) }, body }
  return {
    ...servers,
    close: () => Promise.all(Object.values(servers).map((server) => server.close())),
  }
}
