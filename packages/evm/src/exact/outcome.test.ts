import { network, type PaymentPayload } from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain, startRpcProxy, usdcAbi } from '@groat/sandbox'
import { parseSignature } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { offerOf, pay } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { exactEvm } from './facilitator.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
const offer = offerOf()
const scheme = () => exactEvm({ chains: [chain] })

beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect(sandbox.rpcUrl)
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

const connect = (rpc: string) =>
  createEvmChain({ network: network(sandbox.network), rpc, signers: [sandbox.account('facilitator').privateKey] })

const goodPayment = () => pay(offer, privateKeyAccount(sandbox.account('payer').privateKey))

async function submit(payment: PaymentPayload) {
  const signer = chain.signers[0] ?? ''
  const transaction = await chain.sign(await scheme().prepare(payment, offer), {
    signer,
    nonce: (await chain.nextNonce?.(signer)) ?? 0n,
  })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await mined(transaction.hash as Hex)
  return transaction
}

/** A node that mines by itself does so a moment after it has taken a transaction. */
async function mined(hash: Hex) {
  if (await sandbox.client.getAutomine()) await sandbox.client.waitForTransactionReceipt({ hash })
}

/** Anybody who sees a payment can hand it in. */
async function submitAsStranger(payment: PaymentPayload): Promise<Hex> {
  const account = privateKeyToAccount(sandbox.account('payer5').privateKey)
  const { to, data } = await scheme().prepare(payment, offer)
  const hash = await sandbox.client.sendTransaction({ account, to, data })
  await mined(hash)
  return hash
}

test('a transaction that waits is pending, and so is one that was dropped', async () => {
  await sandbox.setAutomine(false)
  const payment = await goodPayment()
  const sent = await submit(payment)
  expect(await scheme().outcome(payment, offer, [sent])).toEqual({ status: 'pending' })
  await sandbox.dropTransaction(sent.hash as Hex)
  await sandbox.mine()
  expect(await scheme().outcome(payment, offer, [sent])).toEqual({ status: 'pending' })
  expect(await chain.send(sent)).toEqual({ status: 'accepted' })
  await sandbox.mine()
  expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'settled', transaction: sent.hash })
})

test('a reorganised block takes its evidence with it', async () => {
  const payment = await goodPayment()
  const sent = await submit(payment)
  expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'settled' })
  await sandbox.reorg(1)
  expect(await scheme().outcome(payment, offer, [sent])).toEqual({ status: 'pending' })
})

test('EVM-EXACT-067 what a stranger handed in first has settled, with the stranger’s transaction', async () => {
  const payment = await goodPayment()
  const hash = await submitAsStranger(payment)
  expect(await scheme().outcome(payment, offer, [])).toEqual({
    status: 'settled',
    transaction: hash,
    logIndex: expect.any(Number),
    blockNumber: expect.any(BigInt),
    blockHash: expect.any(String),
    amount: 1000n,
  })
})

test('EVM-EXACT-067 also when our own transaction failed because of it', async () => {
  await sandbox.setAutomine(false)
  const payment = await goodPayment()
  const sent = await submit(payment)
  const account = privateKeyToAccount(sandbox.account('payer5').privateKey)
  const { to, data, gas } = await scheme().prepare(payment, offer)
  const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 11n }
  const hash = await sandbox.client.sendTransaction({ account, to, data, gas, ...fees })
  await sandbox.mine()
  expect((await sandbox.client.getTransactionReceipt({ hash: sent.hash as Hex })).status).toBe('reverted')
  expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'settled', transaction: hash })
})

test('EVM-EXACT-078 a cancelled authorization is dead when its time is over', async () => {
  const payment = await goodPayment()
  const { nonce } = payment.payload.authorization as { nonce: Hex }
  const account = privateKeyToAccount(sandbox.account('payer').privateKey)
  const { r, s, v } = parseSignature(
    await account.signTypedData({
      domain: { name: 'USDC', version: '2', chainId: 84_532, verifyingContract: sandbox.usdc },
      types: {
        CancelAuthorization: [
          { name: 'authorizer', type: 'address' },
          { name: 'nonce', type: 'bytes32' },
        ],
      },
      primaryType: 'CancelAuthorization',
      message: { authorizer: account.address, nonce },
    }),
  )
  const hash = await sandbox.client.writeContract({
    address: sandbox.usdc,
    abi: usdcAbi,
    functionName: 'cancelAuthorization',
    args: [account.address, nonce, Number(v), r, s],
    account,
  })
  await sandbox.client.waitForTransactionReceipt({ hash })
  expect(await scheme().outcome(payment, offer, [])).toEqual({ status: 'pending' })
  await sandbox.warp(105)
  expect(await scheme().outcome(payment, offer, [])).toEqual({
    status: 'dead',
    refusal: { ok: false, code: 'invalid_exact_evm_nonce_already_used' },
  })
})

test('a nonce that paid for other terms is dead for these', async () => {
  const cheaper = offerOf({ amount: 1n })
  const payment = await goodPayment()
  const other = await pay(cheaper, privateKeyAccount(sandbox.account('payer').privateKey), {
    random: () => Buffer.from((payment.payload.authorization as { nonce: Hex }).nonce.slice(2), 'hex'),
  })
  const account = privateKeyToAccount(sandbox.account('payer5').privateKey)
  const { to, data } = await scheme().prepare(other, cheaper)
  await mined(await sandbox.client.sendTransaction({ account, to, data }))
  expect(await scheme().outcome(other, cheaper, [])).toMatchObject({ status: 'settled', amount: 1n })
  await sandbox.warp(105)
  expect(await scheme().outcome(payment, offer, [])).toEqual({
    status: 'dead',
    refusal: { ok: false, code: 'invalid_exact_evm_nonce_already_used' },
  })
})

