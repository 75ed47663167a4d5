import { X402Error } from '@groat/core'
import { expect, test } from 'vitest'
import { claimed } from '../../test/one-payment.js'
import type { Budget } from './budget.js'
import { createLane, type LaneOptions } from './lane.js'

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
  const budget: Budget = { within: (sign) => sign(undefined) }
  const tools = { ...{ chain, signer: '0xf1', journal, budget, maxCost: () => undefined, depth: 4 } }
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
