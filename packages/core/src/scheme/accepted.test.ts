import { expect, test } from 'vitest'
import { network } from '../model/network.js'
import type { PaymentRequirements } from '../model/payment.js'
import { judgeAccepted } from './accepted.js'

const offer: PaymentRequirements = {
  ...{ scheme: 'exact', network: network('base'), amount: 1000n, asset: '0xaa', payTo: '0xbb' },
  ...{ maxTimeoutSeconds: 60, extra: {} },
}
const saidOf = (change: Partial<PaymentRequirements>) => judgeAccepted(offer, { ...offer, ...change })

test.each([
  ['amount', { amount: 1n }],
  ['asset', { asset: '0xbb' }],
  ['payTo', { payTo: '0xaa' }],
] as const)('another %s than what was accepted is refused by its name', (term, change) => {
  const detail = `${term} is not what was accepted`
  expect(saidOf(change)).toEqual({ ok: false, code: 'no_matching_requirements', detail })
})

test('other spellings, terms that move nothing, terms that are not asked about, and no echo at all are not refused', () => {
  expect(saidOf({ asset: '0xAA', payTo: '0XBB', maxTimeoutSeconds: 1, extra: { name: 'a' } })).toBeUndefined()
  expect(judgeAccepted(offer, { ...offer, amount: 1n }, ['asset', 'payTo'])).toBeUndefined()
  expect(judgeAccepted(undefined, offer)).toBeUndefined()
})
