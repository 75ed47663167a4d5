import {
  network,
  type PaymentPayload,
  type PaymentRequirements,
  refuse,
  requirementsId,
  type SchemeServer,
} from '@groat/core'
import { arbOffer, arbPayment } from '@groat/core/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { payer, paymentFor, testScheme } from '../test/test-scheme.js'
import { answers, decide } from './decide.js'
import type { Offer } from './offers.js'

const requirements: PaymentRequirements = {
  scheme: 'exact',
  network: network('base-sepolia'),
  amount: 1000n,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: '0x1111111111111111111111111111111111111111',
  maxTimeoutSeconds: 60,
  extra: { name: 'USDC', version: '2' },
}
const offerOf = (terms: PaymentRequirements, scheme: SchemeServer = testScheme): Offer => ({
  requirements: terms,
  scheme,
  rid: requirementsId(terms),
  worth: 1n,
})
const resource = { url: 'https://shop.example/weather' }
const now = 1_800_000_000_000
const decideOn = (payment: PaymentPayload, offers = [offerOf(requirements)]) =>
  decide({ ok: true, value: payment }, { resource, offers }, now)

describe('decide', () => {
  test('no payment, a broken one, a good one', () => {
    const payment = paymentFor(requirements, { now })
    expect(decide(undefined, { resource, offers: [] }, now)).toEqual({ type: 'unpaid' })
    expect(decide(refuse('invalid_payload', 'not JSON'), { resource, offers: [] }, now)).toEqual({
      type: 'refused',
      refusal: { ok: false, code: 'invalid_payload', detail: 'not JSON' },
    })
    expect(decideOn(payment)).toMatchObject({
      type: 'candidate',
      payment,
      inspected: { payer, expiresAt: now / 1000 + 60 },
    })
  })

  test('the first offer that it reads as good for', () => {
    const dear = { ...requirements, amount: 5000n }
    const offers = [offerOf(dear), offerOf(requirements)]
    expect(decideOn(paymentFor(requirements, { now, version: 1 }), offers)).toMatchObject({ offer: offers[1] })
    expect(decideOn(paymentFor(dear, { now, version: 1 }), offers)).toMatchObject({ offer: offers[0] })
    expect(decideOn(paymentFor({ ...requirements, amount: 1n }, { now, version: 1 }), offers)).toEqual({
      type: 'refused',
      refusal: { ok: false, code: 'invalid_exact_evm_payload_authorization_value_mismatch' },
    })
  })

  test.each([
    ['https://shop.example/weather', true],
    ['https://shop.example/weather?a=1', true],
    ['https://shop.example/weather#x', true],
    ['https://shop.example/news', false],
    ['https://evil.example/weather', false],
    ['/weather', false],
    ['', false],
  ])('SRV-020 resource %s: %s', (url, good) => {
    const decision = decideOn({ ...paymentFor(requirements, { now }), resource: { url } })
    expect(decision).toMatchObject(good ? { type: 'candidate' } : { refusal: { code: 'resource_mismatch' } })
  })
})

test('a payment that differs from an offer in one term is told which; one that differs in more answers nothing', () => {
  const payment = paymentFor(requirements, { now })
  const told = (change: Partial<PaymentRequirements>, offers?: Offer[]) => {
    const decision = decideOn({ ...payment, accepted: { ...requirements, ...change } }, offers)
    return decision.type === 'refused' && [decision.refusal.code, decision.refusal.detail]
  }
  const of = (term: string) => ['no_matching_requirements', `${term} is not what was offered`]
  expect(told({ amount: 1001n })).toEqual(of('amount'))
  expect(told({ asset: requirements.payTo })).toEqual(of('asset'))
  expect(told({ payTo: requirements.asset })).toEqual(of('payTo'))
  expect(told({ extra: { name: 'USDC' } })).toEqual(of('extra'))
  expect(told({ amount: 1n, extra: {} })).toEqual(['no_matching_requirements', undefined])
  // The nearest of several offers is meant.
  const offers = [offerOf({ ...requirements, amount: 7n, network: network('base') }), offerOf(requirements)]
  expect(told({ amount: 1001n }, offers)).toEqual(of('amount'))
  expect(told({}, [offerOf({ ...requirements, network: network('base') })])).toEqual(of('network'))
  expect(told({}, [])).toEqual(['no_matching_requirements', undefined])
})

describe('answers: the echo', () => {
  const echo = (change: Partial<PaymentRequirements>): PaymentPayload => ({
    ...paymentFor(requirements),
    accepted: { ...requirements, ...change },
  })

  test.each<readonly [string, Partial<PaymentRequirements>, boolean]>([
    ['the offer itself', {}, true],
    [
      'addresses in another case',
      { asset: requirements.asset.toLowerCase(), payTo: requirements.payTo.toUpperCase().replace('X', 'x') },
      true,
    ],
    ['another timeout', { maxTimeoutSeconds: 5 }, true],
    ['more in extra', { extra: { version: '2', name: 'USDC', mood: { good: true } } }, true],
    ['less in extra', { extra: { name: 'USDC' } }, false],
    ['another amount', { amount: 1001n }, false],
    ['another asset', { asset: requirements.payTo }, false],
    ['another recipient', { payTo: requirements.asset }, false],
  ])('%s: %s', (_, change, good) => {
    expect(answers(echo(change), requirements)).toBe(good)
  })

  test('nested members of extra may be added to, lists may not', () => {
    const offered = { ...requirements, extra: { a: { b: 1, list: [1, { c: 2 }] }, none: null } }
    const with_ = (extra: PaymentRequirements['extra']): boolean => answers(echo({ extra }), offered)
    expect(with_({ a: { b: 1, list: [1, { c: 2 }], more: 1 }, none: null })).toBe(true)
    expect(with_({ a: { b: 1, list: [1, { c: 2, d: 3 }] }, none: null })).toBe(false)
    expect(with_({ a: { b: 1, list: [1] }, none: null })).toBe(false)
    expect(with_({ a: { b: '1', list: [1, { c: 2 }] }, none: null })).toBe(false)
    expect(with_({ a: { b: 1, list: [1, { c: 2 }] } })).toBe(false)
    expect(with_({ a: [], none: null })).toBe(false)
  })

  test('CORE-033 law: a payment answers the offer that it was made for, and no offer of other money', () => {
    const made = arbOffer.chain((offer) => arbPayment(offer).map((payment) => ({ offer, payment })))
    fc.assert(
      fc.property(made, arbOffer, ({ offer, payment }, other) => {
        expect(answers(payment, offer)).toBe(true)
        for (const member of ['amount', 'asset', 'payTo', 'network', 'scheme'] as const) {
          if (other[member] === offer[member]) continue
          expect(answers(payment, { ...offer, [member]: other[member] })).toBe(false)
        }
      }),
    )
  })

  test('CORE-034 law: what is added to extra changes nothing, what is taken away does', () => {
    const key = fc.string().filter((name) => name !== '__proto__')
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 4 }), (members) => {
        const extra: PaymentRequirements['extra'] = JSON.parse(JSON.stringify(members))
        const offered = { ...requirements, extra }
        expect(answers(echo({ extra: { ...extra, added: 1, ...extra } }), offered)).toBe(true)
        for (const name of Object.keys(extra)) {
          const { [name]: _, ...less } = extra
          expect(answers(echo({ extra: less }), offered)).toBe(false)
        }
      }),
    )
  })
})
