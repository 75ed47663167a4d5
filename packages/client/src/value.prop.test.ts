import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addValues, compareValues } from './value.js'

const arbValue = fc.record({ units: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), decimals: fc.nat(80) })

test('scaling both digits and decimals changes no value, and the order is that of the rationals', () => {
  return fc.assert(
    fc.property(arbValue, arbValue, fc.nat(20), (a, b, by) => {
      const scaled = { units: a.units * 10n ** BigInt(by), decimals: a.decimals + by }
      expect(compareValues(a, scaled)).toBe(0)
      expect(compareValues(scaled, b)).toBe(compareValues(a, b))
      expect(compareValues(a, b)).toBe(-compareValues(b, a) + 0)
      expect(compareValues(addValues(a, b), addValues(b, scaled))).toBe(0)
      expect(compareValues(addValues(a, b), a)).toBe(b.units > 0n ? 1 : 0)
      expect(compareValues({ ...a, units: a.units + 1n }, a)).toBe(1)
    }),
  )
})
