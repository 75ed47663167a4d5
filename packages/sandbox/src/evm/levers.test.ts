import { expect, test } from 'vitest'
import { usdc, useChain } from '../../test/kit.js'
import { evmAccounts, SandboxError } from '../index.js'
import { createJsonRpc } from './json-rpc.js'
import { word } from './usdc.js'

const on = useChain()
const sendEther = () => on.wallet('payer').sendTransaction({ to: seller, value: 1n })
const seller = evmAccounts[1].address

test('fund adds to the balance and to the supply, also at once', async () => {
  const supply = () => on.chain.client.readContract({ ...usdc, functionName: 'totalSupply' })
  const before = await supply()
  const height = await on.chain.client.getBlockNumber()
  await Promise.all([on.chain.fund(seller, 1n), on.chain.fund(seller, 2n), on.chain.fund(seller, 4n)])
  expect([await on.chain.balance(seller), (await supply()) - before]).toEqual([7n, 7n])
  expect(await on.chain.client.getBlockNumber()).toBe(height)
})

test('allow lets a spender take, and no more than that', async () => {
  const spender = evmAccounts[2].address
  const allowed = () => on.chain.client.readContract({ ...usdc, functionName: 'allowance', args: [seller, spender] })
  await on.chain.allow(seller, spender, 5n)
  expect(await allowed()).toBe(5n)
  await on.chain.allow(seller, spender, 0n)
  expect(await allowed()).toBe(0n)
})

test('mine makes blocks', async () => {
  const before = await on.chain.client.getBlockNumber()
  await on.chain.mine()
  await on.chain.mine(3)
  expect((await on.chain.client.getBlockNumber()) - before).toBe(4n)
})

test('setAutomine(false) leaves transactions pending until mine', async () => {
  await on.chain.setAutomine(false)
  const hash = await sendEther()
  await expect(on.chain.client.getTransactionReceipt({ hash })).rejects.toThrow('could not be found')
  await on.chain.mine()
  expect(await on.chain.client.getTransactionReceipt({ hash })).toMatchObject({ status: 'success' })
})

test('setIntervalMining makes blocks by itself', async () => {
  await on.chain.setIntervalMining(1)
  expect(await on.mined(sendEther())).toMatchObject({ status: 'success' })
})

test('warp moves the clock, and calls see it', async () => {
  const before = await on.chain.now()
  await on.chain.warp(3_600)
  expect(await on.chain.now()).toBeGreaterThanOrEqual(before + 3_600)
  expect(Number((await on.chain.client.getBlock()).timestamp)).toBeGreaterThanOrEqual(before + 3_600)
})

test('a snapshot brings back state, clock, pool, mining mode and price, again and again', async () => {
  const back = await on.chain.snapshot()
  const height = await on.chain.client.getBlockNumber()
  const before = await on.chain.now()
  const price = async () => (await on.chain.client.getBlock({ blockTag: 'pending' })).baseFeePerGas
  const cheap = await price()
  for (let round = 0; round < 2; round++) {
    await on.chain.fund(seller, 5n)
    await on.chain.warp(86_400)
    await on.chain.setAutomine(false)
    await sendEther()
    await on.chain.setNextBaseFee(20_000_000_000n)
    await back()
    expect(await price()).toBe(cheap)
    expect(await on.chain.balance(seller)).toBe(0n)
    expect(await on.chain.client.getBlockNumber()).toBe(height)
    expect((await on.chain.now()) - before).toBeLessThan(3_600)
    await on.chain.mine()
    expect((await on.chain.client.getBlock()).transactions).toEqual([])
    expect(await on.mined(sendEther())).toMatchObject({ status: 'success' })
  }
})

test('reorg takes transactions back', async () => {
  const nonce = () => on.chain.client.getTransactionCount({ address: on.chain.account('payer').address })
  const before = { height: await on.chain.client.getBlockNumber(), nonce: await nonce() }
  const { transactionHash } = await on.mined(sendEther())
  await on.chain.reorg(1)
  await expect(on.chain.client.getTransactionReceipt({ hash: transactionHash })).rejects.toThrow('could not be found')
  expect({ height: await on.chain.client.getBlockNumber(), nonce: await nonce() }).toEqual({
    height: before.height + 1n,
    nonce: before.nonce,
  })
  expect(await on.chain.balance(on.chain.account('payer').address)).toBe(1_000_000_000n)
})

test('dropTransaction takes a transaction out of the pool', async () => {
  await on.chain.setAutomine(false)
  const hash = await sendEther()
  await on.chain.dropTransaction(hash)
  await on.chain.mine()
  await expect(on.chain.client.getTransaction({ hash })).rejects.toThrow('could not be found')
})

test('setNextBaseFee sets the price of the next block', async () => {
  await on.chain.setNextBaseFee(123_456_789n)
  await on.chain.mine()
  expect((await on.chain.client.getBlock()).baseFeePerGas).toBe(123_456_789n)
})

test('setCode puts code at an address', async () => {
  await on.chain.setCode('0x00000000000000000000000000000000000000aa', '0x602a60005260206000f3')
  const { data } = await on.chain.client.call({ to: '0x00000000000000000000000000000000000000aa' })
  expect(data).toBe(word(42n))
})

test('an unknown method is a cheat that is missing', async () => {
  const asked = createJsonRpc(on.chain.rpcUrl).call('hardhat_nothing')
  await expect(asked).rejects.toSatisfy(SandboxError.is)
  await expect(asked).rejects.toMatchObject({ code: 'cheat_missing' })
})
