import { expect, test } from 'vitest'
import { createLastKnown } from './last-known.js'
import type { Timers } from './timers.js'

/** Time that passes when the test says so. */
function virtualTime() {
  let now = 0
  const due = new Map<() => void, number>()
  const after = (milliseconds: number, call: () => void) => {
    due.set(call, now + milliseconds)
    return () => void due.delete(call)
  }
  const timers: Timers = { after, background: after, turn: () => Promise.resolve() }
  return {
    timers,
    clock: () => now,
    due,
    pass(milliseconds: number) {
      now += milliseconds
      for (const [call, at] of due) {
        if (at > now) continue
        due.delete(call)
        call()
      }
    },
  }
}

test('an answer that is late is the one before, until that is too old, and then none', async () => {
  const time = virtualTime()
  const answers: ((answer: number | Promise<never>) => void)[] = []
  let asked = 0
  const ask = createLastKnown(() => {
    asked += 1
    if (asked !== 2) return Promise.resolve(asked)
    return new Promise<number>((resolve) => answers.push(resolve))
  }, time)
  expect(await ask()).toEqual({ ok: true, value: 1 })
  const late = [ask(), ask()]
  time.pass(1_500)
  expect([await Promise.all(late), asked]).toEqual([
    [
      { ok: true, value: 1 },
      { ok: true, value: 1 },
    ],
    2,
  ])
  time.pass(9_000)
  const tooOld = ask()
  time.pass(1_500)
  expect([await tooOld, asked]).toEqual([undefined, 2])
  const gone = new Error('gone')
  answers[0]?.(Promise.reject(gone))
  expect(await ask()).toEqual({ ok: false, error: gone })
  expect([await ask(), asked, time.due.size]).toEqual([{ ok: true, value: 3 }, 3, 0])
})
