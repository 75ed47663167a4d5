import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { asciiJson, decodeJsonObject } from './json.js'

test.each([
  ['{"a":1,"a":2}', 'a member stands twice in one object'],
  ['{"a":{"b":1,"c":{},"b":2}}', 'a member stands twice in one object'],
  ['{"a":[{"x":1},{"x":1,"x":1}]}', 'a member stands twice in one object'],
  ['{"a":1,"\\u0061":2}', 'a member stands twice in one object'],
  ['{"__proto__":1,"__proto__":2}', 'a member stands twice in one object'],
  [`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`, 'nested deeper than 16'],
  [`{"a":${'['.repeat(16)}${']'.repeat(16)}}`, 'nested deeper than 16'],
  ['[]', 'not a JSON object'],
  ['null', 'not a JSON object'],
  ['"{}"', 'not a JSON object'],
  ['{', 'not JSON'],
  ['', 'not JSON'],
  ['{"a":1}x', 'not JSON'],
  ['\ufeff{}', 'not JSON'],
])('refuses %j', (text, detail) =>
  expect(decodeJsonObject(text)).toEqual({ ok: false, code: 'invalid_payload', detail }),
)

test.each([
  '{"a":"a","b":"a"}',
  '{"a":{"a":{"a":1}}}',
  '{"a":["a","a",{"a":1}]}',
  '{"a\\"":1,"a":2}',
  '{"a":"\\\\","b":"{\\"a\\":1"}',
  ' {\n"a" : 1 , "b":[ ] } ',
])('takes %j', (text) => expect(decodeJsonObject(text)).toEqual({ ok: true, value: JSON.parse(text) }))

test('agrees with JSON.parse on every object that has no doubled member', () => {
  const arbJson = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 6 })).map((object) => JSON.stringify(object))
  fc.assert(
    fc.property(arbJson, (text) => {
      expect(decodeJsonObject(text)).toEqual({ ok: true, value: JSON.parse(text) })
    }),
  )
})

test('finds a doubled member wherever it stands', () => {
  const arbDoubled = fc
    .tuple(fc.string(), fc.jsonValue({ maxDepth: 2 }), fc.nat(3), fc.boolean())
    .map(([name, value, depth, inList]) => {
      const doubled = `{${JSON.stringify(name)}:${JSON.stringify(value)},"between":[],${JSON.stringify(name)}:0}`
      return `{"outer":${inList ? '[1,' : ''}${'{"in":'.repeat(depth)}${doubled}${'}'.repeat(depth)}${inList ? ']' : ''}}`
    })
  fc.assert(
    fc.property(arbDoubled, (text) => {
      expect(decodeJsonObject(text)).toMatchObject({ ok: false, code: 'invalid_payload' })
    }),
  )
})

test('asciiJson is ASCII and means the same', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
      expect(asciiJson(value)).toMatch(/^[\x20-\x7e]*$/)
      expect(JSON.parse(asciiJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
