import { createPayer, type PayerOptions } from '@groat/client'
import { assetByTicker, type ExtensionServer, network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as pays } from '@groat/evm/exact/client'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { createMemoryClaims, type RouteInput } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import type { ClientExtension } from '@x402/core/client'
import { x402Client } from '@x402/core/client'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { ExactEvmScheme as OfficialClient } from '@x402/evm/exact/client'
import { ExactEvmScheme as OfficialServer } from '@x402/evm/exact/server'
import { x402ResourceServer as OfficialResourceServer, paymentMiddleware, type x402ResourceServer } from '@x402/express'
import { wrapFetchWithPayment } from '@x402/fetch'
import express from 'express'
import { Hono } from 'hono'
import { privateKeyToAccount } from 'viem/accounts'
import { beforeAll } from 'vitest'
import { listen } from './peers/listen.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

const EIP155 = 'eip155:84532'
export const NETWORK = network(EIP155)

/** The chain of a stage, as our facilitator signs on it. */
export function settlingChain({ chain }: Pick<ReturnType<typeof useStage>, 'chain'>) {
  const usdc = assetByTicker(NETWORK, 'USDC')
  if (usdc === undefined) throw new Error('no USDC')
  const signers = [chain.account('facilitator').privateKey]
  return createEvmChain({ network: NETWORK, rpc: chain.rpcUrl, signers, assets: [usdc] })
}

/** A chain, our facilitator on it, and sellers and buyers of both houses that speak extensions. */
export function useExtensions() {
  const stage = useStage()
  let facilitator = ''
  beforeAll(async () => {
    facilitator = (await stage.keep(ourFacilitator(settles({ chains: [await settlingChain(stage)] })))).url
  })
  const payTo = () => stage.chain.account('seller').address

  return {
    stage,
    /** Our gate with one route, `/paid`; the handler counts. */
    async ourShop(extensions: (origin: string) => readonly ExtensionServer[], route: RouteInput) {
      let served = 0
      const app = new Hono()
      const shop = await stage.keep(listen(getRequestListener((request) => app.fetch(request))))
      const paid = paywall({
        facilitator,
        payTo: { [NETWORK]: payTo() },
        schemes: [sells],
        store: createMemoryClaims({ singleProcess: true }),
        origin: shop.url,
        extensions: extensions(shop.url),
      })
      app.get('/paid', paid(route), (c) => c.json({ served: ++served }))
      await paid.ready()
      return { url: `${shop.url}/paid`, served: () => served }
    },
    /** The official Express server with one route, `/paid`. */
    async officialShop(
      declared: Record<string, unknown>,
      register: (server: x402ResourceServer, origin: string) => void,
    ) {
      let served = 0
      const app = express()
      const shop = await stage.keep(listen(app))
      const server = new OfficialResourceServer(new HTTPFacilitatorClient({ url: facilitator })).register(
        EIP155,
        new OfficialServer(),
      )
      register(server, shop.url)
      await server.initialize()
      const accepts = { scheme: 'exact', price: '$0.001', network: NETWORK, payTo: payTo() }
      app.use(
        paymentMiddleware(
          { 'GET /paid': { accepts, resource: `${shop.url}/paid`, extensions: declared } } as never,
          server,
        ),
      )
      app.get('/paid', (_request, response) => void response.json({ served: ++served }))
      return { url: `${shop.url}/paid`, served: () => served }
    },
    account: () => privateKeyToAccount(stage.chain.account('payer').privateKey),
    ourBuyer(options: Partial<PayerOptions>) {
      return createPayer({ schemes: [pays({ account: this.account() })], ...options })
    },
    officialBuyer(...extensions: readonly ClientExtension[]): typeof fetch {
      const client = new x402Client().register('eip155:*', new OfficialClient(this.account()))
      for (const extension of extensions) client.registerExtension(extension)
      return wrapFetchWithPayment(fetch, client)
    },
  }
}
