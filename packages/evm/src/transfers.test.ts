import { network, type PaymentPayload } from '@groat/core'
import { type EvmChain, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEvmTransfers } from './transfers.js'

let chain: EvmChain
beforeAll(async () => {
  chain = await startEvmChain()
})
afterAll(() => chain?.stop())

// What is asked about is the time alone.
const payment = { payload: {} } as PaymentPayload
const transferData = (to: string, amount: bigint): `0x${string}` =>
  `0xa9059cbb${to.slice(2).toLowerCase().padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`

test('SRV-065 a payment is over by the time of the chain and not by ours', async () => {
  const reader = createEvmTransfers({ network: network('base-sepolia'), rpc: chain.rpcUrl })
  const { timestamp } = await chain.client.getBlock()
  const end = Number(timestamp) + 500
  expect(await reader.isOver(payment, end)).toBe(false)
  await chain.warp(600)
  expect(await reader.isOver(payment, end)).toBe(true)
})

test('SRV-062 what came to an account is read from the first known transaction on, over many blocks', async () => {
  const reader = createEvmTransfers({ network: network('base-sepolia'), rpc: chain.rpcUrl, blocksAtOnce: 2 })
  const [from, to] = [chain.account('payer').address, chain.account('seller').address]
  const hashes: string[] = []
  for (const amount of [1n, 2n, 3n, 4n]) {
    const hash = await chain.client.sendUnsignedTransaction({ from, to: chain.usdc, data: transferData(to, amount) })
    await chain.client.waitForTransactionReceipt({ hash })
    hashes.push(hash)
  }
  const amounts = async (since: readonly string[]) =>
    (await reader.received(chain.usdc, to, since))?.map(({ amount }) => amount)
  expect(await amounts(hashes)).toEqual([1n, 2n, 3n, 4n])
  expect(await amounts([`0x${'ab'.repeat(32)}`, hashes[2] ?? ''])).toEqual([3n, 4n])
  expect(await amounts([`0x${'ab'.repeat(32)}`])).toBeUndefined()
  expect(await reader.brought(hashes[1] ?? '', chain.usdc, to)).toMatchObject([
    { amount: 2n, from: from.toLowerCase() },
  ])
  expect(await reader.brought(hashes[1] ?? '', chain.usdc, from)).toEqual([])
})
