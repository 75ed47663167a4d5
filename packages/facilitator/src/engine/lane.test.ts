import { expect, test } from 'vitest'
import { createLane, type LaneOptions } from './lane.js'

/** A lane that another replica holds, on a chain whose numbers go up to `mined`; a transaction under the number 7 is sent in it. */
function laneElsewhere() {
  const world = { now: 1000, mined: 7n }
  const numbers = async () => world.mined
  const chain = { network: 'eip155:84532', nextNonce: numbers, minedNonce: numbers }
  const lane = createLane({ chain, signer: '0xf1', clock: () => world.now, timers: {} } as unknown as LaneOptions)
  const send = async () => (await lane.send({ hash: 'a', signer: '0xf1', nonce: 7n, raw: '0x' })).status
  return { world, send }
}

test('INV-8 who carries a payment whose lane another holds learns that its number has gone to something else, when every node must show it', async () => {
  const { world, send } = laneElsewhere()
  expect(await send()).toBe('unknown')
  world.mined = 8n
  expect(await send()).toBe('unknown')
  world.now += 4999
  expect(await send()).toBe('unknown')
  world.now += 1
  expect(await send()).toBe('nonce_taken')
})

test('and a number that is free again was not taken', async () => {
  const { world, send } = laneElsewhere()
  world.mined = 8n
  expect(await send()).toBe('unknown')
  world.mined = 7n
  world.now += 6000
  expect(await send()).toBe('unknown')
  world.mined = 8n
  expect(await send()).toBe('unknown')
})
