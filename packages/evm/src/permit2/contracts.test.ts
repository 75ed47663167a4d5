import { type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEvmRpc, type EvmRpc } from '../rpc.js'
import {
  EXACT_PERMIT2_PROXY,
  exactPermit2Proxy,
  hasPermit2Proxy,
  PERMIT2,
  UPTO_PERMIT2_PROXY,
  uptoPermit2Proxy,
} from './contracts.js'

let sandbox: Sandbox
const connect = (): EvmRpc => createEvmRpc({ urls: [sandbox.rpcUrl], chainId: BigInt(sandbox.chainId) })

beforeAll(async () => {
  sandbox = await startEvmChain({ rpcUrl: false })
})
afterAll(() => sandbox?.stop())

test('the proxies are found where they are', async () => {
  const rpc = connect()
  expect(await Promise.all([hasPermit2Proxy(rpc, exactPermit2Proxy), hasPermit2Proxy(rpc, uptoPermit2Proxy)])).toEqual([
    true,
    true,
  ])
})

test('what is missing, or is something else, is not there, until it is', async () => {
  const restore = await sandbox.snapshot()
  const rpc = connect()
  const code = (await sandbox.client.getCode({ address: EXACT_PERMIT2_PROXY })) ?? '0x'
  await sandbox.setCode(EXACT_PERMIT2_PROXY, '0x')
  expect(await hasPermit2Proxy(rpc, exactPermit2Proxy)).toBe(false)
  await sandbox.setCode(EXACT_PERMIT2_PROXY, (await sandbox.client.getCode({ address: UPTO_PERMIT2_PROXY })) ?? '0x')
  expect(await hasPermit2Proxy(rpc, exactPermit2Proxy)).toBe(false)
  await sandbox.setCode(EXACT_PERMIT2_PROXY, code)
  expect(await hasPermit2Proxy(rpc, exactPermit2Proxy)).toBe(true)
  const other = connect()
  await sandbox.setCode(PERMIT2, '0x')
  expect(await hasPermit2Proxy(other, exactPermit2Proxy)).toBe(false)
  await restore()
})
