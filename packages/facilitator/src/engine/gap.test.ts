import { expect, test } from 'vitest'
import { createGap } from './gap.js'

function watch() {
  const world = { now: 1000 }
  const gap = createGap(() => world.now, 5000)
  /** What is seen so many milliseconds later. */
  const see = (after: number, nonce: bigint | undefined) => {
    world.now += after
    return gap.see(nonce)
  }
  return { gap, see }
}

test('a nonce that stays missing is due when no node that is late explains it', () => {
  const { see } = watch()
  expect([see(0, 7n), see(1000, 7n), see(3999, 7n), see(1, 7n), see(1000, 7n)]).toEqual([
    ...['new', 'known', 'known', 'due', 'due'],
  ])
})

test('another one, and one that was there in between, is missing anew', () => {
  const { see } = watch()
  expect([see(0, 7n), see(5000, 8n), see(5000, undefined), see(1000, 8n), see(4999, 8n)]).toEqual([
    ...['new', 'new', 'none', 'new', 'known'],
  ])
})

test('nodes that are slow to answer make every look late, and no gap new', () => {
  const { see } = watch()
  expect([see(0, 7n), see(15_000, 7n), see(15_000, 7n)]).toEqual(['new', 'due', 'due'])
})

test('what nobody looked at for a while, or was in a block meanwhile, is missing anew', () => {
  const { gap, see } = watch()
  expect([see(0, 7n), see(60_000, 7n), see(5000, 7n)]).toEqual(['new', 'new', 'due'])
  gap.pass(7n)
  expect(see(1000, 7n)).toBe('due')
  gap.pass(8n)
  expect(see(1000, 7n)).toBe('new')
})
