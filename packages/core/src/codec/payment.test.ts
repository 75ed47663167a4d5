import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { network } from '../model/network.js'
import type { PaymentPayload, PaymentRequirements } from '../model/payment.js'
import { arbOffer, arbPayment } from '../testing/arbitraries.js'
import { encodeBase64Text } from './base64.js'
import { decodePayment, encodePayment } from './payment.js'

const wireOffer = {
  scheme: 'exact',
  network: 'eip155:84532',
  amount: '2500',
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: '0x1111111111111111111111111111111111111111',
  maxTimeoutSeconds: 120,
  extra: { name: 'USDC' },
}

test('a payment survives the header', () => {
  fc.assert(
    fc.property(
      arbOffer.chain((offer) => arbPayment(offer)),
      (payment) => {
        const { name, value } = encodePayment(payment)
        expect(name).toBe('PAYMENT-SIGNATURE')
        expect(decodePayment((header) => (header === name ? value : null))).toMatchObject({ ok: true, value: payment })
      },
    ),
  )
})

test('the echo of a received offer is byte for byte what came, unknown members included', () => {
  const received = { ...wireOffer, futureMember: { kept: true } }
  const accepted: PaymentRequirements = { ...wireOffer, network: network('base-sepolia'), amount: 2500n, received }
  const payment: PaymentPayload = { x402Version: 2, scheme: 'exact', network: accepted.network, accepted, payload: {} }
  const sent = JSON.parse(Buffer.from(encodePayment(payment).value, 'base64').toString())
  expect(JSON.stringify(sent.accepted)).toBe(JSON.stringify(received))
})

test('version 1 travels in its own header under its own network name', () => {
  const payment: PaymentPayload = {
    x402Version: 1,
    scheme: 'exact',
    network: network('base-sepolia'),
    payload: { a: 1 },
  }
  const { name, value } = encodePayment(payment)
  expect([name, JSON.parse(Buffer.from(value, 'base64').toString())]).toEqual([
    'X-PAYMENT',
    { x402Version: 1, scheme: 'exact', network: 'base-sepolia', payload: { a: 1 } },
  ])
  expect(decodePayment((header) => (header === name ? value : undefined))).toEqual({ ok: true, value: payment })
})

test('CORE-023 a payment loses the words about its resource that are too long, and no more', () => {
  const resource = { url: 'https://a.example', description: 'kept', serviceName: 'x'.repeat(33), tags: 'none' }
  const read = (payment: object) => {
    const header = encodeBase64Text(JSON.stringify(payment))
    return decodePayment((name) => (name === 'PAYMENT-SIGNATURE' ? header : null))
  }
  const payment = { x402Version: 2, accepted: wireOffer, payload: {}, resource }
  expect(read(payment)).toMatchObject({ ok: true })
  const decoded = read(payment)
  expect(decoded?.ok && decoded.value.resource).toEqual({ url: 'https://a.example', description: 'kept' })
  expect(read({ ...payment, resource: { serviceName: 'no url' } })).toMatchObject({
    ok: false,
    code: 'invalid_payload',
  })
  expect(read({ ...payment, payload: 7 })).toMatchObject({ ok: false, code: 'invalid_payload' })
})

test('no payment header is no payment', () => {
  expect(decodePayment(() => null)).toBeUndefined()
  expect(decodePayment(() => '')).toBeUndefined()
})

const v2 = { x402Version: 2, accepted: wireOffer, payload: {} }
test.each([
  ['two versions at once', { 'PAYMENT-SIGNATURE': v2, 'X-PAYMENT': v2 }, 'invalid_payload'],
  [
    'version 1 in the header of version 2',
    { 'PAYMENT-SIGNATURE': { x402Version: 1, scheme: 'exact', network: 'base', payload: {} } },
    'invalid_x402_version',
  ],
  [
    'version 1 with an echo',
    { 'X-PAYMENT': { x402Version: 1, scheme: 'exact', network: 'base', payload: {}, accepted: wireOffer } },
    'invalid_payload',
  ],
  [
    'version 1 on an unnamed network',
    { 'X-PAYMENT': { x402Version: 1, scheme: 'exact', network: 'ethereum-mainnet', payload: {} } },
    'invalid_network',
  ],
  ['no version', { 'PAYMENT-SIGNATURE': {} }, 'invalid_x402_version'],
  ['the version as text', { 'PAYMENT-SIGNATURE': { ...v2, x402Version: '2' } }, 'invalid_x402_version'],
  ['version 3', { 'PAYMENT-SIGNATURE': { ...v2, x402Version: 3 } }, 'invalid_x402_version'],
  ['no echo', { 'PAYMENT-SIGNATURE': { x402Version: 2, payload: {} } }, 'invalid_payload'],
  ['no payload', { 'PAYMENT-SIGNATURE': { x402Version: 2, accepted: wireOffer } }, 'invalid_payload'],
  ['a hex amount', { 'PAYMENT-SIGNATURE': { ...v2, accepted: { ...wireOffer, amount: '0x10' } } }, 'invalid_payload'],
  [
    'a number as amount',
    { 'PAYMENT-SIGNATURE': { ...v2, accepted: { ...wireOffer, amount: 2500 } } },
    'invalid_payload',
  ],
  [
    'an amount above 2^256 - 1',
    { 'PAYMENT-SIGNATURE': { ...v2, accepted: { ...wireOffer, amount: '9'.repeat(78) } } },
    'invalid_payload',
  ],
  [
    'a wildcard network',
    { 'PAYMENT-SIGNATURE': { ...v2, accepted: { ...wireOffer, network: 'eip155:*' } } },
    'invalid_payload',
  ],
])('refuses %s', (_, headers: Record<string, unknown>, code) => {
  const decoded = decodePayment((name) =>
    headers[name] === undefined ? null : encodeBase64Text(JSON.stringify(headers[name])),
  )
  expect(decoded).toMatchObject({ ok: false, code })
})

test('a refusal names the field', () => {
  const header = encodeBase64Text(JSON.stringify({ ...v2, accepted: { ...wireOffer, payTo: 7 } }))
  expect(decodePayment((name) => (name === 'PAYMENT-SIGNATURE' ? header : null))).toMatchObject({
    detail: 'accepted.payTo is missing or malformed',
  })
})

test('a payment does not reach the prototype of anything', () => {
  const header = encodeBase64Text(
    `{"x402Version":2,"accepted":${JSON.stringify(wireOffer)},"payload":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}}`,
  )
  decodePayment((name) => (name === 'PAYMENT-SIGNATURE' ? header : null))
  expect('polluted' in {}).toBe(false)
})
