import { address, type Blockhash } from '@solana/kit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memo, signed, signerOf, transferUsdc } from '../../../test/svm-kit.js'
import { type SvmChain, startSvmChain, svmAccounts } from '../../index.js'
import { DecodeError } from './reader.js'
import { decodeTransaction, withBlockhash } from './transaction.js'

const blockhash = 'US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx' as Blockhash
let wire: Uint8Array
let chain: SvmChain
beforeAll(async () => {
  chain = await startSvmChain({ rpcUrl: false, tick: 'off' })
  const [payer, seller] = [await signerOf(svmAccounts[0].secretKey), address(svmAccounts[1].address)]
  const instructions = [await transferUsdc(payer, seller, 5n), memo('hello')]
  const text = (await signed(payer, instructions, { blockhash, lastValidBlockHeight: 0n })).wire
  wire = Uint8Array.from(Buffer.from(text, 'base64'))
})
afterAll(() => chain?.stop())

test('takes a transaction apart', () => {
  const { message, signatures, wire: own } = decodeTransaction(Uint8Array.from([...wire, 1, 2, 3]))
  expect(own).toEqual(wire)
  expect(signatures).toHaveLength(1)
  expect(message).toMatchObject({ version: 0, blockhash, requiredSignatures: 1, readonlySigned: 0, lookups: [] })
  expect(message.staticKeys[0]).toBe(svmAccounts[0].address)
  expect(message.instructions[1]?.data).toEqual(new TextEncoder().encode('hello'))
})

test('changes the blockhash and nothing else', () => {
  const before = decodeTransaction(wire)
  const after = decodeTransaction(withBlockhash(before, new Uint8Array(32)).wire)
  expect(after.message).toEqual({
    ...before.message,
    blockhash: '1'.repeat(32),
    bytes: expect.anything(),
    hash: expect.any(String),
  })
})

/** A transaction with some bytes changed, cut off or added. */
const damaged = fc.tuple(
  fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }),
  fc.option(fc.nat(600), { nil: undefined }),
  fc.uint8Array({ maxLength: 20 }),
)

function damage([changes, cut, tail]: [[number, number][], number | undefined, Uint8Array]): Buffer {
  const bytes = Buffer.concat([wire.subarray(0, cut), tail])
  for (const [place, value] of changes) if (place < bytes.length) bytes[place] = value
  return bytes
}

test('damaged bytes are refused, never more', () => {
  fc.assert(
    fc.property(damaged, (how) => {
      try {
        decodeTransaction(damage(how))
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('no bytes end the chain: it answers each with a result or an error of its own', async () => {
  await fc.assert(
    fc.asyncProperty(damaged, async (how) => {
      const params = [
        damage(how).toString('base64'),
        { encoding: 'base64', skipPreflight: true, replaceRecentBlockhash: true },
      ]
      const calls = ['sendTransaction', 'simulateTransaction'].map((method, id) => ({
        jsonrpc: '2.0',
        id,
        method,
        params,
      }))
      const response = await fetch(chain.rpcUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(calls),
      })
      const answers: Array<{ error?: { code: number } }> = await response.json()
      expect(answers.every(({ error }) => error === undefined || error.code === -32602)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
