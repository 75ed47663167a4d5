import { multicall3Address } from '@groat/sandbox'
import fc from 'fast-check'
import { decodeFunctionData, encodeFunctionResult, type Hex, parseAbi } from 'viem'
import { expect, test } from 'vitest'
import type { Address } from './address.js'
import { decodeAggregate, encodeAggregate, MULTICALL3 } from './multicall.js'

const abi = parseAbi([
  'struct Call3 { address target; bool allowFailure; bytes callData; }',
  'struct Result { bool success; bytes returnData; }',
  'function aggregate3(Call3[] calls) payable returns (Result[])',
])
const bytes = fc.uint8Array({ maxLength: 100 }).map((each): Hex => `0x${Buffer.from(each).toString('hex')}`)
const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((each) => `0x${Buffer.from(each).toString('hex')}` as Address)

test('many calls are written as Multicall3 reads them', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ to: address, data: bytes }), { maxLength: 6 }), (calls) => {
      const { args } = decodeFunctionData({ abi, data: encodeAggregate(calls) })
      expect(args[0].map(({ target, callData }) => ({ to: target.toLowerCase(), data: callData }))).toEqual(calls)
      expect(args[0].every(({ allowFailure }) => allowFailure)).toBe(true)
    }),
  )
})

test('and what it answers is read back; anything else is no answer', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ ok: fc.boolean(), data: bytes }), { maxLength: 6 }), fc.nat(), (outcomes, cut) => {
      const result = outcomes.map(({ ok, data }) => ({ success: ok, returnData: data }))
      const data = encodeFunctionResult({ abi, functionName: 'aggregate3', result })
      expect(decodeAggregate(data, outcomes.length)).toEqual(outcomes)
      expect(decodeAggregate(data, outcomes.length + 1)).toBeUndefined()
      expect(() => decodeAggregate(data.slice(0, 2 + (cut % data.length)) as Hex, outcomes.length)).not.toThrow()
    }),
  )
})

test('the address is the one that the sandbox places it at', () => {
  expect(multicall3Address.toLowerCase()).toBe(MULTICALL3)
})
