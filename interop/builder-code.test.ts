import { namedServices } from '@groat/extensions/builder-code/client'
import { decodeSuffix, encodeSuffix } from '@groat/extensions/builder-code/facilitator'
import { builderCodes } from '@groat/extensions/builder-code/server'
import * as official from '@x402/extensions/builder-code'
import { expect, test } from 'vitest'
import { useExtensions } from './extensions-kit.js'

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
