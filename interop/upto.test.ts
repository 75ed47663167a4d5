import { createPayer } from '@groat/client'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { uptoEvm as pays } from '@groat/evm/upto/client'
import { uptoEvm as settles } from '@groat/evm/upto/facilitator'
import { uptoEvm as sells } from '@groat/evm/upto/server'
import type { EvmChain } from '@groat/sandbox'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { UptoEvmScheme as OfficialClient } from '@x402/evm/upto/client'
import { UptoEvmScheme as OfficialFacilitator } from '@x402/evm/upto/facilitator'
import { UptoEvmScheme as OfficialServer } from '@x402/evm/upto/server'
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import express from 'express'
import { Hono } from 'hono'
import { privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { type Listening, listen } from './peers/listen.js'
import { officialFacilitator } from './peers/official.js'
import { officialSigner } from './peers/official-evm.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

// A ceiling of 0.05 is signed and 0.012345 is charged, whoever signs, sells and settles.

const NETWORK = 'eip155:84532'
const CHARGED = 12_345n
const stage = useStage()
const { keep } = stage
let chain: EvmChain

beforeAll(async () => {
  chain = stage.chain
  await stage.approvePermit2()
})

const key = () => chain.account('payer').privateKey

const clients: Record<string, () => (url: string) => Promise<Response>> = {
  ours: () => createPayer({ schemes: [pays({ account: privateKeyToAccount(key()) })] }).fetch,
  official: () =>
    wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: new OfficialClient(privateKeyToAccount(key())) as never }],
    }),
}

const servers: Record<string, (facilitator: string) => Promise<Listening>> = {
  async ours(facilitator) {
    const paid = paywall({
      facilitator,
      payTo: { [NETWORK]: chain.account('seller').address },
      schemes: [sells],
      store: createMemoryClaims({ singleProcess: true }),
    })
    const app = new Hono()
    app.get('/paid', paid('$0.05'), (c) => {
      c.get('payment').charge(CHARGED)
      return c.json({ served: true })
    })
    await paid.ready()
    return listen(getRequestListener(app.fetch))
  },
  async official(facilitator) {
    const resourceServer = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator })).register(
      NETWORK,
      new OfficialServer() as never,
    )
    await resourceServer.initialize()
    const app = express()
    const accepts = {
      scheme: 'upto',
      price: '$0.05',
      network: NETWORK,
      payTo: chain.account('seller').address,
    } as const
    app.use(paymentMiddleware({ 'GET /paid': { accepts } }, resourceServer))
    app.get('/paid', (_request, response) => {
      setSettlementOverrides(response, { amount: CHARGED.toString() })
      response.json({ served: true })
    })
    return listen(app)
  },
}

const facilitators: Record<string, () => Promise<Listening>> = {
  async ours() {
    const signers = [chain.account('facilitator').privateKey]
    return ourFacilitator(
      settles({ chains: [await createEvmChain({ network: network(NETWORK), rpc: chain.rpcUrl, signers })] }),
    )
  },
  async official() {
    const signer = officialSigner(chain, chain.account('facilitator2').privateKey)
    return officialFacilitator((facilitator) => facilitator.register(NETWORK, new OfficialFacilitator(signer) as never))
  },
}

const pairings = ['ours', 'official'].flatMap((client) =>
  ['ours', 'official'].flatMap((server) =>
    ['ours', 'official'].map((facilitator) => [client, server, facilitator] as const),
  ),
)

test.each(pairings)('client: %s, server: %s, facilitator: %s', async (client, server, facilitator) => {
  const { url: settler } = await keep(facilitators[facilitator]!())
  const { url } = await keep(servers[server]!(settler))
  const seller = chain.account('seller').address
  const before = await chain.balance(seller)
  const answer = await clients[client]!()(`${url}/paid`)
  expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
  const receipt = JSON.parse(Buffer.from(answer.headers.get('PAYMENT-RESPONSE') ?? '', 'base64').toString())
  expect(receipt).toMatchObject({ success: true, amount: CHARGED.toString() })
  expect((await chain.balance(seller)) - before).toBe(CHARGED)
})
