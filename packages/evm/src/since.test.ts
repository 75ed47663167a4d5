import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Address } from './address.js'
import type { EvmChain } from './chain.js'
import { MULTICALL3 } from './multicall.js'
import type { EvmRpc } from './rpc.js'
import { chainSince } from './since.js'
import { createTogether } from './together.js'

const word = (value: bigint) => value.toString(16).padStart(64, '0')
const height = fc.bigInt({ min: 1n, max: 9n })
const request = { to: '0x01' as Address, data: '0x' } as const

/** Nodes behind one address: one says how far the chain is, another runs the calls, and may be as far or not. */
function nodesAt(told: bigint, runs: bigint) {
  const blocks: unknown[] = []
  const rpc = {
    latestBlock: async () => ({ number: told, timestamp: 0n, baseFee: 0n }),
    async call({ to }: { to: Address }, block: unknown = 'latest') {
      blocks.push(block)
      if (typeof block === 'bigint' && block > runs) throw new Error('header not found')
      if (to !== MULTICALL3) return { ok: true, data: '0x01' }
      const part = (data: string) => `${word(1n)}${word(64n)}${word(BigInt(data.length / 2))}${data.padEnd(64, '0')}`
      const parts = [part(word(7n)), part(word(runs))]
      return { ok: true, data: `0x${word(32n)}${word(2n)}${word(64n)}${word(64n + 128n)}${parts.join('')}` }
    },
  } as unknown as EvmRpc
  return { blocks, rpc, chain: { network: 'eip155:8453', rpc } as unknown as EvmChain }
}

test('INV-11 what is asked since a block is asked of no node that is behind it, and of none that has not what it is asked at', async () => {
  await fc.assert(
    fc.asyncProperty(height, height, height, async (told, runs, since) => {
      const { chain, blocks } = nodesAt(told, runs)
      const late = chainSince(chain, undefined, since)
      const asked = Promise.all([late.rpc.call(request), late.rpc.call(request)])
      if (told < since) await expect(asked).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
      else if (runs < told) await expect(asked).rejects.toThrow('header not found')
      else expect(await asked).toHaveLength(2)
      expect(blocks).toEqual(told < since ? [] : [told, told])
    }),
  )
})

test('what names its block, and what is asked since none, is asked as before', async () => {
  const { chain, blocks } = nodesAt(5n, 5n)
  expect(chainSince(chain, undefined, undefined)).toBe(chain)
  await chainSince(chain, undefined, 9n).rpc.call(request, 'pending')
  await chainSince(chain, undefined, 9n).rpc.call(request, 4n)
  expect(blocks).toEqual(['pending', 4n])
})

test('INV-11 what is tried in company says of which block it is: by an older one nothing is known', async () => {
  const { chain, rpc, blocks } = nodesAt(5n, 5n)
  const trial = { calls: [request], payer: '0x02' as Address, payTo: '0x03' as Address }
  const together = createTogether(rpc)
  const tried = (since: bigint | undefined) => chainSince(chain, together, since).tryTogether?.(trial)
  expect(await tried(5n)).toEqual([{ ok: true, data: `0x${word(7n)}` }])
  expect(await tried(6n)).toEqual([{ ok: false, data: '0x' }])
  expect(await together(trial)).toEqual([{ ok: true, data: `0x${word(7n)}` }])
  expect(blocks).toEqual(['latest', 'latest', 'latest'])
})
