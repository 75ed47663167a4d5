import { getRequestListener } from '@hono/node-server'
import { wrapAxiosWithPaymentFromConfig } from '@x402/axios'
import { x402Facilitator } from '@x402/core/facilitator'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { ExactEvmScheme as ClientScheme } from '@x402/evm/exact/client'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import { ExactEvmScheme as ServerScheme } from '@x402/evm/exact/server'
import { paymentMiddleware, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { paymentMiddleware as honoMiddleware } from '@x402/hono'
import axios from 'axios'
import express from 'express'
import { Hono } from 'hono'
import { createWalletClient, type Hex, http, nonceManager, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { type Listening, listen } from './listen.js'

const NETWORK = 'eip155:84532'

/** The official facilitator library behind the HTTP shell that its example has. */
export async function officialFacilitator(chain: { readonly rpcUrl: string }, privateKey: Hex): Promise<Listening> {
  const wallet = createWalletClient({
    account: privateKeyToAccount(privateKey, { nonceManager }),
    chain: baseSepolia,
    transport: http(chain.rpcUrl, { batch: true }),
    pollingInterval: 20,
  }).extend(publicActions)
  const facilitator = new x402Facilitator()
  // Its signer type is a subset of viem's client whose generics do not line up.
  const signer = toFacilitatorEvmSigner({ ...wallet, address: wallet.account.address } as never)
  registerExactEvmScheme(facilitator, { signer, networks: NETWORK })

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
export async function officialServer(facilitatorUrl: string, payTo: string, price: string): Promise<Listening> {
  const resourceServer = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
    NETWORK,
    new ServerScheme(),
  )
  await resourceServer.initialize()
  const app = express()
  app.use(
    paymentMiddleware(
      { 'GET /paid': { accepts: { scheme: 'exact', price, network: NETWORK, payTo } } },
      resourceServer,
    ),
  )
  app.get('/paid', (_request, response) => void response.json({ served: true }))
  return listen(app)
}

/** The official Hono server with one paid route, `GET /paid`. */
export async function officialHono(facilitatorUrl: string, payTo: string, price: string): Promise<Listening> {
  const resourceServer = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitatorUrl })).register(
    NETWORK,
    new ServerScheme(),
  )
  await resourceServer.initialize()
  const app = new Hono()
  app.use(
    honoMiddleware({ 'GET /paid': { accepts: { scheme: 'exact', price, network: NETWORK, payTo } } }, resourceServer),
  )
  app.get('/paid', (c) => c.json({ served: true }))
  return listen(getRequestListener(app.fetch))
}

/** The official axios interceptor. */
export function officialAxios(privateKey: Hex) {
  const client = wrapAxiosWithPaymentFromConfig(axios.create({ validateStatus: (status) => status < 400 }), {
    schemes: [{ network: 'eip155:*', client: new ClientScheme(privateKeyToAccount(privateKey)) }],
  })
  return async (url: string) => {
    const { status, data, headers } = await client.get(url)
    return { status, json: async () => data, receipt: String(headers['payment-response'] ?? '') }
  }
}

/** The official paying fetch. */
export function officialFetch(privateKey: Hex, base: typeof fetch = fetch): typeof fetch {
  return wrapFetchWithPaymentFromConfig(base, {
    schemes: [{ network: 'eip155:*', client: new ClientScheme(privateKeyToAccount(privateKey)) }],
  })
}
