import { afterEach, expect, test, vi } from 'vitest'
import { systemRandom } from './ports.js'

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('random bytes are as many as were asked for, and none comes twice', () => {
  const seen = new Set<string>()
  for (let turn = 0; turn < 300; turn++) {
    for (const length of [16, 32, 24, 64, 65, 512, 600]) {
      const bytes = systemRandom(length)
      expect(bytes).toHaveLength(length)
      expect(bytes.byteLength).toBe(bytes.buffer.byteLength)
      // Any eight in a row of different draws are different.
      for (let at = 0; at + 8 <= Math.min(length, 64); at += 8) seen.add(bytes.subarray(at, at + 8).join())
    }
  }
  expect(seen.size).toBe(300 * (2 + 4 + 3 + 8 * 4))
  expect(systemRandom(0)).toHaveLength(0)
})

test('what was given is forgotten, and what is left is not kept for longer than a second, whichever way the clock moves', () => {
  vi.useFakeTimers({ now: 1_000_000_000 })
  const drawers: Uint8Array[] = []
  const draw = crypto.getRandomValues.bind(crypto)
  vi.spyOn(crypto, 'getRandomValues').mockImplementation((into) => {
    drawers.push(into as unknown as Uint8Array)
    return draw(into)
  })
  systemRandom(32)
  expect(drawers).toHaveLength(1)
  const text = systemRandom(32).join()
  expect(drawers).toHaveLength(1)
  expect(drawers[0]!.join()).not.toContain(text)
  vi.setSystemTime(1_000_000_000 + 1_001)
  systemRandom(32)
  expect(drawers).toHaveLength(2)
  vi.setSystemTime(1_000_000_000)
  systemRandom(32)
  expect(drawers).toHaveLength(3)
})
