import { expect, test } from 'vitest'
import { useChain } from '../../test/kit.js'
import { evmAccounts } from '../index.js'
import { startRpcProxy } from '../rpc-proxy/proxy.js'
import { createEvmTestClient } from './client.js'

const on = useChain()
const seller = evmAccounts[1].address

test('a receipt is found though the one block that has it comes while a slow node is asked something else', async () => {
  const proxy = await startRpcProxy({
    target: on.chain.rpcUrl,
    rules: [{ method: 'eth_getBlockByNumber', fault: { action: 'delay', ms: 400 } }],
  })
  try {
    const client = createEvmTestClient(proxy.url, on.chain.chainId)
    await on.chain.setAutomine(false)
    const hash = await on.wallet('payer').sendTransaction({ to: seller, value: 1n })
    const receipt = client.waitForTransactionReceipt({ hash, timeout: 3_000 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    await on.chain.mine()
    expect(await receipt).toMatchObject({ transactionHash: hash, status: 'success' })
  } finally {
    await proxy.stop()
  }
})

test('a transaction that comes into no block is given up in time', async () => {
  await on.chain.setAutomine(false)
  const hash = await on.wallet('payer').sendTransaction({ to: seller, value: 1n })
  const late = on.chain.client.waitForTransactionReceipt({ hash, timeout: 100 })
  await expect(late).rejects.toMatchObject({ name: 'WaitForTransactionReceiptTimeoutError' })
})
