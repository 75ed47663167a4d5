import { createPayer } from '@groat/client'
import { network } from '@groat/core'
import { copyingFetch } from '@groat/core/testing'
import { createMemoryChannels, batchEvm as pays, privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { batchEvm as settles } from '@groat/evm/batch-settlement/facilitator'
import { createChannelLedger } from '@groat/evm/batch-settlement/ledger'
import { createClaimManager } from '@groat/evm/batch-settlement/manager'
import { requestRefund } from '@groat/evm/batch-settlement/refund'
import { batchEvm as sells } from '@groat/evm/batch-settlement/server'
import { createEvmChain } from '@groat/evm/chain'
import type { EvmChain } from '@groat/sandbox'
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
import { beforeAll, expect, test } from 'vitest'
import { type Listening, listen } from './peers/listen.js'
import { officialFacilitator } from './peers/official.js'
import { officialSigner } from './peers/official-evm.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

// A channel is filled once; then vouchers of 0.01 are signed and 0.004 is charged of some; a client that forgot everything is told and goes on.
// What was charged reaches the seller, and the buyer gets the rest back.

const NETWORK = 'eip155:84532'
const PRICE = '$0.01'
const stage = useStage()
const { keep } = stage
let chain: EvmChain
let salts = 0

beforeAll(() => {
  chain = stage.chain
})

const key = () => chain.account('payer').privateKey
const seller = () => chain.account('seller').address
const authorizer = () => chain.account('payer4')

/** Pays, and asks for what it did not spend: how much came back, in atomic units. */
type Paying = {
  pay(url: string): Promise<Response>
  refund(url: string, amount?: bigint): Promise<string | undefined>
  /** Lets so many seconds pass by its own clock. */
  wait?(seconds: number): void
}

/** Who pays; each call of `open` has forgotten what the one before knew of the channel. */
const clients: Record<string, (salt: Hex) => Paying> = {
  ours(salt) {
    const account = privateKeyAccount(key())
    const channels = createMemoryChannels()
    let ahead = 0
    return {
      pay: createPayer({
        schemes: [pays({ account, salt, channels })],
        fetch: copyingFetch(),
        policy: { maxLifetimeSeconds: 60 },
        clock: () => Date.now() + ahead,
      }).fetch,
      wait: (seconds) => {
        ahead += seconds * 1000
      },
      async refund(url, amount) {
        const answer = await requestRefund(url, {
          account,
          salt,
          channels,
          fetch: copyingFetch(),
          ...(amount === undefined ? {} : { amount }),
        })
        if (answer.status !== 'refunded') throw new Error(JSON.stringify(answer))
        return answer.amount?.toString()
      },
    }
  },
  official(salt) {
    const signer = toClientEvmSigner(privateKeyToAccount(key()), chain.client as never)
    const scheme = new OfficialClient(signer, { salt })
    return {
      pay: wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme as never }] }),
      async refund(url, amount) {
        const settled = await scheme.refund(url, amount === undefined ? {} : { amount: amount.toString() })
        if (!settled.success) throw new Error(settled.errorReason)
        return settled.amount
      },
    }
  },
}

/** Who sells, at a price of which `?charge=` is taken, and how it comes to its money. */
type Seller = Listening & { collect(): Promise<unknown>; served(): number }

