import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { meanFeeOf, type PaidFee, wholeTransactions } from './fees.js'

/** Payments of transactions that settled so many each, and cost so much each. */
const paid = (groups: readonly (readonly [size: number, fee: number])[]): PaidFee[] =>
  groups.flatMap(([size, fee], at) =>
    Array.from({ length: size }, () => ({ transaction: `0x${at}`, fee: BigInt(fee) })),
  )

test('a transaction that settled several is paid for once', () => {
  expect(
    meanFeeOf(
      paid([
        [1, 60],
        [3, 90],
      ]),
    ),
  ).toBe(38n)
  expect(meanFeeOf([])).toBeUndefined()
  expect(meanFeeOf(paid([[2, 0]]))).toBeUndefined()
})

test('law: what a settlement costs does not depend on how many travel with it, only on what they cost', () => {
  const fee = fc.integer({ min: 1, max: 10 ** 9 })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fee), { minLength: 1, maxLength: 9 }), (groups) => {
      const [payments, total] = groups.reduce(([all, sum], [size, each]) => [all + size, sum + each], [0, 0])
      expect(meanFeeOf(paid(groups))).toBe(BigInt(Math.ceil(total / payments)))
    }),
  )
})

test('of a list that was cut off the transaction at the cut is left out, unless there is no other', () => {
  expect(
    wholeTransactions(
      paid([
        [2, 60],
        [3, 90],
      ]),
    ),
  ).toEqual(paid([[2, 60]]))
  expect(wholeTransactions(paid([[2, 60]]))).toEqual(paid([[2, 60]]))
  expect(wholeTransactions([])).toEqual([])
})
