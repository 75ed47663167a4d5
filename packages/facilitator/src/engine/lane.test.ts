import { X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { claimed } from '../../test/one-payment.js'
import type { Budget } from './budget.js'
import { createLane, type LaneOptions } from './lane.js'
import type { Shortage } from './shortage.js'

test('INV-8 who carries a payment whose lane another holds sends nothing, and learns that its number has gone to something else, when every node must show it', async () => {
  const world = { now: 1000, mined: 7n }
  const numbers = async () => world.mined
  const chain = { network: 'eip155:84532', nextNonce: numbers, minedNonce: numbers }
  const lane = createLane({
    chain,
    signer: '0xf1',
    clock: () => world.now,
    lag: 5000,
    timers: {},
  } as unknown as LaneOptions)
  const transaction = { hash: 'a', signer: '0xf1', nonce: 7n, raw: '0x' }
  expect(await lane.send(transaction)).toMatchObject({ status: 'unknown' })
  world.mined = 8n
  expect(await lane.isGone(transaction)).toBe(false)
  world.now += 5000
  expect(await lane.isGone(transaction)).toBe(true)
})

test('INV-8 what was read of a lane that somebody else holds by then keeps nobody from learning that a number is gone', async () => {
  const world = { now: 1000, mined: 0n }
  const transaction = { hash: 'a', signer: '0xf1', nonce: 0n, raw: '0x' }
  const numbers = async () => world.mined
  let read = async () => ({ open: [] as unknown[], next: 0n })
  const idle = () => () => {}
  const lane = createLane({
    chain: { network: 'eip155:84532', nextNonce: numbers, minedNonce: numbers },
    journal: { lane: () => read() },
    shortage: { join: async () => {}, leave() {}, notice() {} },
    ...{ signer: '0xf1', clock: () => world.now, lag: 5000, timers: { background: idle, after: idle } },
    ...{ onBlocked() {}, onError() {} },
  } as unknown as LaneOptions)
  await lane.take({ fence: 1 })
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  read = () => answered.then(() => ({ open: [{ transaction, ended: false }], next: 1n }))
  const reopened = lane.reopen()
  lane.lose()
  answer()
  await reopened
  world.mined = 1n
  expect(await lane.isGone(transaction)).toBe(false)
  world.now += 5000
  expect(await lane.isGone(transaction)).toBe(true)
  expect(lane.included(transaction)).toBeUndefined()
})

/** A lane that is held and has nothing under way, whose node names the nonce `pooled`; the chain has `mined`, the journal `written`. */
async function laneAt({ pooled, mined, written }: { pooled: bigint; mined: bigint; written: bigint }) {
  const faults: unknown[] = []
  const asked: bigint[] = []
  const chain = {
    ...{ network: 'eip155:84532', nextNonce: async () => pooled, minedNonce: async () => mined },
    async sign(_: unknown, { nonce }: { nonce: bigint }) {
      asked.push(nonce)
      throw new X402Error('signer_failed')
    },
  }
  const journal = { lane: async () => ({ open: [], next: written }) }
  const budget: Budget = { within: (sign) => sign(undefined), room: async () => undefined }
  const shortage: Shortage = { join: async () => {}, leave() {}, notice() {} }
  const tools = { ...{ chain, signer: '0xf1', journal, budget, shortage, maxCost: () => undefined, depth: 4 } }
  const rest = {
    clock: () => 1000,
    timers: { turn: async () => {} },
    onBlocked() {},
    onError: (error: unknown) => faults.push(error),
  }
  const lane = createLane({ ...tools, ...rest } as unknown as LaneOptions)
  await lane.take({ fence: 1 })
  await lane.sign({ record: claimed, undone: 0 }, {}, () => false).catch(() => undefined)
  return { nonce: asked[0], faults: faults.length }
}

test.each([
  ['the journal is ahead of a node', { pooled: 5n, mined: 5n, written: 7n }, { nonce: 7n, faults: 0 }],
  ['a signer was used before this journal', { pooled: 900n, mined: 900n, written: 0n }, { nonce: 900n, faults: 0 }],
  [
    'somebody else has a few under way with the same key',
    { pooled: 10n, mined: 7n, written: 7n },
    { nonce: 10n, faults: 0 },
  ],
  ['a node is wrong by far', { pooled: 3_000_000n, mined: 7n, written: 7n }, { nonce: 7n, faults: 1 }],
  [
    'a node is wrong by far, and the chain is ahead of the journal',
    { pooled: 2n ** 48n, mined: 9n, written: 7n },
    { nonce: 9n, faults: 1 },
  ],
])('INV-7 the next nonce, when %s', async (_, world, expected) => {
  expect(await laneAt(world)).toEqual(expected)
})

/** A lane before which so many payments wait that may travel together; what may cost no more than `most` carries `fits` of them. */
async function groupsOf(waiting: number, fits: number, most: bigint | undefined) {
  const signed: number[] = []
  let refused = 0
  const isJoined = (call: unknown): call is readonly unknown[] => Array.isArray(call)
  const chain = {
    ...{ network: 'eip155:84532', nextNonce: async () => 0n },
    groups: {
      ...{ joins: () => true, admits: async () => true, join: (calls: readonly unknown[]) => calls },
      company: (calls: readonly unknown[]) => calls.map((_, at) => at),
    },
    async sign(call: unknown, { nonce }: { nonce: bigint }) {
      const size = isJoined(call) ? call.length : 1
      if (size > fits) {
        refused += 1
        throw new X402Error('fee_above_limit')
      }
      signed.push(size)
      return { hash: `0x${nonce}`, signer: '0xf1', nonce, raw: '0x', maxCost: 1n }
    },
  }
  const journal = {
    lane: async () => ({ open: [], next: 0n }),
    signed: async (group: readonly { record: unknown }[]) => group.map(({ record }) => record),
  }
  const soon = (_: number, call: () => void) => {
    const timer = setImmediate(call)
    return () => clearImmediate(timer)
  }
  const budget: Budget = { within: (sign) => sign(most), room: async () => undefined }
  const shortage: Shortage = { join: async () => {}, leave() {}, notice() {} }
  const tools = { ...{ chain, signer: '0xf1', journal, budget, shortage, maxCost: () => undefined, depth: 100 } }
  const rest = {
    clock: () => 1000,
    timers: { turn: async () => {}, after: soon, background: soon },
    onBlocked() {},
    onError() {},
  }
  const lane = createLane({ ...tools, ...rest } as unknown as LaneOptions)
  await lane.take({ fence: 1 })
  const answers = Array.from({ length: waiting }, () => lane.sign({ record: claimed, undone: 0 }, {}, () => false))
  const ends = Promise.allSettled(answers)
  await Promise.race(answers).catch(() => undefined)
  // Who is still in line leaves later.
  lane.lose()
  const values = (await ends).map((end) => (end.status === 'rejected' ? 'rejected' : end.value))
  const count = (value: unknown) => values.filter((each) => each === value).length
  return { signed, refused, left: count(claimed), inLine: count('lost'), rejected: count('rejected') }
}

test('B16 what the hour cannot pay for together leaves in groups that it can', async () => {
  expect(await groupsOf(12, 4, 1000n)).toEqual({ signed: [3], refused: 2, left: 3, inLine: 9, rejected: 0 })
})

test('what is above every other limit together is above it apart, and is tried once', async () => {
  expect(await groupsOf(12, 4, undefined)).toEqual({ signed: [], refused: 1, left: 0, inLine: 0, rejected: 12 })
})

test('INV-7 what was written down, and nobody was told so, is sent by who holds the lane', async () => {
  const sent: string[] = []
  const transaction = { hash: '0xaa', signer: '0xf1', nonce: 0n, raw: '0x', maxCost: 1n }
  let [now, written, asked] = [1000, false, 0]
  const chain = {
    ...{
      network: 'eip155:84532',
      nextNonce: async () => 0n,
      minedNonce: async () => 0n,
      sign: async () => transaction,
    },
    async send({ hash }: { hash: string }) {
      sent.push(hash)
      return { status: 'accepted' }
    },
  }
  const journal = {
    async lane() {
      // It is still away when it is asked for the first time.
      if (written && asked++ === 0) throw new X402Error('store_unavailable')
      return { open: written ? [{ transaction, ended: false }] : [], next: 0n }
    },
    async signed() {
      written = true
      throw new X402Error('store_unavailable', { committed: 'unknown' })
    },
  }
  const soon = (milliseconds: number, call: () => void) => {
    const timer = setImmediate(() => {
      now += milliseconds
      call()
    })
    return () => clearImmediate(timer)
  }
  const budget: Budget = { within: (sign) => sign(undefined), room: async () => undefined }
  const shortage: Shortage = { join: async () => {}, leave() {}, notice() {} }
  const tools = { ...{ chain, signer: '0xf1', journal, budget, shortage, maxCost: () => undefined, depth: 4 } }
  const timers = { turn: async () => {}, after: soon, background: soon }
  const rest = { clock: () => now, timers, rebroadcast: 1000, lag: 5000, onBlocked() {}, onError() {} }
  const lane = createLane({ ...tools, ...rest } as unknown as LaneOptions)
  await lane.take({ fence: 1 })
  await expect(lane.sign({ record: claimed, undone: 0 }, {}, () => false)).rejects.toMatchObject({
    code: 'store_unavailable',
  })
  expect(lane.unsure).toBe(true)
  // Away still, and there again.
  await expect(lane.reopen()).rejects.toMatchObject({ code: 'store_unavailable' })
  await lane.reopen()
  expect(lane.unsure).toBe(false)
  await expect.poll(() => sent).toContain('0xaa')
  await lane.stop()
})
