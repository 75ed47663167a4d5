import { X402Error } from '@groat/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inPieces } from './log-pieces.js'
import type { EvmRpc, Log, LogFilter } from './rpc.js'

const HEAD = 1000n

/** A node with a log in each of these blocks, which answers so many blocks at once. */
function nodeWith(blocks: readonly number[], most: number) {
  const asked: bigint[] = []
  const rpc: Pick<EvmRpc, 'logs' | 'latestBlock'> = {
    latestBlock: async () => ({ number: HEAD, timestamp: 0n, baseFee: 0n }),
    async logs({ fromBlock, toBlock = HEAD }) {
      const size = toBlock - fromBlock + 1n
      asked.push(size)
      if (size > BigInt(most)) {
        const cause = new Error(`block range is too wide: ${most} at the most`)
        throw new X402Error('rpc_unreachable', { method: 'eth_getLogs', code: -32602 }, { cause })
      }
      const found = blocks.filter((block) => fromBlock <= BigInt(block) && BigInt(block) <= toBlock)
      return found.map((block) => ({ logIndex: block }) as Log)
    },
  }
  return { rpc, asked }
}

const filter = (fromBlock: bigint, toBlock?: bigint) =>
  ({ address: '0x01', topics: [], fromBlock, ...(toBlock === undefined ? {} : { toBlock }) }) as unknown as LogFilter

test('what a node finds too wide is read in pieces, each log once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { maxLength: 20 }),
      fc.integer({ min: 20, max: 1200 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
      async (blocks, most, from, to) => {
        const { rpc, asked } = nodeWith(blocks, most)
        const logs = inPieces(rpc)
        const expected = blocks.filter((block) => block >= from && block <= (to ?? 1000)).sort((a, b) => a - b)
        for (let times = 0; times < 2; times++) {
          asked.length = 0
          const found = await logs(filter(BigInt(from), to === undefined ? undefined : BigInt(to)))
          expect(found.map(({ logIndex }) => logIndex).sort((a, b) => a - b)).toEqual(expected)
        }
        // By then it is known how much is answered.
        expect(asked.every((size) => size <= BigInt(most))).toBe(true)
      },
    ),
  )
})

test('a node that answers next to nothing at once is not asked for ever, and what it says otherwise is said', async () => {
  const { rpc, asked } = nodeWith([1], 5)
  const logs = inPieces(rpc)
  for (let times = 0; times < 2; times++)
    await expect(logs(filter(1n))).rejects.toMatchObject({ code: 'rpc_unreachable' })
  expect(asked.length).toBeLessThan(250)
  const away = new X402Error('rpc_unreachable', { method: 'eth_getLogs' })
  const broken = inPieces({ ...rpc, logs: () => Promise.reject(away) })
  await expect(broken(filter(1n))).rejects.toBe(away)
})

test('who is asked too often is asked no less at once for it', async () => {
  const { rpc, asked } = nodeWith([1], 1000)
  const cause = new Error('rate limit exceeded: 25 requests a second at most')
  const busy = new X402Error('rpc_unreachable', { method: 'eth_getLogs', code: -32000 }, { cause })
  let isBusy = true
  const logs = inPieces({ ...rpc, logs: (range) => (isBusy ? Promise.reject(busy) : rpc.logs(range)) })
  await expect(logs(filter(1n))).rejects.toBe(busy)
  isBusy = false
  expect(await logs(filter(1n))).toHaveLength(1)
  expect(asked).toEqual([1000n])
})