const servers: Record<string, (facilitator: string) => Promise<Seller>> = {
  async ours(facilitator) {
    const store = await openMemoryStore()
    const keyOfAuthorizer = privateKeyAccount(authorizer().privateKey)
    const ledger = await createChannelLedger(store, {
      facilitator: createFacilitatorClient(facilitator),
      authorizer: keyOfAuthorizer,
    })
    const paid = paywall({
      facilitator: ledger.facilitator,
      payTo: { [NETWORK]: seller() },
      schemes: [sells({ receiverAuthorizer: authorizer().address })],
      store: createMemoryClaims({ singleProcess: true }),
    })
    const app = new Hono()
    let handled = 0
    app.get('/paid', paid(PRICE), (c) => {
      const charge = c.req.query('charge')
      if (charge !== undefined) c.get('payment').charge(BigInt(charge))
      handled += 1
      return c.json({ served: true })
    })
    await paid.ready()
    const served = await listen(getRequestListener(app.fetch))
    const signers = [chain.account('seller').privateKey]
    const own = await createEvmChain({ network: network(NETWORK), rpc: chain.rpcUrl, signers })
    const manager = createClaimManager({ chain: own, ledger, authorizer: keyOfAuthorizer })
    return {
      ...served,
      served: () => handled,
      collect: () => manager.run(),
      close: () => served.close().then(() => store.close()),
    }
  },
  async official(facilitator) {
    const client = new HTTPFacilitatorClient({ url: facilitator })
    const scheme = new OfficialServer(seller(), {
      receiverAuthorizerSigner: privateKeyToAccount(authorizer().privateKey) as never,
    })
    const resourceServer = new x402ResourceServer(client).register(NETWORK, scheme as never)
    await resourceServer.initialize()
    const app = express()
    let handled = 0
    const accepts = { scheme: 'batch-settlement', price: PRICE, network: NETWORK, payTo: seller() } as const
    app.use(paymentMiddleware({ 'GET /paid': { accepts } }, resourceServer))
    app.get('/paid', (request, response) => {
      const { charge } = request.query
      if (typeof charge === 'string') setSettlementOverrides(response, { amount: charge })
      handled += 1
      response.json({ served: true })
    })
    const manager = scheme.createChannelManager(client, NETWORK)
    const collect = async () => {
      await manager.claimAndSettle()
      // What refunds claimed on their way; a fault where nothing is due.
      await manager.settle().catch(() => undefined)
    }
    return { ...(await listen(app)), served: () => handled, collect }
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

test.each(pairings)(
  'EVM-BATCH-080 EVM-BATCH-083 EVM-BATCH-086 client: %s, server: %s, facilitator: %s',
  async (client, server, facilitator) => {
    const { url: settler } = await keep(facilitators[facilitator]!())
    const { url, collect, served } = await keep(servers[server]!(settler))
    const salt = toHex(++salts, { size: 32 })
    const before = await chain.balance(seller())
    const payer = chain.account('payer').address
    const had = await chain.balance(payer)
    let by = clients[client]!(salt)
    const buy = async (query = '') => {
      const answer = await by.pay(`${url}/paid${query}`)
      const header = answer.headers.get('PAYMENT-RESPONSE')
      const receipt = header && JSON.parse(Buffer.from(header, 'base64').toString())
      expect([answer.status, await answer.json(), receipt.success]).toEqual([200, { served: true }, true])
      return [receipt.transaction === '' ? 'voucher' : 'deposit', receipt.extra.chargedAmount]
    }
    expect(await buy()).toEqual(['deposit', '10000'])
    expect(await buy('?charge=4000')).toEqual(['voucher', '4000'])
    expect(await buy()).toEqual(['voucher', '10000'])
    by = clients[client]!(salt)
    expect(await buy()).toEqual(['voucher', '10000'])
    await collect()
    expect((await chain.balance(seller())) - before).toBe(34_000n)
    expect(await buy()).toEqual(['voucher', '10000'])
    const part = await by.refund(`${url}/paid`, 2_000n)
    // How much that is depends on what the seller asked to be deposited.
    const rest = await by.refund(`${url}/paid`)
    expect([part, Number(rest) > 0]).toEqual(['2000', true])
    await collect()
    expect([(await chain.balance(seller())) - before, had - (await chain.balance(payer))]).toEqual([44_000n, 44_000n])
    expect(served()).toBe(5)
    // The deposit that was signed after everything was forgotten was refused, and may still be made: ours signs no other before its end (EVM-BATCH-017).
    if (by.wait) {
      expect((await by.pay(`${url}/paid`)).status).toBe(402)
      by.wait(120)
    }
    // The channel is as good as before.
    expect(await buy()).toEqual(['deposit', '10000'])
  },
)
