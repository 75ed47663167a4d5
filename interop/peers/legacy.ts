import express from 'express'
import type { Hex } from 'viem'
import { paymentMiddleware } from 'x402-express'
import { createSigner, wrapFetchWithPayment } from 'x402-fetch'
import { type Listening, listen } from './listen.js'

/** The legacy v1 Express server with one paid route, `GET /paid`. */
export async function legacyServer(facilitatorUrl: string, payTo: Hex, price: string): Promise<Listening> {
  const app = express()
  // Written for Express 4; its handler type differs from Express 5 in name only.
  const middleware = paymentMiddleware(
    payTo,
    { 'GET /paid': { price, network: 'base-sepolia' } },
    { url: facilitatorUrl as `${string}://${string}` },
  )
  app.use(middleware as unknown as express.RequestHandler)
  app.get('/paid', (_request, response) => void response.json({ served: true }))
  return listen(app)
}

/** The legacy v1 paying fetch. */
export async function legacyFetch(privateKey: Hex): Promise<typeof fetch> {
  return wrapFetchWithPayment(fetch, await createSigner('base-sepolia', privateKey)) as typeof fetch
}
