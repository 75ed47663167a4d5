import { network, paymentId } from '@groat/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { balances, saleEntries, share, useEntry } from './entry.js'
import { fiatValue } from './fiat.js'
import type { Sale } from './sale.js'

const amounts = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })

const sales = fc.record({
  amount: amounts,
  fee: amounts,
  uses: fc.option(fc.integer({ min: 2, max: 50 })),
  offChain: fc.boolean(),
})

const saleOf = (
  n: number,
  { amount, uses, offChain }: { amount: bigint; uses: number | null; offChain: boolean },
): Sale => ({
  pid: paymentId(['eip155:84532', '0xasset', '0xpayer', String(n), 'exact']),
  route: 'GET /weather',
  resource: 'https://shop.example/weather',
  scheme: 'exact',
  network: network('base-sepolia'),
  asset: '0xasset',
  payer: '0xpayer',
  payTo: '0xseller',
  amount,
  at: n,
  offChain,
  ...(uses === null ? {} : { uses }),
})

test('SRV-060 whatever is sold, used and given back, the books balance to the atomic unit', () => {
  fc.assert(
    fc.property(fc.array(sales, { maxLength: 12 }), fc.infiniteStream(fc.nat({ max: 3 })), (all, steps) => {
      const entries = all.flatMap((each, n) => {
        const written = [...saleEntries(saleOf(n, each), '0xabc', each.fee)]
        const [paid] = written
        if (paid === undefined || each.uses === null) return written
        // A use is taken, or one that was taken is given back.
        for (let taken = 1, step = 0; step < 40; step++) {
          const back = steps.next().value === 0 && taken > 1
          if (!back && taken === each.uses) continue
          written.push(useEntry(paid, { id: `u${step}`, at: n, nth: back ? taken : taken + 1, back }))
          taken += back ? -1 : 1
        }
        return written
      })
      const sums = balances(entries)
      expect([...sums.values()].reduce((sum, each) => sum + each, 0n)).toBe(0n)
      expect(entries.every(({ amount }) => amount >= 0n)).toBe(true)
      const of = (account: string) => sums.get(`${account} eip155:84532 0xasset`) ?? 0n
      // Nothing is earned that was not paid, and nobody is owed less than nothing.
      expect(of('prepaid') <= 0n && of('revenue') <= 0n).toBe(true)
      expect(of('wallet') + of('receivable') + of('prepaid') + of('revenue')).toBe(0n)
      expect(of('fees') + of('payable')).toBe(0n)
    }),
    { numRuns: 40 },
  )
})

test('shares of a payment add up to it', () => {
  fc.assert(
    fc.property(amounts, fc.integer({ min: 1, max: 200 }), (amount, of) => {
      const shares = Array.from({ length: of }, (_, i) => share(amount, i + 1, of))
      expect(shares.reduce((sum, each) => sum + each, 0n)).toBe(amount)
      expect(shares.every((each) => each >= 0n)).toBe(true)
    }),
  )
})

test('a value in fiat is exact, and reads as a number', () => {
  expect([
    fiatValue(1_234_567n, 6, '1.08'),
    fiatValue(1_000_000n, 6, '1'),
    fiatValue(1n, 18, '0.5'),
    fiatValue(0n, 6, '3'),
  ]).toEqual(['1.33333236', '1', '0.0000000000000000005', '0'])
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.integer({ min: 0, max: 1_000 }), (amount, rate) => {
      const [whole = '', fraction = ''] = fiatValue(amount, 6, String(rate)).split('.')
      expect(BigInt(whole + fraction.padEnd(24, '0'))).toBe(amount * BigInt(rate) * 10n ** 18n)
    }),
  )
})
