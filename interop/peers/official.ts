import { getRequestListener } from '@hono/node-server'
import { x402Facilitator } from '@x402/core/facilitator'
import { HTTPFacilitatorClient } from '@x402/core/server'
import type { Network, SchemeNetworkServer } from '@x402/core/types'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import { paymentMiddleware as honoMiddleware } from '@x402/hono'
import express from 'express'
import { Hono } from 'hono'
import type { StartServer } from '../rails/rail.js'
import { type Listening, listen } from './listen.js'

/** A network, and the official server's half of a scheme for it. */
type Sells = {
  readonly network: Network
  readonly scheme: () => SchemeNetworkServer
  /** What a price in dollars is in an asset with an `extra` of its own. */
  readonly priced?: (price: string) => { asset: string; amount: string; extra: Record<string, string> }
}

/** The official facilitator library behind the HTTP shell that its example has. */
export async function officialFacilitator(register: (facilitator: x402Facilitator) => unknown): Promise<Listening> {
  const facilitator = new x402Facilitator()
  register(facilitator)
  const app = express()
  app.use(express.json())
  app.get('/supported', (_request, response) => void response.json(facilitator.getSupported()))
  app.post('/verify', async ({ body }, response) => {
    response.json(await facilitator.verify(body.paymentPayload, body.paymentRequirements))
  })
  app.post('/settle', async ({ body }, response) => {
    response.json(await facilitator.settle(body.paymentPayload, body.paymentRequirements))
  })
  return listen(app)
}

/** The official Express server with one paid route, `GET /paid`. */
export const officialExpress =
  ({ network, scheme, priced }: Sells): StartServer<Listening> =>
  async (facilitatorUrl, payTo, price) => {
    const resourceServer = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
      network,
      scheme(),
    )
    await resourceServer.initialize()
    const app = express()
    app.use(
      paymentMiddleware(
        { 'GET /paid': { accepts: { scheme: 'exact', price: priced?.(price) ?? price, network, payTo } } },
        resourceServer,
      ),
    )
    app.get('/paid', (_request, response) => void response.json({ served: true }))
    return listen(app)
  }

/** The official Hono server with one paid route, `GET /paid`. */
export const officialHono =
  ({ network, scheme, priced }: Sells): StartServer<Listening> =>
  async (facilitatorUrl, payTo, price) => {
    const resourceServer = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
      network,
      scheme(),
    )
    await resourceServer.initialize()
    const app = new Hono()
    app.use(
      honoMiddleware(
        { 'GET /paid': { accepts: { scheme: 'exact', price: priced?.(price) ?? price, network, payTo } } },
        resourceServer,
      ),
    )
    app.get('/paid', (c) => c.json({ served: true }))
    return listen(getRequestListener(app.fetch))
  }
