import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { network } from '../model/network.js'
import type { PaymentPayload, PaymentRequirements } from '../model/payment.js'
import { arbOffer, arbPayment } from '../testing/arbitraries.js'
import {
  decodeFacilitatorRequest,
  decodeSupported,
  decodeVerdict,
  encodeFacilitatorRequest,
  encodeSupported,
  encodeVerdict,
} from './facilitator.js'

test('a request survives the wire', () => {
  const arbRequest = arbOffer.chain((requirements) =>
    arbPayment(requirements).map((payment) => ({ payment, requirements })),
  )
  fc.assert(
    fc.property(arbRequest, (request) => {
      const wire = JSON.parse(JSON.stringify(encodeFacilitatorRequest(request)))
      expect(decodeFacilitatorRequest(wire)).toMatchObject({ ok: true, value: request })
    }),
  )
})

test('EVM-BATCH-065 what a seller has put on chain needs no time', () => {
  const terms = {
    ...{ scheme: 'batch-settlement', network: 'eip155:84532', amount: '0', asset: '0x1', payTo: '0x2' },
    ...{ maxTimeoutSeconds: 0, extra: {} },
  }
  const paymentPayload = { x402Version: 2, accepted: terms, payload: { type: 'claim' } }
  expect(decodeFacilitatorRequest({ x402Version: 2, paymentPayload, paymentRequirements: terms })).toMatchObject({
    ok: true,
    value: { payment: { payload: { type: 'claim' } }, requirements: { amount: 0n } },
  })
})

test('version 1 sends the resource along with the offer', () => {
  const requirements: PaymentRequirements = {
    scheme: 'exact',
    network: network('base-sepolia'),
    amount: 1n,
    asset: '0x1',
    payTo: '0x2',
    maxTimeoutSeconds: 60,
    extra: {},
  }
  const payment: PaymentPayload = { x402Version: 1, scheme: 'exact', network: requirements.network, payload: { a: 1 } }
  const wire = encodeFacilitatorRequest({ payment, requirements, resource: { url: 'https://a.test/x' } })
  expect(wire).toMatchObject({
    x402Version: 1,
    paymentRequirements: { maxAmountRequired: '1', resource: 'https://a.test/x', network: 'base-sepolia' },
  })
  expect(decodeFacilitatorRequest(JSON.parse(JSON.stringify(wire)))).toMatchObject({
    ok: true,
    value: { payment, requirements },
  })
})

test('what is malformed is refused under the name of the part that is', () => {
  const good = JSON.parse(
    JSON.stringify(
      encodeFacilitatorRequest(
        fc.sample(
          arbOffer.chain((requirements) => arbPayment(requirements).map((payment) => ({ payment, requirements }))),
          { numRuns: 1, seed: 7 },
        )[0]!,
      ),
    ),
  )
  const codeOf = (body: unknown) => {
    const decoded = decodeFacilitatorRequest(body)
    return decoded.ok ? 'ok' : decoded.code
  }
  expect([
    codeOf(good),
    codeOf(null),
    codeOf({ ...good, paymentPayload: undefined }),
    codeOf({ ...good, paymentPayload: [] }),
    codeOf({ ...good, x402Version: 1 }),
    codeOf({ ...good, paymentRequirements: { ...good.paymentRequirements, amount: '1.5' } }),
    codeOf({ ...good, paymentRequirements: null }),
  ]).toEqual([
    'ok',
    'invalid_payload',
    'invalid_payload',
    'invalid_x402_version',
    'invalid_x402_version',
    'invalid_payment_requirements',
    'invalid_payment_requirements',
  ])
})

test('verdicts survive the wire', () => {
  for (const verdict of [
    { ok: true, payer: '0x1' } as const,
    { ok: false, code: 'invalid_exact_evm_signature', payer: '0x1', detail: 'x' } as const,
  ]) {
    expect(decodeVerdict(JSON.parse(JSON.stringify(encodeVerdict(2, verdict))))).toEqual({ ok: true, value: verdict })
  }
  expect(decodeVerdict({ isValid: 'yes' })).toMatchObject({ ok: false })
  expect(decodeVerdict({ isValid: false })).toEqual({ ok: true, value: { ok: false, code: 'unexpected_verify_error' } })
})

test('kinds of both versions share one list, and kinds that cannot be read are left out', () => {
  const sepolia = network('base-sepolia')
  const supported = {
    kinds: [
      { x402Version: 2, scheme: 'exact', network: sepolia, extra: { a: 1 } },
      { x402Version: 1, scheme: 'exact', network: sepolia },
    ],
    extensions: ['bazaar'],
    signers: { 'eip155:*': ['0x1'] },
  } as const
  const wire = JSON.parse(JSON.stringify(encodeSupported(supported)))
  expect(wire.kinds.map((kind: { network: string }) => kind.network)).toEqual(['eip155:84532', 'base-sepolia'])
  expect(decodeSupported(wire)).toEqual({ ok: true, value: supported })
  const strange = {
    kinds: [
      { x402Version: 2, scheme: 'exact', network: 'eip155:*' },
      { x402Version: 9, scheme: 'exact', network: 'eip155:1' },
    ],
  }
  expect(decodeSupported(strange)).toEqual({ ok: true, value: { kinds: [], extensions: [], signers: {} } })
})
