import { network } from '@groat/core'
import { expect, test } from 'vitest'
import { createMoves } from './moves.js'

test('INV-11 the newest block in which a payer has moved money is known as long as a node of its network may be late', () => {
  let now = 0
  const [quick, slow] = [network('base'), network('base-sepolia')]
  const moves = createMoves(
    () => now,
    (on) => (on === quick ? 100 : 1000),
  )
  const payers = [quick, slow].map((on) => ({ network: on, payer: '0x01' }))
  const known = () => payers.map((payer) => moves.latest(payer))
  expect(known()).toEqual([undefined, undefined])
  for (const payer of payers) for (const block of [8n, 7n]) moves.note(payer, block)
  expect(known()).toEqual([8n, 8n])
  expect(payers.map((payer) => moves.latest(payer, [5n, 9n, 6n]))).toEqual([9n, 9n])
  now = 100
  expect(known()).toEqual([undefined, 8n])
  moves.note({ network: slow, payer: '0x02' }, 9n)
  expect(known()).toEqual([undefined, 8n])
  now = 1000
  expect(known()).toEqual([undefined, undefined])
  expect(moves.latest({ network: quick, payer: '0x01' }, [3n])).toBe(3n)
})

test('INV-11 a block that a node made up is known no longer than its own time, whatever is noted after it', () => {
  let now = 0
  const payer = { network: network('base'), payer: '0x01' }
  const moves = createMoves(
    () => now,
    () => 100,
  )
  moves.note(payer, 10n ** 15n)
  now = 60
  moves.note(payer, 7n)
  moves.note(payer, 8n)
  expect(moves.latest(payer)).toBe(10n ** 15n)
  now = 100
  expect(moves.latest(payer)).toBe(8n)
  now = 160
  expect(moves.latest(payer)).toBe(undefined)
})
