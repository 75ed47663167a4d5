import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { network } from '../model/network.js'
import type { PaymentRequirements } from '../model/payment.js'
import { arbOffer } from '../testing/arbitraries.js'
import { encodeBase64Text } from './base64.js'
import { decodeChallenge, encodeChallenge } from './challenge.js'

const offer: PaymentRequirements = {
  scheme: 'exact',
  network: network('base-sepolia'),
  amount: 2500n,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: '0x1111111111111111111111111111111111111111',
  maxTimeoutSeconds: 120,
  extra: { name: 'USDC', version: '2' },
}
const resource = { url: 'https://api.shop.test/quote', description: 'Live quote', mimeType: 'application/json' }

test('one answer carries the challenge for both versions', () => {
  const { headers, body } = encodeChallenge({ error: 'Payment required', resource, accepts: [offer] })
  // Byte for byte what clients of version 2 read today.
  expect(headers).toEqual({
    'PAYMENT-REQUIRED':
      'eyJ4NDAyVmVyc2lvbiI6MiwiZXJyb3IiOiJQYXltZW50IHJlcXVpcmVkIiwicmVzb3VyY2UiOnsidXJsIjoiaHR0cHM6Ly9hcGkuc2hvcC50ZXN0L3F1b3RlIiwiZGVzY3JpcHRpb24iOiJMaXZlIHF1b3RlIiwibWltZVR5cGUiOiJhcHBsaWNhdGlvbi9qc29uIn0sImFjY2VwdHMiOlt7InNjaGVtZSI6ImV4YWN0IiwibmV0d29yayI6ImVpcDE1NTo4NDUzMiIsImFtb3VudCI6IjI1MDAiLCJhc3NldCI6IjB4MDM2Q2JENTM4NDJjNTQyNjYzNGU3OTI5NTQxZUMyMzE4ZjNkQ0Y3ZSIsInBheVRvIjoiMHgxMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExIiwibWF4VGltZW91dFNlY29uZHMiOjEyMCwiZXh0cmEiOnsibmFtZSI6IlVTREMiLCJ2ZXJzaW9uIjoiMiJ9fV19',
  })
  expect(JSON.parse(body)).toEqual({
    x402Version: 1,
    error: 'Payment required',
    accepts: [
      {
        scheme: 'exact',
        network: 'base-sepolia',
        maxAmountRequired: '2500',
        resource: 'https://api.shop.test/quote',
        description: 'Live quote',
        mimeType: 'application/json',
        payTo: '0x1111111111111111111111111111111111111111',
        maxTimeoutSeconds: 120,
        asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
        extra: { name: 'USDC', version: '2' },
      },
    ],
  })
})

test('an offer on a network without a v1 name is in the header alone', () => {
  const { body } = encodeChallenge({ resource, accepts: [{ ...offer, network: network('eip155:42161') }] })
  expect(body).toBe('{}')
})

test('what is encoded is decoded, in either version', () => {
  fc.assert(
    fc.property(arbOffer, (made) => {
      const { headers, body } = encodeChallenge({ resource, accepts: [made], error: 'payment_required' })
      const newer = decodeChallenge((name) => headers[name as keyof typeof headers])
      const older = decodeChallenge(() => undefined, body)
      for (const [decoded, x402Version] of [[newer, 2] as const, [older, 1] as const]) {
        expect(decoded).toMatchObject({
          ok: true,
          value: { x402Version, error: 'payment_required', resource, accepts: [made] },
        })
      }
    }),
  )
})

test('the header wins over the body, and a v1 object in the header is read as v1', () => {
  const { headers, body } = encodeChallenge({ resource, accepts: [offer] })
  expect(decodeChallenge((name) => headers[name as keyof typeof headers], body)).toMatchObject({
    value: { x402Version: 2 },
  })
  expect(decodeChallenge((name) => (name === 'PAYMENT-REQUIRED' ? encodeBase64Text(body) : null))).toMatchObject({
    value: { x402Version: 1 },
  })
})

test('an answer without a challenge is no challenge', () => {
  for (const body of [undefined, '', 'Payment Required', '{}', '[]', '{"x402Version":2,"accepts":[]}']) {
    expect(decodeChallenge(() => null, body)).toBeUndefined()
  }
})

test('one offer that cannot be read does not hide the others, and bad optional metadata is dropped', () => {
  const wire = {
    x402Version: 2,
    resource: { url: 'https://a.test', serviceName: 'x'.repeat(33), tags: ['ok'], iconUrl: 7 },
    accepts: [
      { scheme: 'exact', amount: '0.5' },
      { ...offer, amount: '0x10' },
      { ...offer, amount: '7', futureMember: [1] },
    ],
  }
  const decoded = decodeChallenge(() => encodeBase64Text(JSON.stringify(wire)))
  expect(decoded).toMatchObject({
    ok: true,
    value: { resource: { url: 'https://a.test', tags: ['ok'] }, accepts: [{ amount: 7n }] },
  })
  expect(decoded?.ok && decoded.value.accepts[0]?.received).toEqual({ ...offer, amount: '7', futureMember: [1] })
})

test('a challenge without a readable offer is refused', () => {
  const header = encodeBase64Text(JSON.stringify({ x402Version: 2, accepts: [{ ...offer, amount: '-5' }] }))
  expect(decodeChallenge(() => header)).toEqual({ ok: false, code: 'invalid_payload', detail: 'no offer can be read' })
})
