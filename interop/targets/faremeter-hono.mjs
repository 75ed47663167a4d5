// The Hono middleware of faremeter. Its client of a remote facilitator wants an endpoint of its own there, so the
// questions of the protocol are asked by a handler here.

import { createMiddleware } from '@faremeter/middleware/hono'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { ready } from './lib/ready.mjs'
import { onHono, sale } from './lib/shop.mjs'

const { facilitator, network, payTo, asset, amount, isSolana } = sale
const { kinds } = await (await fetch(`${facilitator}/supported`)).json()
const kind = kinds.find((each) => each.x402Version === 2 && each.network === network)
const extra = isSolana ? kind.extra : { name: 'USDC', version: '2' }

async function ask(path, paymentRequirements, paymentPayload) {
  const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements })
  const headers = { 'content-type': 'application/json' }
  return (await fetch(facilitator + path, { method: 'POST', headers, body })).json()
}

const handler = {
  schemes: ['exact'],
  capabilities: { networks: [network], assets: [asset] },
  getRequirements: async ({ accepts }) => accepts.map((each) => ({ ...each, maxTimeoutSeconds: 60, extra })),
  handleVerify: (requirements, payment) => ask('/verify', requirements, payment),
  handleSettle: (requirements, payment) => ask('/settle', requirements, payment),
}
const paid = await createMiddleware({
  x402Handlers: [handler],
  pricing: [{ amount, asset, recipient: payTo, network }],
  supportedVersions: { x402v1: true, x402v2: true },
  authorizeBeforeCapture: true,
})
const app = new Hono()
app.use('/conformance/*', (c, next) => (c.req.path === '/conformance/hits' ? next() : paid(c, next)))
ready(getRequestListener(onHono(app).fetch))
