import { assetByTicker, type JsonObject, network, systemRandom, type X402Version } from '@groat/core'
import { exactEvm as exactEvmClient, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { afterEach, expect, test } from 'vitest'
import { hono } from './frameworks.js'
import { expectRefused, type Market, openMarket, receiptOf } from './shop.js'

const account = privateKeyAccount(`0x${'7'.repeat(64)}`)
const client = exactEvmClient({ account })
const handler = () => ({ body: 'sunny' })
let market: Market

afterEach(() => market.close())

async function sign(version: X402Version, change: (payload: JsonObject) => JsonObject = (payload) => payload) {
  const offer = await market.offer('/weather')
  const prepared = client.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 300 })
  if (!prepared.ok) throw new Error(prepared.code)
  const payload = change(await prepared.sign())
  const { scheme, network } = offer
  return { x402Version: version, scheme, network, payload, ...(version === 2 ? { accepted: offer } : {}) }
}

test.each([2, 1] as const)(
  'a real EIP-3009 payment of version %i gets through, and the same again',
  async (version) => {
    market = await openMarket(hono, { '/weather': { input: '$0.001', handler } }, { schemes: [exactEvm] })
    const payment = await sign(version)
    for (const answer of [await market.present('/weather', payment), await market.present('/weather', payment)]) {
      expect(answer).toMatchObject({ status: 200, text: 'sunny' })
      expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
    }
    expect(market.events.find(({ type }) => type === 'payment_settled')).toMatchObject({
      payer: account.address.toLowerCase(),
      amount: 1000n,
      asset: assetByTicker(network('base-sepolia'), 'USDC')?.address,
    })
  },
)

test('what the scheme can see to be wrong does not reach the facilitator', async () => {
  market = await openMarket(hono, { '/weather': { input: '$0.001', handler } }, { schemes: [exactEvm] })
  expectRefused(await market.present('/weather', await sign(2, () => ({}))), 'invalid_payload')
  expectRefused(
    await market.present('/weather', await sign(2, (payload) => ({ ...payload, signature: '0x12zz' }))),
    'invalid_exact_evm_failed_to_parse_signature',
  )
  expect(market.stub.calls.verify).toEqual([])
})
