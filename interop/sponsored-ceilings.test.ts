import { createPayer } from '@groat/client'
import { type Asset, assetByTicker, network } from '@groat/core'
import { batchEvm as fills, privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { batchEvm as holds } from '@groat/evm/batch-settlement/facilitator'
import { createChannelLedger } from '@groat/evm/batch-settlement/ledger'
import { batchEvm as sellsChannels } from '@groat/evm/batch-settlement/server'
import { createEvmChain } from '@groat/evm/chain'
import { createSponsor } from '@groat/evm/sponsoring/facilitator'
import { uptoEvm as settles } from '@groat/evm/upto/facilitator'
import { uptoEvm as sells } from '@groat/evm/upto/server'
import { uptoEvmWithSponsoring } from '@groat/evm/upto/sponsored/client'
import { deployPlainToken, type EvmChain } from '@groat/sandbox'
import { createFacilitatorClient, createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { openMemoryStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { toClientEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme as OfficialChannels } from '@x402/evm/batch-settlement/client'
import { UptoEvmScheme as OfficialUpto } from '@x402/evm/upto/client'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { Hono } from 'hono'
import { erc20Abi, type Hex } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { listen } from './peers/listen.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

// Payers who never let Permit2 take anything, and have no coin of the chain, pay by ceilings and fill channels.

const NETWORK = network('eip155:84532')
const PERMIT2 = { assetTransferMethod: 'permit2' }
const stage = useStage()
const { keep } = stage
let chain: EvmChain
let facilitator: string
let plain: Asset
let mint: (to: Hex, amount: bigint) => Promise<unknown>

beforeAll(async () => {
  chain = stage.chain
  const token = await deployPlainToken(chain)
  mint = token.mint
  plain = { network: NETWORK, symbol: 'TEST', address: token.address, decimals: 6, transfer: 'permit2' }
  const usdc = assetByTicker(NETWORK, 'USDC')
  if (usdc === undefined) throw new Error('no USDC')
  const signers = [chain.account('facilitator').privateKey]
  const chains = [await createEvmChain({ network: NETWORK, rpc: chain.rpcUrl, signers, assets: [usdc, plain] })]
  const sponsor = createSponsor({ account: chain.account('facilitator3').privateKey, perPayerAndDay: 10 })
  facilitator = (await keep(ourFacilitator(settles({ chains, sponsor }), holds({ chains, sponsor })))).url
})

type Pay = (url: string) => Promise<Response>

const clients: Record<string, (key: Hex) => Pay> = {
  ours(key) {
    const [account, rpc, assets] = [privateKeyAccount(key), { [NETWORK]: chain.rpcUrl }, [plain]]
    return createPayer({
      schemes: [uptoEvmWithSponsoring({ account, assets, rpc }), fills({ account, assets, rpc })],
    }).fetch
  },
  official(key) {
    const signer = toClientEvmSigner(privateKeyToAccount(key), chain.client as never)
    const options = { rpcUrl: chain.rpcUrl } as never
    return wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [
        { network: 'eip155:*', client: new OfficialUpto(signer, options) as never },
        { network: 'eip155:*', client: new OfficialChannels(signer, options) as never },
      ],
      spendControls: false,
    })
  },
}

/** A seller of ours that charges 0.004 of every ceiling of 0.01. */
async function seller(): Promise<string> {
  const authorizer = privateKeyAccount(chain.account('payer4').privateKey)
  const store = await openMemoryStore()
  const inner = createFacilitatorClient(facilitator)
  const ledger = await createChannelLedger(store, { facilitator: inner, authorizer })
  const paid = paywall({
    facilitator: ledger.facilitator,
    payTo: { [NETWORK]: chain.account('seller').address },
    schemes: [sells, sellsChannels({ receiverAuthorizer: authorizer.address })],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const app = new Hono()
  for (const scheme of ['upto', 'batch-settlement']) {
    for (const [path, asset] of [['permit', undefined] as const, ['approval', plain] as const]) {
      const offer = { price: '$0.01', extra: PERMIT2, scheme, ...(asset && { asset }) }
      app.get(`/${scheme}/${path}`, paid({ offers: [{ network: NETWORK, ...offer }] }), (c) => {
        c.get('payment').charge(4_000n)
        return c.json({ served: true })
      })
    }
  }
  await paid.ready()
  const { url, close } = await listen(getRequestListener(app.fetch))
  return (await keep(Promise.resolve({ url, close: () => close().then(() => store.close()) }))).url
}

const balance = (token: string, owner: Hex) =>
  chain.client.readContract({ address: token as Hex, abi: erc20Abi, functionName: 'balanceOf', args: [owner] })

test.each(['ours', 'official'])(
  'GAS-PERMIT-019 %s pays by upto with a permit of exactly the ceiling',
  async (client) => {
    const key = generatePrivateKey()
    const { address } = privateKeyToAccount(key)
    await chain.fund(address, 20_000n)
    const url = await seller()
    const before = await chain.balance(chain.account('seller').address)
    const pay = clients[client]!(key)
    // What a permit leaves of itself is not enough for the second, which brings its own.
    for (let times = 0; times < 2; times++) {
      const answer = await pay(`${url}/upto/permit`)
      expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
    }
    expect((await chain.balance(chain.account('seller').address)) - before).toBe(8_000n)
    expect(await chain.nativeBalance(address)).toBe(0n)
  },
)

test.each(['ours', 'official'])(
  'GAS-PERMIT-019 %s fills a channel with a permit of exactly the deposit',
  async (client) => {
    const key = generatePrivateKey()
    const { address } = privateKeyToAccount(key)
    await chain.fund(address, 100_000n)
    const url = await seller()
    const before = await balance(chain.usdc, chain.contracts.x402BatchSettlement.address)
    const pay = clients[client]!(key)
    for (let times = 0; times < 2; times++) {
      const answer = await pay(`${url}/batch-settlement/permit`)
      expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
    }
    const held = (await balance(chain.usdc, chain.contracts.x402BatchSettlement.address)) - before
    expect(held).toBe(100_000n - (await chain.balance(address)))
    expect(held).toBeGreaterThan(10_000n)
    expect(await chain.nativeBalance(address)).toBe(0n)
  },
)

test.each([
  ['ours', 'upto'],
  ['official', 'upto'],
  ['ours', 'batch-settlement'],
  ['official', 'batch-settlement'],
])('GAS-APPROVAL-031 %s pays by %s with an approval that the sponsor pays for', async (client, scheme) => {
  const key = generatePrivateKey()
  const { address } = privateKeyToAccount(key)
  await mint(address, 100_000n)
  const url = await seller()
  const pay = clients[client]!(key)
  const sponsor = chain.account('facilitator3').address
  // A ceiling is approved as it is, and the official client approves everything; a channel is filled for several payments.
  for (const sponsored of client === 'ours' && scheme === 'upto' ? [1, 1] : [1, 0]) {
    const nonce = await chain.client.getTransactionCount({ address: sponsor })
    const answer = await pay(`${url}/${scheme}/approval`)
    expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
    expect((await chain.client.getTransactionCount({ address: sponsor })) - nonce).toBe(sponsored)
  }
})
