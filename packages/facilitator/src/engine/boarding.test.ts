import { expect, test } from 'vitest'
import type { Timers } from '../timers.js'
import { createBoarding } from './boarding.js'

const groups = {
  joins: () => true,
  company: () => [],
  admits: async () => true,
  join: () => undefined,
}

/** A line before a lane whose time passes at the press of a button. */
function line(withGroups = true) {
  let pass = () => {}
  const timers = {
    after(_: number, call: () => void) {
      pass = call
      return () => {}
    },
  } as unknown as Timers
  const boarding = createBoarding(withGroups ? groups : undefined, () => 0, timers)
  const watch = () => {
    const seen = { over: false }
    void boarding.gather(10).then(() => {
      seen.over = true
    })
    return seen
  }
  return { boarding, watch, pass: () => pass() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('the first in line waits for those who are on the way, and not for those who set out later', async () => {
  const { boarding, watch } = line()
  const [first, second] = [boarding.expect(), boarding.expect()]
  const gathered = watch()
  const later = boarding.expect()
  first()
  await turn()
  expect(gathered.over).toBe(false)
  second()
  await turn()
  expect(gathered.over).toBe(true)
  later()
})

test('it waits for its time and no longer', async () => {
  const { boarding, watch, pass } = line()
  boarding.expect()
  const gathered = watch()
  await turn()
  expect(gathered.over).toBe(false)
  pass()
  await turn()
  expect(gathered.over).toBe(true)
})

test('it waits for nobody where nobody is on the way, or where nobody may travel together', async () => {
  const alone = line().watch()
  const { boarding, watch } = line(false)
  boarding.expect()
  const apart = watch()
  await turn()
  expect([alone.over, apart.over]).toEqual([true, true])
})
