import { address, createSolanaRpc } from '@solana/kit'
import { expect, test } from 'vitest'
import { memo, tokenAccountOf, transferUsdc, useSvm } from '../../test/svm-kit.js'
import { startRpcProxy } from '../index.js'

const on = useSvm({ rpcUrl: false, tick: 'off' })
const processed = { commitment: 'processed' } as const
const seller = () => address(on.chain.account('seller').address)

async function payment() {
  const payer = await on.newcomer(5n)
  return { payer, ...(await on.sign(payer, [await transferUsdc(payer, seller(), 5n)])) }
}

test('a node that is behind knows neither the transaction, nor the balance, nor the blockhash', async () => {
  const { payer, wire, signature } = await payment()
  await on.chain.step(40)
  const node = await on.chain.startNode({ behind: 20 })
  const stale = createSolanaRpc(node.rpcUrl)
  await on.rpc.sendTransaction(wire, { encoding: 'base64' }).send()
  const { blockhash } = (await on.rpc.getLatestBlockhash(processed).send()).value
  const account = await tokenAccountOf(payer.address)
  const known = async () => ({
    behind: (await on.chain.slot()) - (await stale.getSlot(processed).send()),
    status: (await stale.getSignatureStatuses([signature]).send()).value[0]?.err,
    amount: (await stale.getTokenAccountBalance(account, processed).send()).value.amount,
    blockhash: (await stale.isBlockhashValid(blockhash, processed).send()).value,
    simulation: (await stale.simulateTransaction(wire, { encoding: 'base64', ...processed }).send()).value.err,
  })
  expect(await known()).toEqual({ behind: 20n, status: undefined, amount: '5', blockhash: false, simulation: null })
  node.setBehind(0)
  expect(await known()).toEqual({
    behind: 0n,
    status: null,
    amount: '0',
    blockhash: true,
    simulation: 'AlreadyProcessed',
  })
  // What it simulated on old accounts has changed nothing.
  expect(await on.chain.balance(payer.address)).toBe(0n)
  await node.stop()
})

test('far behind it is not healthy, and does not send', async () => {
  const node = await on.chain.startNode({ behind: 129 })
  await on.chain.step(200)
  const data = { numSlotsBehind: 129n }
  await expect(createSolanaRpc(node.rpcUrl).getHealth().send()).rejects.toMatchObject({
    context: { __code: -32005, ...data },
  })
  expect(await (await fetch(`${node.rpcUrl}/health`)).text()).toBe('behind')
  const { wire } = await on.sign(
    await on.newcomer(),
    [memo('hi')],
    (await createSolanaRpc(node.rpcUrl).getLatestBlockhash().send()).value,
  )
  node.setBehind(128)
  expect(await createSolanaRpc(node.rpcUrl).getHealth().send()).toBe('ok')
  node.setBehind(129)
  await expect(
    createSolanaRpc(node.rpcUrl).sendTransaction(wire, { encoding: 'base64', preflightCommitment: 'processed' }).send(),
  ).rejects.toThrow()
  await node.stop()
})

test('a frozen node stays where it is, and what it accepts still lands', async () => {
  const node = await on.chain.startNode()
  const rpc = createSolanaRpc(node.rpcUrl)
  const { payer, wire, signature } = await payment()
  const thaw = node.freeze()
  const slot = await rpc.getSlot(processed).send()
  await rpc.sendTransaction(wire, { encoding: 'base64', skipPreflight: true }).send()
  await on.chain.step(5)
  const knows = async (each: typeof rpc) => (await each.getSignatureStatuses([signature]).send()).value[0] !== null
  // It froze in the slot in which the transaction landed, so it knows of it, and of nothing later.
  expect([await rpc.getSlot(processed).send(), await knows(on.rpc), await on.chain.balance(payer.address)]).toEqual([
    slot,
    true,
    0n,
  ])
  const later = await payment()
  await rpc.sendTransaction(later.wire, { encoding: 'base64', skipPreflight: true }).send()
  expect((await rpc.getSignatureStatuses([later.signature]).send()).value).toEqual([null])
  expect((await on.rpc.getSignatureStatuses([later.signature]).send()).value[0]?.err).toBeNull()
  thaw()
  expect((await rpc.getSignatureStatuses([later.signature]).send()).value[0]?.err).toBeNull()
  await node.stop()
})

test('through the proxy: accepted, and then an error; or no answer at all', async () => {
  const proxy = await startRpcProxy({ target: on.chain.rpcUrl })
  const rpc = createSolanaRpc(proxy.url)
  const method = 'sendTransaction'
  const faults = [
    {
      action: 'error',
      code: -32005,
      message: 'Node is behind by 42 slots',
      data: { numSlotsBehind: 42 },
      forward: true,
    },
    { action: 'drop', forward: true },
    { action: 'status', status: 503, forward: true },
  ] as const
  for (const fault of faults) {
    const { payer, wire, signature } = await payment()
    const heal = proxy.use({ method, nth: 1, fault })
    await expect(rpc.sendTransaction(wire, { encoding: 'base64' }).send()).rejects.toThrow()
    heal()
    expect((await rpc.getSignatureStatuses([signature]).send()).value[0]?.err).toBeNull()
    expect(await on.chain.balance(payer.address)).toBe(0n)
  }
  const { wire, signature } = await payment()
  proxy.use({
    method: 'getSignatureStatuses',
    fault: { action: 'rewrite', rewrite: (result) => ({ ...(result as object), value: [null] }) },
  })
  await rpc.sendTransaction(wire, { encoding: 'base64' }).send()
  expect((await rpc.getSignatureStatuses([signature]).send()).value).toEqual([null])
  expect(proxy.counts()).toEqual({ sendTransaction: 4, getSignatureStatuses: 4 })
  await proxy.stop()
})
