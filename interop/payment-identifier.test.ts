import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import { memoryIdentifiers, paymentIdentifiers } from '@groat/extensions/payment-identifier/server'
import type { ClientExtension } from '@x402/core/client'
import {
  appendPaymentIdentifierToExtensions,
  declarePaymentIdentifierExtension,
  extractAndValidatePaymentIdentifier,
  paymentIdentifierResourceServerExtension,
  validatePaymentIdentifier,
} from '@x402/extensions/payment-identifier'
import { expect, test } from 'vitest'
import { useExtensions } from './extensions-kit.js'

const market = useExtensions()
const KEY = 'payment-identifier'
const named = (id?: string): ClientExtension => ({
  key: KEY,
  enrichPaymentPayload: async (payload) => ({
    ...payload,
    extensions: appendPaymentIdentifierToExtensions(structuredClone(payload.extensions ?? {}), id),
  }),
})

test('EXT-ID-004 the official client’s names are enforced by our gate: a retry that it signs anew is charged once', async () => {
  const { stage } = market
  const shop = await market.ourShop(() => [paymentIdentifiers({ store: memoryIdentifiers() })], {
    price: '$0.001',
    extensions: { [KEY]: { required: true } },
  })
  const payer = market.account().address
  const buy = market.officialBuyer(named('pay_official_0123456789'))
  const moved = await stage.moved(payer, async () => {
    for (let i = 0; i < 2; i++) expect(await (await buy(shop.url)).json()).toEqual({ served: 1 })
  })
  expect(moved).toMatchObject({ paid: 1000n, transfers: 1 })
  // Without a name it is told to bring one.
  expect((await market.officialBuyer()(shop.url)).status).toBe(400)
})

test('EXT-ID-001 what our gate announces is what the official helpers take', async () => {
  const shop = await market.ourShop(() => [paymentIdentifiers({ store: memoryIdentifiers() })], {
    price: '$0.001',
    extensions: { [KEY]: true },
  })
  const challenge = JSON.parse(atob((await fetch(shop.url)).headers.get('payment-required') ?? ''))
  expect(validatePaymentIdentifier(challenge.extensions[KEY])).toEqual({ valid: true })
})

test('EXT-ID-020 our payer’s names are read by the official server and its helpers', async () => {
  const seen: unknown[] = []
  const shop = await market.officialShop({ [KEY]: declarePaymentIdentifierExtension(true) }, (server) => {
    server.registerExtension(paymentIdentifierResourceServerExtension)
    server.onBeforeVerify(async ({ paymentPayload }) => {
      seen.push(extractAndValidatePaymentIdentifier(paymentPayload as never))
    })
  })
  const buyer = market.ourBuyer({ extensions: [identifiedPayments()] })
  const answer = await buyer.fetch(shop.url, { idempotencyKey: 'order-7' })
  expect([answer.status, await answer.json()]).toEqual([200, { served: 1 }])
  expect(seen).toEqual([{ id: expect.stringMatching(/^pay_[0-9a-f]{32}$/), validation: { valid: true } }])
})
