import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createShort } from './short.js'

function world() {
  const state = { now: 0, left: 5n as bigint | Error, pending: false, due: [] as { at: number; run: () => void }[] }
  const told: (boolean | undefined)[] = []
  const short = createShort({
    budget: {
      left: async () => {
        if (typeof state.left !== 'bigint') throw state.left
        return state.left
      },
      isPending: () => state.pending,
    },
    clock: () => state.now,
    timers: {
      background(milliseconds, run) {
        const each = { at: state.now + milliseconds, run }
        state.due.push(each)
        return () => void state.due.splice(state.due.indexOf(each), 1)
      },
    },
    standing: { afford: (can) => void told.push(can), stopped: false },
  })
  async function pass(milliseconds: number): Promise<void> {
    const end = state.now + milliseconds
    for (let next = state.due[0]; next !== undefined && next.at <= end; next = state.due[0]) {
      state.due.shift()
      state.now = next.at
      next.run()
      await new Promise(setImmediate)
    }
    state.now = end
  }
  return { state, told, short, pass }
}

test('a lane is blocked until the hour has more left than was too little', async () => {
  const { state, told, short, pass } = world()
  short.begin(5n)
  await pass(10_000)
  expect(told).toEqual([false])
  state.left = 6n
  await pass(3000)
  expect(told).toEqual([false, true])
  expect(state.due).toEqual([])
})

test('what is on its way may turn out to have cost less: nothing is blocked', () => {
  const { state, told, short } = world()
  state.pending = true
  short.begin(5n)
  expect([told, state.due]).toEqual([[], []])
})

test('no lane stays blocked for longer than 15 seconds and a look, whatever the journal says', async () => {
  const arbLeft = fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.constant(new Error('away')))
  await fc.assert(
    fc.asyncProperty(fc.array(arbLeft, { maxLength: 30 }), fc.nat(9), async (said, left) => {
      const { state, told, short, pass } = world()
      state.left = BigInt(left)
      short.begin(BigInt(left))
      for (const each of said) {
        state.left = each
        await pass(1000)
      }
      await pass(18_000)
      expect(told).toHaveLength(2)
      expect([told[0], told[1] !== false, state.due.length]).toEqual([false, true, 0])
    }),
    { numRuns: 50 },
  )
})
