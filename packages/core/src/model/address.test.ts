import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { findRepeated, sameAddress } from './address.js'

const account = fc.constantFrom('0xab', '0xAB', '0Xab', '0xcd', 'AbC', 'abc')

test('law: the first account that comes again is found, with where it was before', () => {
  fc.assert(
    fc.property(fc.array(account, { maxLength: 6 }), (all) => {
      const again = all.findIndex((each, at) => all.slice(0, at).some((earlier) => sameAddress(earlier, each)))
      const first = all.findIndex((each) => again >= 0 && sameAddress(each, all[again] ?? ''))
      expect(findRepeated(all)).toEqual(again < 0 ? undefined : { first, again })
    }),
  )
})
