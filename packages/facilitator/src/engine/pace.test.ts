import { network } from '@groat/core'
import { expect, test } from 'vitest'
import type { Timers } from '../timers.js'
import { createPace } from './pace.js'
import { createSlots } from './slots.js'

/** A lane on a chain that makes a block every twelve seconds, with one transaction that waits for the next, and time that a test lets go by. */
function laneOf() {
  const world = { now: 0 }
  const due: { readonly at: number; readonly call: () => void }[] = []
  const timers = {
    after(milliseconds: number, call: () => void) {
      const mine = { at: world.now + milliseconds, call }
      due.push(mine)
      return () => void (due.includes(mine) && due.splice(due.indexOf(mine), 1))
    },
  } as Timers
  const slots = createSlots({ network: network('eip155:1'), clock: () => world.now, onNew: () => {} })
  const pace = createPace({ slots, clock: () => world.now, timers, depth: 4 })
  const send = (nonce: bigint) => slots.keep({ hash: `h${nonce}`, signer: '0xf1', nonce, raw: '0x' }, false)
  const pass = async (milliseconds: number) => {
    world.now += milliseconds
    for (const each of due.splice(0).filter((mine) => mine.at <= world.now || !due.push(mine))) each.call()
    await new Promise(setImmediate)
  }
  const blocks = async () => {
    for (let nonce = 0n; nonce < 20n; nonce++) {
      const slot = send(nonce)
      await pass(12_000)
      slots.include(slot)
      slots.drop(slot)
    }
  }
  const leaves = () => {
    const departure = { hasLeft: false }
    void pace.next().then(() => {
      departure.hasLeft = true
    })
    return departure
  }
  return { pace, slots, send, pass, blocks, leaves }
}

test('while there is room for all who come, nobody waits', async () => {
  const { blocks, pace, send, pass, leaves } = laneOf()
  await blocks()
  send(20n)
  pace.left(1)
  const next = leaves()
  await pass(0)
  expect(next.hasLeft).toBe(true)
})

test('once there was none, departures are spread over the time between two blocks, until nobody comes along', async () => {
  const { blocks, pace, send, pass, leaves } = laneOf()
  await blocks()
  pace.full()
  send(20n)
  pace.left(5)
  const next = leaves()
  await pass(2900)
  expect(next.hasLeft).toBe(false)
  await pass(200)
  expect(next.hasLeft).toBe(true)
  pace.left(1)
  const alone = leaves()
  await pass(0)
  expect(alone.hasLeft).toBe(true)
})

test('what is stuck for long, and all that stands behind it, changes little for those that leave after it', async () => {
  const { blocks, pace, slots, send, pass, leaves } = laneOf()
  await blocks()
  pace.full()
  const stuck = [20n, 21n, 22n, 23n].map(send)
  await pass(600_000)
  stuck.forEach(slots.drop)
  for (let nonce = 24n; nonce < 27n; nonce++) {
    const waiting = send(nonce)
    pace.left(5)
    const next = leaves()
    await pass(6100)
    expect(next.hasLeft).toBe(true)
    await pass(5900)
    slots.drop(waiting)
  }
})

test('a chain that slows down for good, or becomes fast, is known after a few blocks', async () => {
  const { blocks, slots, send, pass } = laneOf()
  const isQuickAfter = async (each: number) => {
    for (let nonce = 50n; nonce < 53n; nonce++) {
      const slot = send(nonce)
      await pass(each)
      slots.drop(slot)
    }
    return slots.isQuick
  }
  expect(slots.isQuick).toBe(true)
  await blocks()
  expect(slots.isQuick).toBe(false)
  expect(await isQuickAfter(5)).toBe(true)
  expect(await isQuickAfter(1000)).toBe(false)
})

test('a block that takes all that was under way makes room at once', async () => {
  const { blocks, pace, slots, send, pass, leaves } = laneOf()
  await blocks()
  pace.full()
  const waiting = send(20n)
  pace.left(5)
  const next = leaves()
  await pass(100)
  expect(next.hasLeft).toBe(false)
  slots.include(waiting)
  await pass(0)
  expect(next.hasLeft).toBe(true)
})

test('what was in a block that is gone waits for another one', async () => {
  const { blocks, pace, slots, send, pass, leaves } = laneOf()
  await blocks()
  pace.full()
  const undone = send(20n)
  await pass(12_000)
  slots.include(undone)
  slots.exclude(undone)
  pace.left(5)
  const next = leaves()
  await pass(100)
  expect(next.hasLeft).toBe(false)
  slots.include(undone)
  await pass(0)
  expect(next.hasLeft).toBe(true)
})
