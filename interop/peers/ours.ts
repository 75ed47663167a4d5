import { createPayer, type Payer } from '@groat/client'
import type { SchemeFacilitator, SchemeServer, X402Version } from '@groat/core'
import { exactEvm } from '@groat/evm/exact/client'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { createMemoryClaims } from '@groat/server'
import { paywall as expressPaywall } from '@groat/server/express'
import { paywall as honoPaywall } from '@groat/server/hono'
import { openMemoryStore } from '@groat/store'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import type { OurServer, StartServer } from '../rails/rail.js'
import { type Listening, listen } from './listen.js'

/** A network, and the server's half of a scheme for it. */
type Sells = { readonly network: string; readonly scheme: SchemeServer }

/** Our facilitator as an HTTP service. */
export async function ourFacilitator(...schemes: readonly SchemeFacilitator[]): Promise<Listening> {
  const store = await openMemoryStore()
  const service = createFacilitator({ schemes, store })
  await service.start()
  const { url, close } = await serveFacilitator(service, { port: 0 })
  return { url, close: () => close().then(() => store.close()) }
}

const options = ({ network, scheme }: Sells, facilitator: string, payTo: string) => ({
  facilitator,
  payTo: { [network]: payTo },
  schemes: [scheme],
  store: createMemoryClaims({ singleProcess: true }),
})

/** Our Hono gate, with one paid route, `GET /paid`. */
export const ourHono =
  (sells: Sells): StartServer<OurServer> =>
  async (facilitatorUrl, payTo, price) => {
    let served = 0
    const paid = honoPaywall(options(sells, facilitatorUrl, payTo))
    const app = new Hono()
    app.get('/paid', paid(price), (c) => c.json({ served: ++served > 0 }))
    await paid.ready()
    return { ...(await listen(getRequestListener(app.fetch))), served: () => served }
  }

/** Our Express gate, with one paid route, `GET /paid`. */
export const ourExpress =
  (sells: Sells): StartServer<OurServer> =>
  async (facilitatorUrl, payTo, price) => {
    let served = 0
    const paid = expressPaywall(options(sells, facilitatorUrl, payTo))
    const app = express()
    app.get('/paid', paid(price), (_request, response) => void response.json({ served: ++served > 0 }))
    await paid.ready()
    return { ...(await listen(app)), served: () => served }
  }

/** Our payer on EVM, with a viem account for its wallet. */
export function ourEvmPayer(key: string, versions: readonly X402Version[] = [2]): Payer {
  return createPayer({ schemes: [exactEvm({ account: privateKeyToAccount(key as Hex) })], policy: { versions } })
}

/** Our payer on Solana. */
export function ourSvmPayer(key: string, rpc: string, versions: readonly X402Version[] = [2]): Payer {
  return createPayer({ schemes: [exactSvm({ account: secretKeyAccount(key), rpc })], policy: { versions } })
}
