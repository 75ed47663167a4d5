import { network, type SignedTransaction, X402Error } from '@groat/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Spending } from '../journal/reads.js'
import { createBudget } from './budget.js'

const NETWORK = network('base-sepolia')
const HOUR = 3_600_000
const FRESH = 10_001

function budgetOf(perHour: bigint) {
  const world = { now: HOUR, others: [] as Spending[], reads: 0 }
  const journal = {
    async spending(_: unknown, since: number) {
      world.reads += 1
      return world.others.filter(({ at }) => at > since)
    },
  }
  const budget = createBudget({ journal, network: NETWORK, perHour, clock: () => world.now })
  return {
    world,
    within: budget.within,
    room: budget.room,
    spend: (transaction: SignedTransaction) => budget.within(async () => transaction),
    async left(outbid?: SignedTransaction) {
      let said: bigint | undefined
      const nothing = (left: bigint | undefined) => {
        said = left
        return Promise.reject(new X402Error('fee_above_limit'))
      }
      await expect(budget.within(nothing, outbid)).rejects.toMatchObject({ code: 'fee_above_limit' })
      return said
    },
  }
}

const tx = (hash: string, nonce: bigint, maxCost: bigint, signer = '0xf1') => ({
  ...{ hash, signer, nonce, raw: '0x', maxCost },
})

test('what outbids takes the place of what it outbids: one of them lands', async () => {
  const { spend, left } = budgetOf(100n)
  const first = tx('a', 7n, 40n)
  await spend(first)
  expect(await left()).toBe(60n)
  expect(await left(first)).toBe(100n)
  await spend(tx('b', 7n, 70n))
  expect(await left()).toBe(30n)
  await spend(tx('c', 7n, 20n))
  expect(await left()).toBe(30n)
  await spend(tx('d', 8n, 40n))
  expect(await left()).toBe(0n)
})

test('what others spend counts, until an hour has passed', async () => {
  const { world, spend, left } = budgetOf(100n)
  world.others.push({ slot: 'theirs', at: world.now, cost: 30n, isLanded: true })
  await spend(tx('a', 7n, 40n))
  expect(await left()).toBe(30n)
  world.now += HOUR + 1
  expect(await left()).toBe(100n)
})

test('what is signed at the same time is signed one after the other: together it never costs more than there is', async () => {
  const arbCosts = fc.array(fc.record({ lane: fc.integer({ min: 0, max: 3 }), cost: fc.bigInt({ min: 0n, max: 60n }) }))
  await fc.assert(
    fc.asyncProperty(arbCosts, async (wanted) => {
      const { within } = budgetOf(100n)
      const signed = await Promise.allSettled(
        wanted.map(({ lane, cost }, at) =>
          within(async (left = 0n) => {
            await new Promise(setImmediate)
            if (cost > left) throw new X402Error('fee_above_limit')
            return tx(`${at}`, BigInt(at), cost, `0xf${lane}`)
          }),
        ),
      )
      let rest = 100n
      for (const [at, { cost }] of wanted.entries()) {
        expect(signed[at]?.status).toBe(cost > rest ? 'rejected' : 'fulfilled')
        if (cost <= rest) rest -= cost
      }
    }),
    { numRuns: 30 },
  )
})

test('what is on its way into the journal counts, what never got there a minute at the most, and what did costs what it did', async () => {
  const { world, spend, left } = budgetOf(100n)
  await spend(tx('a', 7n, 40n))
  await spend(tx('b', 8n, 20n))
  const at = world.now
  world.now += FRESH
  // An older one of the same nonce is there, the one that outbids it is not yet.
  world.others.push({ slot: `${NETWORK} 0xf1 8`, at, cost: 5n, isLanded: false })
  expect(await left()).toBe(40n)
  world.now += 60_000
  expect(await left()).toBe(95n)
})

test('what has landed costs what it did from then on, and what is refused for too little left is tried with that', async () => {
  const { world, spend, within } = budgetOf(100n)
  await spend(tx('a', 7n, 60n))
  const offered: (bigint | undefined)[] = []
  const sign = (left = 0n) => {
    offered.push(left)
    return left < 60n ? Promise.reject(new X402Error('fee_above_limit')) : Promise.resolve(tx('b', 8n, 60n))
  }
  world.now += 1000
  await expect(within(sign)).rejects.toMatchObject({ code: 'fee_above_limit' })
  world.others.push({ slot: `${NETWORK} 0xf1 7`, at: world.now, cost: 12n, isLanded: true })
  world.now += 1000
  await expect(within(sign)).resolves.toMatchObject({ hash: 'b' })
  expect(offered).toEqual([40n, 40n, 88n])
})

test('an hour that is used up is not read for each that is refused', async () => {
  const { world, left } = budgetOf(0n)
  for (let refused = 0; refused < 100; refused++) {
    expect(await left()).toBe(0n)
    world.now += 10
  }
  expect(world.reads).toBeLessThan(4)
})

test('what there is: less what is spent, and some of what has not landed may come back for a minute', async () => {
  const { world, spend, room } = budgetOf(100n)
  world.others.push({ slot: 'theirs', at: world.now, cost: 10n, isLanded: true })
  world.others.push({ slot: 'on its way', at: world.now, cost: 20n, isLanded: false })
  await spend(tx('a', 7n, 40n))
  expect(await room()).toEqual({ left: 30n, pending: 60n })
  world.others.push({ slot: `${NETWORK} 0xf1 7`, at: world.now, cost: 5n, isLanded: true })
  world.now += 2001
  expect(await room()).toEqual({ left: 65n, pending: 20n })
  world.now += 60_000
  expect(await room()).toEqual({ left: 65n, pending: 0n })
})

test('outbidding gives no more time in which something may come back', async () => {
  const { world, spend, room } = budgetOf(100n)
  await spend(tx('a', 7n, 40n))
  world.now += 50_000
  await spend(tx('b', 7n, 50n))
  expect(await room()).toEqual({ left: 50n, pending: 50n })
  world.now += 10_001
  expect(await room()).toEqual({ left: 50n, pending: 0n })
})
