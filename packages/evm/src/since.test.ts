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
      // The one part says 7.
      const part = `${word(1n)}${word(64n)}${word(32n)}${word(7n)}`
      return { ok: true, data: to === MULTICALL3 ? `0x${word(32n)}${word(1n)}${word(32n)}${part}` : '0x01' }
    },
  } as unknown as EvmRpc
  return { blocks, rpc, chain: { network: 'eip155:8453', rpc } as unknown as EvmChain }
}

test('INV-11 what is asked since a block is asked of no node that is behind it, and of none that has not what it is asked at', async () => {
  await fc.assert(
    fc.asyncProperty(height, height, height, async (told, runs, since) => {
      const { chain, blocks } = nodesAt(told, runs)
      const late = chainSince(chain, since)
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
  expect(chainSince(chain, undefined)).toBe(chain)
  await chainSince(chain, 9n).rpc.call(request, 'pending')
  await chainSince(chain, 9n).rpc.call(request, 4n)
  expect(blocks).toEqual(['pending', 4n])
})

test('INV-11 what is tried in company since a block is tried at one that is no older, apart from what is tried at the newest', async () => {
  await fc.assert(
    fc.asyncProperty(height, height, height, async (told, runs, since) => {
      const { chain, rpc, blocks } = nodesAt(told, runs)
      const together = createTogether(rpc)
      const late = chainSince({ ...chain, tryTogether: together }, since)
      const trial = { calls: [request], payer: '0x02' as Address, payTo: '0x03' as Address }
      const seven = [{ ok: true, data: `0x${word(7n)}` }]
      const newest = together(trial)
      const tried = late.tryTogether?.(trial)
      if (told < since) await expect(tried).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
      else if (runs < told) await expect(tried).rejects.toThrow('header not found')
      else expect(await tried).toEqual(seven)
      expect(await newest).toEqual(seven)
      expect(blocks).toEqual(told < since ? ['latest'] : ['latest', told])
    }),
  )
})

test('payments are company only where they are tried at the same block', async () => {
  const { rpc, blocks } = nodesAt(5n, 5n)
  const together = createTogether(rpc)
  const payTo = '0x03' as Address
  const trials = [4n, 5n, undefined].map((block, at) => ({
    calls: [request],
    payer: `0x1${at}` as Address,
    payTo,
    block,
  }))
  await Promise.all(trials.map(together))
  expect(blocks).toEqual([4n, 5n, 'latest'])
})
