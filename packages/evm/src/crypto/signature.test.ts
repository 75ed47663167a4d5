import * as fc from 'fast-check'
import { parseErc6492Signature, serializeErc6492Signature } from 'viem'
import { expect, test } from 'vitest'
import { formatHex } from '../hex.js'
import { isErc6492, parseSignature, unwrapErc6492 } from './signature.js'

test('a signature is hex of at most 4096 bytes', () => {
  expect(parseSignature(`0x${'00'.repeat(65)}`)).toHaveLength(65)
  expect(parseSignature('0x')).toHaveLength(0)
  expect(parseSignature(`0x${'00'.repeat(4096)}`)).toHaveLength(4096)
  expect(parseSignature(`0x${'00'.repeat(4097)}`)).toBeUndefined()
  expect(parseSignature('d6f6')).toBeUndefined()
})

test('an ERC-6492 envelope opens to what viem put in', async () => {
  const bytes = fc.uint8Array({ maxLength: 300 })
  await fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), bytes, bytes, (factory, calldata, signature) => {
      const wrapped = parseSignature(
        serializeErc6492Signature({
          address: formatHex(factory),
          data: formatHex(calldata),
          signature: formatHex(signature),
        }),
      )!
      expect(isErc6492(wrapped)).toBe(true)
      expect(unwrapErc6492(wrapped)).toEqual({ factory: formatHex(factory), factoryCalldata: calldata, signature })
    }),
  )
})

test('a damaged envelope stays shut, and nothing throws', async () => {
  const mark = '6492'.repeat(16)
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (body) => {
      const wrapped = parseSignature(`${formatHex(body)}${mark}`)!
      expect(isErc6492(wrapped)).toBe(true)
      const opened = unwrapErc6492(wrapped)
      if (opened) expect(formatHex(opened.signature)).toBe(parseErc6492Signature(formatHex(wrapped)).signature)
      expect(unwrapErc6492(body)).toBeUndefined()
    }),
  )
})
