import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbOffer } from '../testing/arbitraries.js'
import { isPid, paymentId, requirementsId } from './identity.js'

const parts = [
  'eip155:84532',
  '0x036cbd53842c5426634e7929541ec2318f3dcf7e',
  '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
  `0x${'11'.repeat(32)}`,
  'exact',
]

test('a payment identity is pinned', () => {
  expect(paymentId(parts)).toMatchInlineSnapshot(`"a691ebe43d2eb3fdd10123c4d5d357bd261b4308228b88944228e4a0b3a26de4"`)
  expect(isPid(paymentId(parts))).toBe(true)
})

test('two payments never share an identity: no part can borrow from its neighbour', () => {
  const arbParts = fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(
      arbParts,
      arbParts,
      (a, b) => (paymentId(a) === paymentId(b)) === (JSON.stringify(a) === JSON.stringify(b)),
    ),
  )
})

test('terms keep their identity under another spelling and lose it with any change of meaning', () => {
  fc.assert(
    fc.property(arbOffer, (offer) => {
      const same = {
        ...offer,
        asset: `0x${offer.asset.slice(2).toUpperCase()}`,
        payTo: `0x${offer.payTo.slice(2).toUpperCase()}`,
      }
      expect(requirementsId(same)).toBe(requirementsId(offer))
      expect(requirementsId({ ...offer, extra: Object.fromEntries(Object.entries(offer.extra).reverse()) })).toBe(
        requirementsId(offer),
      )
      const changed = [
        { ...offer, scheme: `${offer.scheme}x` },
        { ...offer, amount: offer.amount + 1n },
        { ...offer, payTo: `${offer.payTo}0` },
        { ...offer, asset: `${offer.asset}0` },
        { ...offer, maxTimeoutSeconds: offer.maxTimeoutSeconds + 1 },
        { ...offer, extra: { ...offer.extra, 'another member': 1 } },
      ]
      for (const other of changed) expect(requirementsId(other)).not.toBe(requirementsId(offer))
    }),
  )
})
