import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { portableSha256Hex, sha256Hex } from './sha256.js'

test.each([
  ['here', sha256Hex],
  ['without Node', portableSha256Hex],
])('%s, it agrees with the platform on every input', (_, sha256Hex) => {
  const platform = (input: Uint8Array | string) => createHash('sha256').update(input).digest('hex')
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => sha256Hex(bytes) === platform(bytes)))
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => sha256Hex(text) === platform(text)))
  for (const length of [55, 56, 63, 64, 65, 119, 120, 128])
    expect(sha256Hex('a'.repeat(length))).toBe(platform('a'.repeat(length)))
})
