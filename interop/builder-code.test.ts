import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { namedServices } from '@groat/extensions/builder-code/client'
import { decodeSuffix, encodeSuffix, withBuilderCodes } from '@groat/extensions/builder-code/facilitator'
import { builderCodes } from '@groat/extensions/builder-code/server'
import { createFacilitator } from '@groat/facilitator'
import { createMemoryClaims, paywall } from '@groat/server'
import { openMemoryStore } from '@groat/store'
import * as official from '@x402/extensions/builder-code'
import { expect, test } from 'vitest'
import { NETWORK, settlingChain, useExtensions } from './extensions-kit.js'

const market = useExtensions()

test('EXT-CODE-002 the official client’s services are taken by our gate', async () => {
  const shop = await market.ourShop(() => [builderCodes()], {
    price: '$0.001',
    extensions: { 'builder-code': { a: 'shop_app' } },
  })
  const buy = market.officialBuyer(new official.BuilderCodeClientExtension('agent_sdk') as never)
  expect(await (await buy(shop.url)).json()).toEqual({ served: 1 })
})

test('EXT-CODE-004 our payer’s services are taken by the official server', async () => {
  const seen: unknown[] = []
  const shop = await market.officialShop(
    { 'builder-code': official.declareBuilderCodeExtension('shop_app') },
    (server) => {
      server.registerExtension(official.builderCodeResourceServerExtension)
      server.onBeforeVerify(async ({ paymentPayload }) => void seen.push(paymentPayload.extensions?.['builder-code']))
    },
  )
  const buyer = market.ourBuyer({ extensions: [namedServices(['agent_sdk'])] })
  expect((await buyer.fetch(shop.url)).status).toBe(200)
  expect(seen).toMatchObject([{ info: { a: 'shop_app', s: ['agent_sdk'] } }])
})

test('EXT-CODE-005 suffixes are read by the official library, and its by ours', () => {
  const codes = { a: 'shop_app', w: 'fac_one', s: ['agent_sdk', 'srv_sdk'] }
  const suffix = encodeSuffix(codes)
  expect(official.parseBuilderCodeSuffixFromCalldata(`0xdeadbeef${suffix?.slice(2)}`)).toEqual(codes)
  expect(decodeSuffix(official.encodeBuilderCodeSuffix(codes))).toEqual(codes)
})

test('EXT-CODE-007 our facilitator writes the codes behind the call that settles, where the official library reads them', async () => {
  const { stage } = market
  const chain = await settlingChain(stage)
  const store = await openMemoryStore()
  const scheme = withBuilderCodes({ wallet: 'fac_one', service: 'fac_svc' })(settles({ chains: [chain] }))
  const facilitator = createFacilitator({ schemes: [scheme], store })
  await facilitator.start()
  try {
    expect((await facilitator.supported()).extensions).toContain('builder-code')
    const origin = 'https://shop.example'
    const paid = paywall({
      facilitator,
      payTo: { [NETWORK]: stage.chain.account('seller').address },
      schemes: [sells],
      store: createMemoryClaims({ singleProcess: true }),
      origin,
      extensions: [builderCodes()],
    })
    const shop = paid({ price: '$0.001', extensions: { 'builder-code': { a: 'shop_app' } } }, () => new Response('x'))
    const plain = paid('$0.001', () => new Response('x'))
    const buy = async (serve: typeof shop) => {
      const buyer = market.ourBuyer({
        extensions: [namedServices(['agent_sdk'])],
        fetch: async (input, init) => serve(new Request(input, init)),
      })
      const answer = await buyer.fetch(`${origin}/paid`)
      const outcome = buyer.outcome(answer)
      const hash = outcome && 'receipt' in outcome ? outcome.receipt?.transaction : undefined
      return (await stage.chain.client.getTransaction({ hash: hash as `0x${string}` })).input
    }
    const input = await buy(shop)
    const codes = { a: 'shop_app', w: 'fac_one', s: ['agent_sdk', 'fac_svc'] }
    expect(official.parseBuilderCodeSuffixFromCalldata(input)).toEqual(codes)
    expect(decodeSuffix(input)).toEqual(codes)
    // Whoever says nothing is attributed to the facilitator alone.
    expect(decodeSuffix(await buy(plain))).toEqual({ w: 'fac_one', s: ['fac_svc'] })
    expect(() => withBuilderCodes({ wallet: 'Not A Code' })).toThrow(
      expect.objectContaining({ code: 'invalid_config' }),
    )
  } finally {
    await facilitator.stop()
    await store.close()
  }
})
