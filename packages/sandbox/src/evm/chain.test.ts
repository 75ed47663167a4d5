import { type Address, encodeFunctionData, multicall3Abi, parseEther } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { usdc, useChain } from '../../test/kit.js'
import { deployPlainDelegate, evmAccounts, multicall3Address, usdcAbi, usdcAddress } from '../index.js'
import { word } from './usdc.js'

const on = useChain()

test('has USDC as on Base Sepolia', async () => {
  const read = (functionName: 'name' | 'symbol' | 'version' | 'decimals' | 'DOMAIN_SEPARATOR' | 'totalSupply') =>
    on.chain.client.readContract({ ...usdc, functionName })
  expect({
    network: on.chain.network,
    chainId: await on.chain.client.getChainId(),
    name: await read('name'),
    symbol: await read('symbol'),
    version: await read('version'),
    decimals: await read('decimals'),
    separator: await read('DOMAIN_SEPARATOR'),
    supply: await read('totalSupply'),
  }).toEqual({
    network: 'eip155:84532',
    chainId: 84532,
    name: 'USDC',
    symbol: 'USDC',
    version: '2',
    decimals: 6,
    separator: '0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818',
    supply: 5_000_000_000n,
  })
})

test('has funded accounts without code, whose keys fit', async () => {
  const found = await Promise.all(
    on.chain.accounts.map(async ({ role, address, privateKey }) => ({
      role,
      address,
      keyOf: privateKeyToAccount(privateKey).address,
      ether: await on.chain.nativeBalance(address),
      usdc: await on.chain.balance(address),
      code: await on.chain.client.getCode({ address }),
    })),
  )
  expect(found).toEqual(
    evmAccounts.map(({ role, address }) => ({
      role,
      address,
      keyOf: address,
      ether: parseEther('100'),
      usdc: role.startsWith('payer') ? 1_000_000_000n : 0n,
      code: undefined,
    })),
  )
})

test('has a clock that calls see', async () => {
  const latest = await on.chain.client.getBlock()
  expect(Number(latest.timestamp)).toBeGreaterThan(1_700_000_000)
  expect(await on.chain.now()).toBeGreaterThanOrEqual(Number(latest.timestamp))
})

test('has Multicall3', async () => {
  const balanceOf = (address: Address) => ({
    target: usdcAddress,
    allowFailure: true,
    callData: encodeFunctionData({ abi: usdcAbi, functionName: 'balanceOf', args: [address] }),
  })
  const results = await on.chain.client.readContract({
    address: multicall3Address,
    abi: multicall3Abi,
    functionName: 'aggregate3',
    args: [[balanceOf(on.chain.account('payer').address), balanceOf(on.chain.account('seller').address)]],
  })
  expect(results).toEqual([
    { success: true, returnData: word(1_000_000_000n) },
    { success: true, returnData: word(0n) },
  ])
})

test('an account without such a role is a mistake', () => {
  expect(() => on.chain.account('nobody' as 'payer')).toThrow('No sandbox account has the role nobody.')
})

test('deploy refuses code that reverts; deployments may overlap', async () => {
  await expect(on.chain.deploy('0x5f5ffd')).rejects.toMatchObject({ code: 'rpc_refused' })
  const deployed = await Promise.all([deployPlainDelegate(on.chain), deployPlainDelegate(on.chain)])
  expect(new Set(deployed).size).toBe(2)
})
