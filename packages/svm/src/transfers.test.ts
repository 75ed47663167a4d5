import { assetByTicker, network, type PaymentPayload, systemRandom } from '@groat/core'
import { type SvmChain, startSvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exactSvm, secretKeyAccount } from './exact/client.js'
import { exactSvm as sells } from './exact/server.js'
import { createSvmTransfers } from './transfers.js'

const devnet = network('solana-devnet')
let chain: SvmChain
beforeAll(async () => {
  chain = await startSvmChain({ rpcUrl: false, tick: 'off' })
})
afterAll(() => chain?.stop())

test('SRV-065 a payment is over when blocks have passed it by and not before, whatever the time says', async () => {
  const asset = assetByTicker(devnet, 'USDC')
  if (asset === undefined) throw new Error('devnet has no USDC')
  const extra = { feePayer: chain.account('facilitator').address }
  const payTo = chain.account('seller').address
  const offer = sells.offer({ network: devnet, asset, amount: 1n, payTo, maxTimeoutSeconds: 60, extra })
  const half = exactSvm({ account: secretKeyAccount(chain.account('payer').secretKey), rpc: chain.rpcUrl })
  const prepared = await half.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 60 })
  if (!prepared.ok) throw new Error(prepared.code)
  const payment: PaymentPayload = {
    x402Version: 2,
    scheme: 'exact',
    network: devnet,
    accepted: offer,
    payload: await prepared.sign(),
  }
  const reader = createSvmTransfers({ network: devnet, rpc: chain.rpcUrl })
  expect(await reader.isOver(payment, 0)).toBe(false)
  await chain.warp(300)
  expect(await reader.isOver(payment, 0)).toBe(true)
  expect(await reader.isOver(payment, 2 ** 40)).toBe(false)
  expect(await reader.isOver({ ...payment, payload: { transaction: 'nonsense' } }, 0)).toBe(false)
  // Of what it never saw it says nothing.
  expect(await reader.received(asset.address, payTo, ['1'.repeat(64)])).toBeUndefined()
})
