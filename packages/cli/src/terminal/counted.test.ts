import { expect, test } from 'vitest'
import { counted } from './counted.js'

test('of one it says one, and of none as of many', () => {
  expect([0, 1, 2].map((count) => counted(count, 'payment'))).toEqual(['0 payments', '1 payment', '2 payments'])
  expect([1, 3].map((count) => counted(count, 'try', 'tries'))).toEqual(['1 try', '3 tries'])
})
