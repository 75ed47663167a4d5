import { network } from '@groat/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SettlementRecord } from '../journal/record.js'
import { createShortage } from './shortage.js'

type Facts = { readonly left: bigint; readonly pending: bigint; readonly price: bigint }

/** An hour that has `left`, on a chain where payments cost as the ones before did. What a chain would not sign costs nothing here. */
function world(facts: Facts, before: readonly bigint[] = [1n]) {
  const state = { ...facts, isAway: false, looks: 0, now: 0, due: [] as { at: number; run: () => void }[] }
  const told: boolean[] = []
  const shortage = createShortage({
    chain: {
      ...{ network: network('base-sepolia'), signers: ['0xf1'], idle: () => 1n },
      async price(call) {
        if (state.price === 0n) throw new Error('above the limit of the chain')
        return state.price * (call as bigint)
      },
    },
    budget: {
      async room() {
        state.looks += 1
        if (state.isAway) throw new Error('away')
        return state
      },
    },
    journal: { lately: async () => before.map((gas) => ({ gas }) as unknown as SettlementRecord) },
    recall: async ([record]) => (record as unknown as { gas: bigint }).gas,
    timers: {
      background(milliseconds, run) {
        const each = { at: state.now + milliseconds, run }
        state.due.push(each)
        return () => void state.due.splice(state.due.indexOf(each), 1)
      },
    },
  })
  const lane = { afford: (can: boolean) => void told.push(can) }
  async function pass(milliseconds: number): Promise<void> {
    const end = state.now + milliseconds
    await new Promise(setImmediate)
    for (let next = state.due[0]; next !== undefined && next.at <= end; next = state.due[0]) {
      state.due.shift()
      state.now = next.at
      next.run()
      await new Promise(setImmediate)
    }
    state.now = end
  }
  return { state, told, shortage, lane, pass }
}

test('who joins knows at once, and is told when there is enough again; then nobody looks any more', async () => {
  const { state, told, shortage, lane, pass } = world({ left: 4n, pending: 0n, price: 5n })
  await shortage.join(lane)
  expect(told.at(-1)).toBe(false)
  expect(shortage.shortfall).toEqual({ cost: 5n, left: 4n })
  await pass(10_000)
  expect(told.at(-1)).toBe(false)
  state.left = 5n
  await pass(3000)
  expect(told.at(-1)).toBe(true)
  expect(shortage.shortfall).toBeUndefined()
  const { looks } = state
  await pass(60_000)
  expect([state.looks, state.due]).toEqual([looks, []])
})

test('what is dear by itself is nobody else’s problem: the cheapest of the last payments says what is usual', async () => {
  const { told, shortage, lane, pass } = world({ left: 50n, pending: 0n, price: 1n }, [60n, 50n, 70n])
  await shortage.join(lane)
  shortage.notice()
  await pass(10_000)
  expect(told).not.toContain(false)
})

test('before there were payments it goes by what moves nothing', async () => {
  const { state, told, shortage, lane, pass } = world({ left: 4n, pending: 0n, price: 5n }, [])
  await shortage.join(lane)
  expect(told.at(-1)).toBe(false)
  state.left = 5n
  await pass(3000)
  expect(told.at(-1)).toBe(true)
})

test('what may come back is waited for, and not for what does not', async () => {
  const { state, told, shortage, lane, pass } = world({ left: 1n, pending: 4n, price: 5n })
  await shortage.join(lane)
  await pass(6000)
  expect(told).not.toContain(false)
  state.pending = 3n
  await pass(3000)
  expect(told.at(-1)).toBe(false)
  // What others reserve meanwhile is no reason to go on.
  state.pending = 9n
  await pass(3000)
  expect(told.at(-1)).toBe(false)
})

test('a journal or a node that is away changes nothing', async () => {
  const { state, told, shortage, lane, pass } = world({ left: 1n, pending: 0n, price: 5n })
  await shortage.join(lane)
  state.isAway = true
  await pass(9000)
  Object.assign(state, { isAway: false, left: 9n, price: 0n })
  await pass(9000)
  expect(told.at(-1)).toBe(false)
  state.price = 5n
  await pass(3000)
  expect(told.at(-1)).toBe(true)
})

test('blocked is who cannot pay for what is usual, within two looks of whatever happens, at one look in 3 seconds', async () => {
  const arbFacts = fc.record({
    left: fc.bigInt({ min: 0n, max: 9n }),
    pending: fc.constantFrom(0n, 0n, 3n),
    price: fc.bigInt({ min: 1n, max: 9n }),
    wait: fc.nat(7000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(arbFacts, { minLength: 1, maxLength: 20 }), async (all) => {
      const { state, told, shortage, lane, pass } = world({ left: 9n, pending: 0n, price: 1n })
      await shortage.join(lane)
      for (const { wait, ...facts } of all) {
        const before = told.at(-1)
        Object.assign(state, facts)
        shortage.notice()
        await pass(wait)
        const { left, pending, price } = facts
        const isEnough = left >= price
        const isShort = left + pending < price
        if (told.at(-1) !== before) expect(told.at(-1)).toBe(isEnough)
        if (wait >= 6000 && (isEnough || isShort)) expect(told.at(-1)).toBe(isEnough)
      }
      expect(state.looks).toBeLessThanOrEqual(2 + state.now / 3000)
      shortage.leave(lane)
      expect(state.due).toEqual([])
      const { length } = told
      await pass(10_000)
      expect(told).toHaveLength(length)
    }),
    { numRuns: 50 },
  )
})

test('where none has landed, one that was too dear says what is usual', async () => {
  const { state, told, shortage, lane, pass } = world({ left: 50n, pending: 0n, price: 1n }, [])
  await shortage.join(lane)
  await pass(3000)
  expect(told.at(-1)).toBe(true)
  shortage.notice(60n)
  await pass(10_000)
  expect(told.at(-1)).toBe(false)
  state.left = 60n
  await pass(3000)
  expect(told.at(-1)).toBe(true)
})
