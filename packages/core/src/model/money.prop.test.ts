import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbAtomic } from '../testing/arbitraries.js'
import { formatUnits, parseAtomic, parseUnits } from './money.js'

const arbDecimals = fc.integer({ min: 0, max: 36 })

test('text and atomic units are the same thing, from 0 to 2^256 - 1', () => {
  fc.assert(
    fc.property(
      arbAtomic,
      arbDecimals,
      (atomic, decimals) => parseUnits(formatUnits(atomic, decimals), decimals) === atomic,
    ),
  )
  fc.assert(fc.property(arbAtomic, (atomic) => parseAtomic(atomic.toString()) === atomic))
})

test('parsing keeps order', () => {
  fc.assert(
    fc.property(arbAtomic, arbAtomic, arbDecimals, (a, b, decimals) => {
      const [left, right] = [a, b].map((atomic) => parseUnits(formatUnits(atomic, decimals), decimals))
      expect(left !== undefined && right !== undefined && left < right).toBe(a < b)
    }),
  )
})
