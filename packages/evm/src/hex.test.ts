import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatHex, isHex, parseHex, writeHex } from './hex.js'

test('bytes survive the way to text and back, in either case', async () => {
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = formatHex(bytes)
      expect(text).toBe(`0x${Buffer.from(bytes).toString('hex')}`)
      expect(parseHex(text)).toEqual(bytes)
      expect(parseHex(`0x${text.slice(2).toUpperCase()}`)).toEqual(bytes)
      expect(isHex(text, bytes.length)).toBe(true)
    }),
  )
})

test('anything else is refused, and nothing throws', async () => {
  for (const text of [
    '',
    '0',
    '0x0',
    '0X00',
    'x000',
    '00',
    '0x0g',
    '0x/0',
    '0x:0',
    '0x@0',
    '0x`0',
    '0x é',
    '0x００',
    '0x 0',
  ]) {
    expect([text, parseHex(text)]).toEqual([text, undefined])
  }
  const strict = /^0x([0-9a-fA-F]{2})*$/
  await fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => (parseHex(text) !== undefined) === strict.test(text)),
  )
})

test('writeHex fills exactly its length', () => {
  const buffer = new Uint8Array(4)
  expect(writeHex('0xcafe', buffer, 1, 2)).toBe(true)
  expect(buffer).toEqual(Uint8Array.of(0, 0xca, 0xfe, 0))
  expect(writeHex('0xcafe', buffer, 0, 3)).toBe(false)
})
