import { createSolanaRpcSubscriptions, generateKeyPairSigner } from '@solana/kit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { useSvm } from '../../test/svm-kit.js'
import { type SvmChain, startSvmChain } from '../index.js'
import { wsUrlOf } from './remote.js'

const own = useSvm({ rpcUrl: false, tick: 20 })
let guest: SvmChain
beforeAll(async () => {
  guest = await startSvmChain({ rpcUrl: own.chain.rpcUrl })
})
afterAll(() => guest.stop())

test('a node that runs already is used, and left running', async () => {
  expect({ rpcUrl: guest.rpcUrl, wsUrl: guest.wsUrl, network: guest.network }).toEqual({
    rpcUrl: own.chain.rpcUrl,
    wsUrl: own.chain.wsUrl,
    network: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1',
  })
  const { address } = await generateKeyPairSigner()
  expect([await guest.balance(address), await guest.lamports(address)]).toEqual([0n, 0n])
  await guest.fund(address, 5n)
  await guest.fund(address, 5n)
  expect([await guest.balance(address), await own.chain.balance(address)]).toEqual([10n, 10n])
  expect(await guest.lamports(guest.account('payer').address)).toBe(100_000_000_000n)
  const slots = createSolanaRpcSubscriptions(guest.wsUrl)
  const ending = new AbortController()
  for await (const { slot } of await slots.slotNotifications().subscribe({ abortSignal: ending.signal })) {
    expect(slot).toBeGreaterThan(0n)
    break
  }
  ending.abort()
  await guest.stop()
  expect(await own.call('getHealth')).toBe('ok')
})

test('blocks are waited for', async () => {
  const before = await guest.slot()
  await guest.step(3)
  expect(await guest.slot()).toBeGreaterThanOrEqual(before + 3n)
  const { blockhash } = await own.blockhash()
  await guest.expireBlockhashes()
  expect((await own.call('isBlockhashValid', blockhash, { commitment: 'processed' })).value).toBe(false)
})

test('levers that a node does not have are named', async () => {
  const pulls = {
    setTick: () => guest.setTick('off'),
    warp: () => guest.warp(1),
    intercept: async () => guest.intercept(() => 'drop'),
    freeze: async () => guest.freeze(),
    getAccount: () => guest.getAccount(guest.usdc),
    setAccount: () => guest.setAccount(guest.usdc, undefined),
    addProgram: () => guest.addProgram(guest.usdc, new Uint8Array()),
    snapshot: () => guest.snapshot(),
    startNode: () => guest.startNode(),
  }
  for (const [name, pull] of Object.entries(pulls)) {
    await expect(pull(), name).rejects.toMatchObject({ code: 'cheat_missing', message: expect.stringContaining(name) })
  }
})

test('a node without the sandbox’s USDC is another chain; one that is not there is unreachable', async () => {
  const bare = await startSvmChain({ rpcUrl: false })
  await bare.setAccount(bare.usdc, undefined)
  await expect(startSvmChain({ rpcUrl: bare.rpcUrl })).rejects.toMatchObject({ code: 'wrong_chain' })
  await bare.stop()
  await expect(startSvmChain({ rpcUrl: bare.rpcUrl })).rejects.toMatchObject({ code: 'chain_unreachable' })
})

test('subscriptions are on the next port, when there is one', () => {
  expect(['http://127.0.0.1:8899', 'https://rpc.test', 'https://rpc.test/key?a=1'].map(wsUrlOf)).toEqual([
    'ws://127.0.0.1:8900',
    'wss://rpc.test',
    'wss://rpc.test/key?a=1',
  ])
})
