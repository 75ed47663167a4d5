import { createPayer } from '@groat/client'
import { network } from '@groat/core'
import { batchEvm as pays, privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { batchEvm as settles } from '@groat/evm/batch-settlement/facilitator'
import { createChannelLedger } from '@groat/evm/batch-settlement/ledger'
import { createClaimManager } from '@groat/evm/batch-settlement/manager'
import { batchEvm as sells } from '@groat/evm/batch-settlement/server'
import { createEvmChain } from '@groat/evm/chain'
import { type EvmChain, startEvmChain } from '@groat/sandbox'
import { createFacilitatorClient, createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { openMemoryStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { toClientEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme as OfficialClient } from '@x402/evm/batch-settlement/client'
import { BatchSettlementEvmScheme as OfficialFacilitator } from '@x402/evm/batch-settlement/facilitator'
import { BatchSettlementEvmScheme as OfficialServer } from '@x402/evm/batch-settlement/server'
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from '@x402/express'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import express from 'express'
import { Hono } from 'hono'
import { type Hex, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Listening, listen } from './peers/listen.js'
import { officialFacilitator } from './peers/official.js'
import { officialSigner } from './peers/official-evm.js'
import { ourFacilitator } from './peers/ours.js'

// A channel is filled once; then vouchers of 0.01 are signed and 0.004 is charged of some; a client that forgot everything is told and goes on.
// What was charged reaches the seller, and the buyer gets the rest back.

const NETWORK = 'eip155:84532'
const PRICE = '$0.01'
const started: Listening[] = []
let chain: EvmChain
let salts = 0

beforeAll(async () => {
  chain = await startEvmChain({ rpcUrl: false })
})
afterAll(async () => {
  for (const server of started.reverse()) await server.close()
  await chain?.stop()
})

async function keep<T extends Listening>(server: Promise<T>): Promise<T> {
  started.push(await server)
  return server
}

const key = () => chain.account('payer').privateKey
const seller = () => chain.account('seller').address
const authorizer = () => chain.account('payer4')

type Paying = (url: string) => Promise<Response>

/** Who pays; each call of `open` has forgotten what the one before knew of the channel. */
const clients: Record<string, (salt: Hex) => Paying> = {
  ours: (salt) => createPayer({ schemes: [pays({ account: privateKeyAccount(key()), salt })] }).fetch,
  official(salt) {
    const signer = toClientEvmSigner(privateKeyToAccount(key()), chain.client as never)
    return wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: new OfficialClient(signer, { salt }) as never }],
    })
  },
}

/** Who sells, at a price of which `?charge=` is taken, and how it comes to its money. */
type Seller = Listening & { collect(): Promise<unknown> }

const servers: Record<string, (facilitator: string) => Promise<Seller>> = {
  async ours(facilitator) {
    const store = await openMemoryStore()
    const ledger = await createChannelLedger(store, { facilitator: createFacilitatorClient(facilitator) })
    const paid = paywall({
      facilitator: ledger.facilitator,
      payTo: { [NETWORK]: seller() },
      schemes: [sells({ receiverAuthorizer: authorizer().address })],
      store: createMemoryClaims({ singleProcess: true }),
    })
    const app = new Hono()
    app.get('/paid', paid(PRICE), (c) => {
      const charge = c.req.query('charge')
      if (charge !== undefined) c.get('payment').charge(BigInt(charge))
      return c.json({ served: true })
    })
    await paid.ready()
    const served = await listen(getRequestListener(app.fetch))
    const signers = [chain.account('seller').privateKey]
    const own = await createEvmChain({ network: network(NETWORK), rpc: chain.rpcUrl, signers })
    const manager = createClaimManager({ chain: own, ledger, authorizer: privateKeyAccount(authorizer().privateKey) })
    return { ...served, collect: () => manager.run(), close: () => served.close().then(() => store.close()) }
  },
  async official(facilitator) {
    const client = new HTTPFacilitatorClient({ url: facilitator })
    const scheme = new OfficialServer(seller(), {
      receiverAuthorizerSigner: privateKeyToAccount(authorizer().privateKey) as never,
    })
    const resourceServer = new x402ResourceServer(client).register(NETWORK, scheme as never)
    await resourceServer.initialize()
    const app = express()
    const accepts = { scheme: 'batch-settlement', price: PRICE, network: NETWORK, payTo: seller() } as const
    app.use(paymentMiddleware({ 'GET /paid': { accepts } }, resourceServer))
    app.get('/paid', (request, response) => {
      const { charge } = request.query
      if (typeof charge === 'string') setSettlementOverrides(response, { amount: charge })
      response.json({ served: true })
    })
    const manager = scheme.createChannelManager(client, NETWORK)
    return { ...(await listen(app)), collect: () => manager.claimAndSettle() }
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
  const { url, collect } = await keep(servers[server]!(settler))
  const salt = toHex(++salts, { size: 32 })
  const before = await chain.balance(seller())
  let pay = clients[client]!(salt)
  const buy = async (query = '') => {
    const answer = await pay(`${url}/paid${query}`)
    const header = answer.headers.get('PAYMENT-RESPONSE')
    const receipt = header && JSON.parse(Buffer.from(header, 'base64').toString())
    expect([answer.status, await answer.json(), receipt.success]).toEqual([200, { served: true }, true])
    return [receipt.transaction === '' ? 'voucher' : 'deposit', receipt.extra.chargedAmount]
  }
  expect(await buy()).toEqual(['deposit', '10000'])
  expect(await buy('?charge=4000')).toEqual(['voucher', '4000'])
  expect(await buy()).toEqual(['voucher', '10000'])
  pay = clients[client]!(salt)
  expect(await buy()).toEqual(['voucher', '10000'])
  await collect()
  expect((await chain.balance(seller())) - before).toBe(34_000n)
})
