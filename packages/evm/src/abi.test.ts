import * as fc from 'fast-check'
import { encodeAbiParameters, encodeFunctionData, parseAbi } from 'viem'
import { expect, test } from 'vitest'
import { decodeInteger, decodeString, encodeCall, encodeCallWithBytes } from './abi.js'
import { formatHex } from './hex.js'

test('call data is that of viem', async () => {
  const abi = parseAbi(['function f(address a, uint256 b, bytes32 c)', 'function g(bytes32 a, uint256 b, bytes c)'])
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(formatHex)
  const uint = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
  await fc.assert(
    fc.property(bytes(20), uint, bytes(32), fc.uint8Array({ maxLength: 200 }), (a, b, c, d) => {
      const f = encodeFunctionData({ abi, functionName: 'f', args: [a, b, c] })
      expect(encodeCall(f.slice(0, 10) as `0x${string}`, a, b, c)).toBe(f)
      const g = encodeFunctionData({ abi, functionName: 'g', args: [c, b, formatHex(d)] })
      expect(encodeCallWithBytes(g.slice(0, 10) as `0x${string}`, [c, b], d)).toBe(g)
    }),
  )
})

test('answers are read as viem writes them', async () => {
  await fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(decodeString(encodeAbiParameters([{ type: 'string' }], [text]))).toBe(text)
    }),
  )
  expect(decodeInteger(encodeAbiParameters([{ type: 'uint256' }], [2n ** 200n]))).toBe(2n ** 200n)
})

test('what is no answer is undefined, and nothing throws', async () => {
  expect(decodeInteger('0x')).toBeUndefined()
  expect(decodeInteger('0x01')).toBeUndefined()
  expect(decodeString('0x')).toBeUndefined()
  expect(decodeString(encodeAbiParameters([{ type: 'bytes32' }], [`0x${'41'.repeat(32)}`]))).toBeUndefined()
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeString(formatHex(bytes))
    }),
  )
})
