import { expect, test } from 'vitest'
import { oneLine, show } from './finding.js'
import { parseJson } from './json.js'

test('what is nested so deep that looking at it would end the run is no JSON', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  expect([parseJson(nested(256)) === undefined, parseJson(nested(257))]).toEqual([false, undefined])
  expect(parseJson(`{"deep":${nested(300_000)}}`)).toBeUndefined()
  // Brackets in strings are text, whatever is escaped there.
  const text = `"\\${'['.repeat(1_000)}\\\\`
  expect(parseJson(JSON.stringify({ text }))).toEqual({ text })
  // Neither broken text nor a very long one takes long.
  expect(parseJson('"\\'.repeat(500_000))).toBeUndefined()
})

test('text of a target is one line without commands to a terminal', () => {
  const hostile = 'no\r\n::error::x\u001b[2J\u009b31m\u202eyes'
  expect(oneLine(hostile)).toBe('no\\r\\n::error::x\\u001b[2J\\u009b31m\\u202eyes')
  expect(oneLine(oneLine(hostile))).toBe(oneLine(hostile))
  expect(show({ reason: '\u009b' })).toBe('{"reason":"\\u009b"}')
})
