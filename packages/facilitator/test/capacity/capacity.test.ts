import { expect, test } from 'vitest'
import { measureCapacity } from './capacity.js'

test('what a lane can carry is carried, most of it in the next block, and nothing waits for more than the one after that', async () => {
  const world = { chains: 2, lanes: 2, rate: 60, seconds: 20, blockSeconds: 2, groups: 100, depth: 4 }
  const { payments, settled, lateness } = await measureCapacity(world)
  expect(settled).toBe(payments)
  expect(lateness.p50).toBeLessThan(2000)
  expect(lateness.most).toBeLessThan(3 * 2000)
})

test('a lane under more than it can carry carries depth × group ÷ block time', async () => {
  const world = { chains: 1, lanes: 1, rate: 40, seconds: 20, blockSeconds: 1, groups: 5, depth: 4 }
  const { payments, settled, rate } = await measureCapacity(world)
  expect(settled).toBe(payments)
  expect(rate).toBeGreaterThan(18)
  expect(rate).toBeLessThanOrEqual(20.5)
})
