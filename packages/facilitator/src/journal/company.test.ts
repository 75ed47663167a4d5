import { network } from '@groat/core'
import { expect, test } from 'vitest'
import { createCompany } from './company.js'

test('INV-11 others count before anybody has looked, while there are some, and as long after that as a node may be late', () => {
  let now = 1000
  const clock = () => now
  const [quick, slow] = [network('base'), network('base-sepolia')]
  const company = createCompany(clock, (on) => (on === quick ? 100 : 500))
  const since = () => [quick, slow].map(company.since)
  expect(since()).toEqual([900, 500])
  // This process begins, and one was there before it.
  company.note(1)
  now += 99
  expect(since()).toEqual([999, 599])
  now += 1
  expect(since()).toEqual([undefined, 600])
  company.note(1)
  now += 400
  expect(since()).toEqual([undefined, undefined])
  company.note(2)
  now += 10_000
  // Until the next look there still are others.
  expect(since()).toEqual([now - 100, now - 500])
  now = 1500
  company.note(1)
  expect(since()).toEqual([1400, 1000])
  now += 500
  expect(since()).toEqual([undefined, undefined])
  expect(createCompany(clock, undefined).since(quick)).toBeUndefined()
})