test('an authorization is dead when the chain’s clock has passed its end, and not before', async () => {
  const payment = await goodPayment()
  await sandbox.warp(75)
  expect(await scheme().outcome(payment, offer, [])).toEqual({ status: 'pending' })
  await sandbox.warp(30)
  expect(await scheme().outcome(payment, offer, [])).toEqual({
    status: 'dead',
    refusal: { ok: false, code: 'payment_expired' },
  })
})

test('EVM-EXACT-065 a transaction that failed says why', async () => {
  await sandbox.setAutomine(false)
  const payment = await goodPayment()
  const sent = await submit(payment)
  const account = privateKeyToAccount(sandbox.account('payer').privateKey)
  const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 11n, gas: 100_000n }
  const args = [sandbox.account('payer4').address, await sandbox.balance(account.address)] as const
  await sandbox.client.writeContract({
    address: sandbox.usdc,
    abi: usdcAbi,
    functionName: 'transfer',
    args,
    account,
    ...fees,
  })
  await sandbox.mine()
  expect(await scheme().outcome(payment, offer, [sent])).toEqual({
    status: 'reverted',
    transaction: sent.hash,
    blockNumber: expect.any(BigInt),
    refusal: { ok: false, code: 'invalid_exact_evm_insufficient_balance' },
  })
})

test('EVM-EXACT-064 two equal payments in one transaction have each their own log', async () => {
  const payments = [await goodPayment(), await goodPayment()]
  const account = privateKeyToAccount(sandbox.account('payer5').privateKey)
  const preparing = payments.map(async (payment) => {
    const { to, data } = await scheme().prepare(payment, offer)
    return { target: to, allowFailure: true, callData: data }
  })
  const calls = await Promise.all(preparing)
  const inputs = [
    {
      name: 'calls',
      type: 'tuple[]',
      components: [
        { name: 'target', type: 'address' },
        { name: 'allowFailure', type: 'bool' },
        { name: 'callData', type: 'bytes' },
      ],
    },
  ] as const
  const abi = [{ type: 'function', name: 'aggregate3', stateMutability: 'payable', inputs, outputs: [] }] as const
  const hash = await sandbox.client.writeContract({
    address: sandbox.multicall3,
    abi,
    functionName: 'aggregate3',
    args: [calls],
    account,
  })
  await sandbox.client.waitForTransactionReceipt({ hash })
  const outcomes = await Promise.all(
    payments.map((payment) => scheme().outcome(payment, offer, [{ hash, signer: account.address }])),
  )
  expect(outcomes.map(({ status }) => status)).toEqual(['settled', 'settled'])
  expect(new Set(outcomes.map((outcome) => outcome.status === 'settled' && outcome.logIndex)).size).toBe(2)
})

test('a receipt without logs is no evidence either way', async () => {
  const payment = await goodPayment()
  const sent = await submit(payment)
  const rewrite = (receipt: unknown) => ({ ...(receipt as object), logs: undefined })
  const rules = [{ method: 'eth_getTransactionReceipt', fault: { action: 'rewrite', rewrite } }] as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules })
  try {
    const by = exactEvm({ chains: [await connect(proxy.url)] })
    await expect(by.outcome(payment, offer, [sent])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
  } finally {
    await proxy.stop()
  }
})

/** A node that has the state of a block and not yet, or no more, what happened in it. */
async function forgetful(payment: PaymentPayload) {
  const rules = [
    { method: 'eth_getTransactionReceipt', fault: { action: 'result', result: null } },
    { method: 'eth_getLogs', fault: { action: 'result', result: [] } },
  ] as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules })
  const by = exactEvm({ chains: [await connect(proxy.url)] })
  return { proxy, outcome: (sent: Parameters<typeof by.outcome>[2]) => by.outcome(payment, offer, sent) }
}

test('EVM-EXACT-072 a nonce that is used, and nobody says by what, buries nothing', async () => {
  const payment = await goodPayment()
  const sent = await submit(payment)
  const node = await forgetful(payment)
  try {
    expect(await node.outcome([sent])).toEqual({ status: 'pending' })
    await expect(node.outcome([])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
    await sandbox.warp(200)
    await expect(node.outcome([sent])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
  } finally {
    await node.proxy.stop()
  }
  expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'settled', transaction: sent.hash })
})

test('EVM-EXACT-072 nor does what landed further back than logs are searched', async () => {
  const payment = await goodPayment()
  await submitAsStranger(payment)
  await sandbox.warp(200)
  const short = exactEvm({ chains: [chain], lookbackBlocks: 0n })
  await expect(short.outcome(payment, offer, [])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
})

test('EVM-EXACT-073 a node that is behind with the state does not let a payment expire', async () => {
  const payment = await goodPayment()
  const sent = await submit(payment)
  await sandbox.warp(200)
  const node = await forgetful(payment)
  // Its newest block, as far as state goes, is one before the payment.
  const when = ({ params }: { params: unknown }) => (params as readonly unknown[])[1] === 'latest'
  node.proxy.use({ method: 'eth_call', when, fault: { action: 'result', result: `0x${'0'.repeat(64)}` } })
  try {
    await expect(node.outcome([sent])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
  } finally {
    await node.proxy.stop()
  }
})
