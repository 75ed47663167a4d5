import { expect, test } from 'vitest'
import { createLane, type LaneOptions } from './lane.js'

test('INV-8 who carries a payment whose lane another holds learns that its number has gone to something else, when every node must show it', async () => {
  let now = 1000
  let mined = 7n
  const chain = { network: 'eip155:84532', nextNonce: async () => mined, minedNonce: async () => mined }
  const lane = createLane({ chain, signer: '0xf1', clock: () => now, timers: {} } as unknown as LaneOptions)
  const send = async () => (await lane.send({ hash: 'a', signer: '0xf1', nonce: 7n, raw: '0x' })).status
  expect(await send()).toBe('unknown')
  mined = 8n
  expect(await send()).toBe('unknown')
  now += 4999
  expect(await send()).toBe('unknown')
  now += 1
  expect(await send()).toBe('nonce_taken')
})

test('and a number that is free again was not taken', async () => {
  let now = 1000
  let mined = 8n
  const chain = { network: 'eip155:84532', nextNonce: async () => mined, minedNonce: async () => mined }
  const lane = createLane({ chain, signer: '0xf1', clock: () => now, timers: {} } as unknown as LaneOptions)
  const send = async () => (await lane.send({ hash: 'a', signer: '0xf1', nonce: 7n, raw: '0x' })).status
  expect(await send()).toBe('unknown')
  mined = 7n
  now += 6000
  expect(await send()).toBe('unknown')
  mined = 8n
  expect(await send()).toBe('unknown')
})
