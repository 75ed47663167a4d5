import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64Text, encodeBase64Text, MAX_HEADER_LENGTH } from './base64.js'

test('what is written is padded standard base64, and is read back with or without padding', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }), (text) => {
      const encoded = encodeBase64Text(text)
      expect(encoded).toMatch(/^[A-Za-z0-9+/]+={0,2}$/)
      expect(encoded.length % 4).toBe(0)
      expect(decodeBase64Text(encoded)).toEqual({ ok: true, value: text })
      expect(decodeBase64Text(encoded.replace(/=+$/, ''))).toEqual({ ok: true, value: text })
    }),
  )
})

test.each([
  ['empty', ''],
  ['base64url', '-_8='],
  ['white space', 'e3 0='],
  ['raw JSON', '{}'],
  ['three pads', 'e30==='],
  ['padding of the wrong length', 'e30=='],
  ['an impossible length', 'e30xA'],
  ['two values joined', 'e30=,e30='],
  ['a lone pad', '='],
  ['non-ASCII', 'é30='],
])('refuses %s', (_, encoded) => {
  expect(decodeBase64Text(encoded)).toMatchObject({
    ok: false,
    code: 'invalid_payload',
    detail: 'the header is not standard base64',
  })
})

test('refuses bytes that are not UTF-8, and keeps a byte-order mark for the JSON reader to refuse', () => {
  expect(decodeBase64Text(Buffer.from([0x7b, 0xe9, 0x7d]).toString('base64'))).toMatchObject({
    ok: false,
    detail: 'the header is not UTF-8',
  })
  expect(decodeBase64Text(Buffer.from('\ufeff{}').toString('base64'))).toEqual({ ok: true, value: '\ufeff{}' })
})

test('reads 16 KiB and not a character more', () => {
  const longest = 'A'.repeat(MAX_HEADER_LENGTH)
  expect(decodeBase64Text(longest).ok).toBe(true)
  expect(decodeBase64Text(`${longest}AAAA`)).toMatchObject({ ok: false, detail: 'the header is longer than 16 KiB' })
})

test('without Buffer, as in a browser, the bytes are the same', () => {
  const { Buffer: platform } = globalThis
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), (text) => {
      const encoded = encodeBase64Text(text)
      try {
        Reflect.deleteProperty(globalThis, 'Buffer')
        expect(encodeBase64Text(text)).toBe(encoded)
        expect(decodeBase64Text(encoded)).toEqual({ ok: true, value: text })
      } finally {
        globalThis.Buffer = platform
      }
    }),
  )
})
