import { getBase58Codec } from '@solana/kit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatBase58, parseBase58 } from './base58.js'

test('text and bytes stand for each other, as in kit', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const text = formatBase58(bytes)
      expect(text).toBe(getBase58Codec().decode(bytes))
      expect(parseBase58(text)).toEqual(bytes)
    }),
  )
})

test('foreign characters stand for nothing', () => {
  expect(['0', 'O', 'I', 'l', 'a b', 'é'].map(parseBase58)).toEqual(new Array(6).fill(undefined))
})
