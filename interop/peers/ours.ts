import { createPayer, type Payer } from '@groat/client'
import { network, type X402Version } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as clientScheme } from '@groat/evm/exact/client'
import { exactEvm as facilitatorScheme } from '@groat/evm/exact/facilitator'
import { exactEvm as serverScheme } from '@groat/evm/exact/server'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { createMemoryClaims } from '@groat/server'
import { paywall as expressPaywall } from '@groat/server/express'
import { paywall as honoPaywall } from '@groat/server/hono'
import { openMemoryStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type Listening, listen } from './listen.js'

const NETWORK = 'eip155:84532'

/** Our facilitator as an HTTP service. */
export async function ourFacilitator(chain: { readonly rpcUrl: string }, privateKey: Hex): Promise<Listening> {
  const evm = await createEvmChain({ network: network(NETWORK), rpc: chain.rpcUrl, signers: [privateKey] })
  const store = await openMemoryStore()
  const service = createFacilitator({ schemes: [facilitatorScheme({ chains: [evm] })], store })
  await service.start()
  const { url, close } = await serveFacilitator(service, { port: 0 })
  return { url, close: () => close().then(() => store.close()) }
}

/** A server of ours, with one paid route, `GET /paid`, that counts how often its handler ran. */
export type OurServer = Listening & { readonly served: () => number }

const options = (facilitator: string, payTo: string) => ({
  facilitator,
  payTo: { [NETWORK]: payTo },
  schemes: [serverScheme],
  store: createMemoryClaims({ singleProcess: true }),
})

/** Our Hono gate. */
export async function ourHono(facilitatorUrl: string, payTo: string, price: string): Promise<OurServer> {
  let served = 0
  const paid = honoPaywall(options(facilitatorUrl, payTo))
  const app = new Hono()
  app.get('/paid', paid(price), (c) => c.json({ served: ++served > 0 }))
  await paid.ready()
  return { ...(await listen(getRequestListener(app.fetch))), served: () => served }
}

/** Our Express gate. */
export async function ourExpress(facilitatorUrl: string, payTo: string, price: string): Promise<OurServer> {
  let served = 0
  const paid = expressPaywall(options(facilitatorUrl, payTo))
  const app = express()
  app.get('/paid', paid(price), (_request, response) => void response.json({ served: ++served > 0 }))
  await paid.ready()
  return { ...(await listen(app)), served: () => served }
}

/** Our payer, with a viem account for its wallet. */
export function ourPayer(privateKey: Hex, versions: readonly X402Version[] = [2]): Payer {
  return createPayer({ schemes: [clientScheme({ account: privateKeyToAccount(privateKey) })], policy: { versions } })
}
