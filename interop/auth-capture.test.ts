import { createPayer } from '@groat/client'
import { network, type Pid } from '@groat/core'
import { createCaptures } from '@groat/evm/auth-capture/captures'
import { authCaptureEvm as pays, privateKeyAccount } from '@groat/evm/auth-capture/client'
import { authCaptureEvm as settles } from '@groat/evm/auth-capture/facilitator'
import { type AuthCaptureEvmServerOptions, authCaptureEvm as sells } from '@groat/evm/auth-capture/server'
import { createEvmChain } from '@groat/evm/chain'
import type { EvmChain } from '@groat/sandbox'
import { createFacilitatorClient, createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { openMemoryStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { AuthCaptureEvmScheme as OfficialClient } from '@x402/evm/auth-capture/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { Hono } from 'hono'
import { privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { listen } from './peers/listen.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

// 0.05 is held; 0.03 of it is captured and the rest let go, or all of it is paid out at once. The official package has the payer's half alone.

const NETWORK = 'eip155:84532'
const stage = useStage()
const { keep } = stage
let chain: EvmChain
let facilitator: string

beforeAll(async () => {
  chain = stage.chain
  await stage.approvePermit2()
  const signers = [chain.account('facilitator').privateKey]
  const on = await createEvmChain({ network: network(NETWORK), rpc: chain.rpcUrl, signers })
  facilitator = (await keep(ourFacilitator(settles({ chains: [on] })))).url
})

const key = () => chain.account('payer').privateKey

const clients: Record<string, () => (url: string) => Promise<Response>> = {
  ours: () => createPayer({ schemes: [pays({ account: privateKeyToAccount(key()) })] }).fetch,
  official: () =>
    wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: new OfficialClient(privateKeyToAccount(key()) as never) as never }],
    }),
}

async function shop(flow: AuthCaptureEvmServerOptions['flow'], method: string, isBound: boolean) {
  const authorizer = privateKeyAccount(chain.account('payer4').privateKey)
  const captures = await createCaptures(await openMemoryStore(), {
    facilitator: createFacilitatorClient(facilitator),
    authorizer,
  })
  const options = { ...(flow ? { flow } : {}), ...(isBound ? { receiverAuthorizer: authorizer.address } : {}) }
  const paid = paywall({
    facilitator: captures.facilitator,
    payTo: { [NETWORK]: chain.account('seller').address },
    schemes: [sells(options)],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const app = new Hono()
  const offers = [{ extra: { assetTransferMethod: method } }]
  app.get('/paid', paid({ price: '$0.05', mode: 'upfront', offers }), (c) => c.json({ served: true }))
  await paid.ready()
  return { captures, ...(await keep(listen(getRequestListener(app.fetch)))) }
}

const pairings = ['ours', 'official'].flatMap((client) =>
  ['eip3009', 'permit2'].flatMap((method) =>
    (['escrow', 'authorization'] as const).map((flow) => [client, method, flow] as const),
  ),
)

async function purses() {
  const [buyer, seller] = await Promise.all([
    chain.balance(chain.account('payer').address),
    chain.balance(chain.account('seller').address),
  ])
  return { buyer, seller }
}

test.each(pairings)(
  'client: %s, by %s, %s: what is paid out reaches the seller, and the rest goes back',
  async (client, method, flow) => {
    const { url, captures } = await shop(flow, method, true)
    const before = await purses()
    const answer = await clients[client]!()(`${url}/paid`)
    expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
    const receipt = JSON.parse(Buffer.from(answer.headers.get('PAYMENT-RESPONSE') ?? '', 'base64').toString())
    expect(receipt).toMatchObject({ success: true, transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
    const held = await purses()
    expect(before.buyer - held.buyer).toBe(50_000n)
    if (flow === 'escrow') {
      expect(held.seller).toBe(before.seller)
      const [hold] = await captures.open(1)
      const pid = hold?.pid ?? ('' as Pid)
      expect(await captures.capture(pid, 30_000n)).toMatchObject({ status: 'settled', receipt: { amount: 30_000n } })
      expect(await captures.void(pid)).toMatchObject({ status: 'settled', receipt: { amount: 20_000n } })
    }
    const after = await purses()
    const price = flow === 'escrow' ? 30_000n : 50_000n
    expect([before.buyer - after.buyer, after.seller - before.seller]).toEqual([price, price])
  },
)

test.each(['ours', 'official'])(
  'client: %s, with nobody whose word is asked: it is held, and the operator’s affair',
  async (client) => {
    const { url, captures } = await shop('escrow', 'eip3009', false)
    const before = await purses()
    expect((await clients[client]!()(`${url}/paid`)).status).toBe(200)
    expect(before.buyer - (await purses()).buyer).toBe(50_000n)
    expect(await captures.open(1)).toEqual([])
  },
)
