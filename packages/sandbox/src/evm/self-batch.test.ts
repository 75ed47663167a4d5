import { type Address, encodeFunctionData, type Hex, parseEther } from 'viem'
import { beforeEach, expect, test } from 'vitest'
import { useContracts } from '../../test/contract.js'
import { usdc, useChain } from '../../test/kit.js'
import { delegate7702, deployGasBurningWallet, selfBatchAbi, selfBatchCreation } from '../index.js'

const on = useChain()
const { account, refusal } = useContracts(on)
const own = () => ({ address: account('facilitator'), abi: selfBatchAbi })
const seller = () => account('seller')

beforeEach(async () => {
  await delegate7702(on.chain, account('facilitator'), await on.chain.deploy(selfBatchCreation))
  await on.chain.fund(account('facilitator'), 10n)
})

type Call = { readonly target: Address; readonly data: Hex; readonly gas: bigint }

const paying = (value: bigint): Call => ({
  target: usdc.address,
  data: encodeFunctionData({ ...usdc, functionName: 'transfer', args: [seller(), value] }),
  gas: 100_000n,
})

const send = (calls: readonly Call[], gas = 1_000_000n, value = 0n) => {
  const data = encodeFunctionData({ ...own(), functionName: 'executeBatch', args: [calls] })
  return on.mined(on.wallet('facilitator').sendTransaction({ to: own().address, data, gas, value }))
}

/** Code that does only this. */
function deployCode(runtime: string): Promise<Address> {
  const size = (runtime.length / 2).toString(16).padStart(2, '0')
  return on.chain.deploy(`0x60${size}600a5f3960${size}5ff3${runtime}`)
}

test('the account makes each call itself, and one that fails or burns what it is given changes nothing for the others', async () => {
  const burner = await deployGasBurningWallet(on.chain)
  const burning: Call = {
    target: burner,
    data: `0x1626ba7e${'00'.repeat(32)}${'00'.repeat(31)}40${'00'.repeat(32)}`,
    gas: 50_000n,
  }
  const receipt = await send([paying(1n), paying(100n), burning, paying(2n)])
  expect([receipt.status, receipt.logs.length]).toEqual(['success', 2])
  expect(await on.chain.balance(seller())).toBe(3n)
  expect(receipt.gasUsed).toBeGreaterThan(50_000n)
})

test('what a call answers is not copied, however long it is', async () => {
  const bomb = await deployCode('620186a05ff3') // 100,000 bytes
  const { gasUsed: quiet } = await send([{ target: seller(), data: '0x', gas: 100_000n }])
  const { gasUsed, status } = await send([{ target: bomb, data: '0x', gas: 100_000n }])
  expect(status).toBe('success')
  // The memory of the one who answers costs 28,449; that of the one who looks would cost as much again.
  expect(gasUsed - quiet).toBeLessThan(32_000n)
})

test('nobody else gets in, and what a call calls back does not either', async () => {
  for (const role of ['payer', 'issuer'] as const) {
    expect(await refusal(role, own(), 'executeBatch', [[paying(1n)]])).toBe('NotSelf')
  }
  // Calls back whoever called it, with what it was given, and logs whether that went well.
  const echo = await deployCode('365f5f375f5f365f5f335af15f5260205fa000')
  const data = encodeFunctionData({ ...own(), functionName: 'executeBatch', args: [[paying(1n)]] })
  const { logs } = await send([{ target: echo, data, gas: 300_000n }])
  expect(logs.map((log) => BigInt(log.data))).toEqual([0n])
  expect(await on.chain.balance(seller())).toBe(0n)
})

test('it takes coin, and is nothing else: no other call, no coin with a batch, nothing without a delegation', async () => {
  const wallet = on.wallet('payer')
  const given = await on.mined(wallet.sendTransaction({ to: own().address, value: parseEther('1') }))
  expect(given.status).toBe('success')
  for (const [data, value] of [
    ['0x12345678', 0n],
    ['0x1626ba7e', 0n],
    ['0x00', 1n],
  ] as const) {
    const receipt = await on.mined(wallet.sendTransaction({ to: own().address, data, value, gas: 200_000n }))
    expect(receipt.status).toBe('reverted')
  }
  expect((await send([], 200_000n, 1n)).status).toBe('reverted')
  const bare = { address: await on.chain.deploy(selfBatchCreation), abi: selfBatchAbi }
  expect(await refusal('facilitator', bare, 'executeBatch', [[paying(1n)]])).toBe('NotSelf')
})

test('a call is given all that it may use, or none of them is made', async () => {
  expect((await send([paying(1n), paying(2n)], 150_000n)).status).toBe('reverted')
  expect(await on.chain.balance(seller())).toBe(0n)
  expect((await send([{ ...paying(1n), gas: 2n ** 256n - 1n }])).status).toBe('reverted')
})
