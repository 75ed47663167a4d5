import { expect, test } from 'vitest'
import type { Timers } from '../timers.js'
import { createBoarding, type Rider } from './boarding.js'

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

/** A payment in line, and what it is told. */
function rider(pid: string) {
  const told: unknown[] = []
  const record = { pid } as unknown as Rider['record']
  const waits: Rider = {
    record,
    undone: 0,
    call: {},
    late: () => false,
    alone: false,
    resolve: (word) => told.push(word),
    reject: (error) => told.push(error),
  }
  return { waits, told }
}

test('INV-11 who was checked before blocks were undone is sent back to be checked again, and nobody else', async () => {
  const { boarding } = line(false)
  const [early, late] = [rider('early'), rider('late')]
  boarding.wait({ ...early.waits, undone: 1 }, true)
  boarding.wait({ ...late.waits, undone: 2 }, true)
  boarding.sendBack(2)
  expect([early.told, late.told]).toEqual([['moved'], []])
  expect((await boarding.next()).map(({ record }) => record.pid)).toEqual(['late'])
})

test('INV-6 who was sent away while the chain was asked about it does not leave, and takes nobody’s place in line', async () => {
  let admit = (_: boolean) => {}
  const asked = new Promise<boolean>((resolve) => {
    admit = resolve
  })
  const together = { ...groups, company: (calls: readonly unknown[]) => [...calls.keys()], admits: () => asked }
  const boarding = createBoarding(together, () => 0, {} as Timers)
  const [first, second, third] = [rider('1'), rider('2'), rider('3')]
  boarding.wait(first.waits, false)
  boarding.wait(second.waits, false)
  const leaving = boarding.next()
  boarding.lose()
  boarding.wait(third.waits, false)
  admit(true)
  expect(await leaving).toEqual([])
  expect([first.told, second.told, third.told]).toEqual([['lost'], ['lost'], []])
  expect(boarding.size).toBe(1)
  expect(await boarding.next()).toEqual([third.waits])
})

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
