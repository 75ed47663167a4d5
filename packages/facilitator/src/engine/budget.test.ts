import { network } from '@groat/core'
import { expect, test } from 'vitest'
import type { Spending } from '../journal/reads.js'
import { createBudget } from './budget.js'

const NETWORK = network('base-sepolia')
const HOUR = 3_600_000

function budgetOf(perHour: bigint) {
  const world = { now: HOUR, others: [] as Spending[] }
  const journal = { spending: async (_: unknown, since: number) => world.others.filter(({ at }) => at > since) }
  const budget = createBudget({ journal, network: NETWORK, perHour, clock: () => world.now })
  return { budget, world }
}

const tx = (hash: string, nonce: bigint, maxCost: bigint) => ({ hash, signer: '0xf1', nonce, raw: '0x', maxCost })

test('what outbids takes the place of what it outbids: one of them lands', async () => {
  const { budget } = budgetOf(100n)
  const first = tx('a', 7n, 40n)
  budget.spend(first)
  expect(await budget.left()).toBe(60n)
  expect(await budget.left(first)).toBe(100n)
  budget.spend(tx('b', 7n, 70n))
  expect(await budget.left()).toBe(30n)
  budget.spend(tx('c', 7n, 20n))
  expect(await budget.left()).toBe(30n)
  budget.spend(tx('d', 8n, 40n))
  expect(await budget.left()).toBe(0n)
})

test('what others spend counts, until an hour has passed', async () => {
  const { budget, world } = budgetOf(100n)
  world.others.push({ slot: 'theirs', at: world.now, cost: 30n })
  budget.spend(tx('a', 7n, 40n))
  expect(await budget.left()).toBe(30n)
  world.now += HOUR + 1
  expect(await budget.left()).toBe(100n)
})
