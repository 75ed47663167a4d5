import { expect, test } from 'vitest'
import { createSkewedClock } from './index.js'

test('a clock is right, ahead, behind, too fast and too slow', () => {
  let real = 1_000
  const clock = createSkewedClock(() => real)
  const after = (ms: number) => {
    real += ms
    return clock()
  }
  const seen = [after(100)]
  clock.skew(5_000)
  seen.push(after(100))
  clock.drift(2)
  seen.push(after(100))
  clock.skew(-10_000)
  clock.drift(0.5)
  seen.push(after(100))
  expect(seen).toEqual([1_100, 6_200, 6_400, -3_550])
})
