import express from 'express'
import { paymentMiddleware } from 'x402-express'
import { createSigner, wrapFetchWithPayment } from 'x402-fetch'
import type { StartServer } from '../rails/rail.js'
import { type Listening, listen } from './listen.js'

type LegacyNetwork = 'base-sepolia' | 'solana-devnet'

/** The legacy v1 Express server with one paid route, `GET /paid`. */
export const legacyServer =
  (network: LegacyNetwork): StartServer<Listening> =>
  async (facilitatorUrl, payTo, price) => {
    const app = express()
    // Written for Express 4; its handler type differs from Express 5 in name only.
    const middleware = paymentMiddleware(
      payTo as `0x${string}`,
      { 'GET /paid': { price, network } },
      { url: facilitatorUrl as `${string}://${string}` },
    )
    app.use(middleware as unknown as express.RequestHandler)
    app.get('/paid', (_request, response) => void response.json({ served: true }))
    return listen(app)
  }

/** The legacy v1 paying fetch. On Solana it asks a node of its own. */
export async function legacyFetch(network: LegacyNetwork, key: string, rpcUrl?: string): Promise<typeof fetch> {
  const config = rpcUrl === undefined ? undefined : { svmConfig: { rpcUrl } }
  return wrapFetchWithPayment(fetch, await createSigner(network, key), undefined, undefined, config) as typeof fetch
}
