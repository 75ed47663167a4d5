import { type ChainDriver, network } from '@groat/core'
import { expect, test } from 'vitest'
import type { Journal } from '../journal/journal.js'
import type { Timers } from '../timers.js'
import { createWatcher } from './watcher.js'

const NETWORK = network('base-sepolia')

/** A chain of named blocks, the evidence that names some of them, and a look at the press of a button. */
function watched() {
  const hashes = new Map<bigint, string>()
  const evidence: { number: bigint; hash: string }[] = []
  const asked: bigint[] = []
  const gone: string[] = []
  let look = () => {}
  const chain = {
    network: NETWORK,
    head: async () => ({ latest: 1000n, safe: 0n, final: 0n }),
    async blockHash(number: bigint) {
      asked.push(number)
      return hashes.get(number)
    },
  } as unknown as ChainDriver
  const journal = {
    watchedBlocks: async () => evidence,
    watchedUpTo: async () => [],
    async watchedIn(_: string, { hash }: { hash: string }) {
      gone.push(hash)
      return []
    },
  } as unknown as Journal
  let looked = () => {}
  const timers = {
    background(_: number, run: () => void) {
      look = run
      looked()
      return () => {}
    },
  } as unknown as Timers
  const watcher = createWatcher({
    ...{ journal, chains: () => [chain], reopen: async () => {}, clock: () => 0, timers, interval: 1 },
    blockOf: async () => undefined,
    onFinal() {},
    onReorg() {},
    onError(error) {
      throw error
    },
  })
  watcher.start()
  return {
    hashes,
    gone,
    settleIn(number: bigint) {
      evidence.push({ number, hash: `block ${number}` })
      hashes.set(number, hashes.get(number) ?? `block ${number}`)
    },
    async look() {
      asked.length = 0
      const done = new Promise<void>((resolve) => {
        looked = resolve
      })
      look()
      await done
      return asked.toSorted((a, b) => Number(a - b))
    },
  }
}

test('a block is asked after once while the newest one stands', async () => {
  const chain = watched()
  for (const number of [5n, 6n, 7n]) chain.settleIn(number)
  expect(await chain.look()).toEqual([5n, 6n, 7n])
  chain.settleIn(8n)
  expect(await chain.look()).toEqual([7n, 8n])
  expect(await chain.look()).toEqual([8n])
  expect(chain.gone).toEqual([])
})

test('what is found in a block of a branch that was given up is seen though newer blocks stand', async () => {
  const chain = watched()
  chain.settleIn(9n)
  await chain.look()
  chain.hashes.set(6n, 'another block 6')
  chain.settleIn(6n)
  await chain.look()
  expect(chain.gone).toEqual(['block 6'])
})

test('when the newest one is gone, all are compared', async () => {
  const chain = watched()
  for (const number of [5n, 6n, 7n]) chain.settleIn(number)
  await chain.look()
  for (const number of [6n, 7n]) chain.hashes.set(number, `another block ${number}`)
  await chain.look()
  expect(chain.gone).toEqual(['block 6', 'block 7'])
})
