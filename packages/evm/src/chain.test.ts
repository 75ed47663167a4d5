import { network } from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain, startRpcProxy } from '@groat/sandbox'
import { parseTransaction } from 'viem'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { privateKeyAccount } from './account.js'
import { parseAddress } from './address.js'
import { createEvmChain, type EvmChain, type EvmChainOptions } from './chain.js'
import type { Hex } from './hex.js'
import { MULTICALL3 } from './multicall.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect()
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

const connect = (options: Partial<EvmChainOptions> = {}) =>
  createEvmChain({
    network: network(sandbox.network),
    rpc: sandbox.rpcUrl,
    signers: [sandbox.account('facilitator').privateKey],
    ...options,
  })

/** Something harmless to send. */
const call = () => ({ to: parseAddress(sandbox.account('seller').address)!, data: '0x' as Hex, gas: 50_000n })
const signer = () => chain.signers[0] ?? ''

test('EVM-EXACT-070 signs with its account, for its chain, with an explicit gas limit', async () => {
  const { raw, hash, nonce, details } = await chain.sign(call(), { signer: signer(), nonce: 7n })
  expect(parseTransaction(raw as Hex)).toMatchObject({ chainId: 84_532, nonce: 7, gas: 50_000n, type: 'eip1559' })
  expect({ hash, nonce, details }).toEqual({
    hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    nonce: 7n,
    details: { gas: '50000', maxFeePerGas: expect.any(String), maxPriorityFeePerGas: expect.any(String) },
  })
  expect(chain.signers).toEqual([sandbox.account('facilitator').address])
})

test('the next nonce counts what waits', async () => {
  await sandbox.setAutomine(false)
  const first = (await chain.nextNonce?.(signer())) ?? 0n
  await chain.send(await chain.sign(call(), { signer: signer(), nonce: first }))
  expect(await chain.nextNonce?.(signer())).toBe(first + 1n)
})

test('sending the same bytes again is harmless: while they wait, and when they are included', async () => {
  await sandbox.setAutomine(false)
  const nonce = (await chain.nextNonce?.(signer())) ?? 0n
  const transaction = await chain.sign(call(), { signer: signer(), nonce })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.mine()
  expect(await chain.send(transaction)).toEqual({ status: 'nonce_taken' })
})

test('where blocks come fast a node answers with the receipt, and is asked for no other', async () => {
  const asked: string[] = []
  const watching: typeof fetch = (input, init) => {
    asked.push(...[JSON.parse(String(init?.body))].flat().map(({ method }) => method))
    return fetch(input, init)
  }
  const quick = await connect({ sendAndWait: true, fetch: watching })
  const nonce = (await quick.nextNonce?.(signer())) ?? 0n
  const transaction = await quick.sign(call(), { signer: signer(), nonce })
  asked.length = 0
  expect(await quick.send(transaction, true)).toEqual({ status: 'accepted', included: true })
  expect(await quick.rpc.receipt(transaction.hash as Hex)).toMatchObject({ success: true })
  expect(asked).toEqual(['eth_sendRawTransactionSync'])
  // Sent again it is in a block already, which the node says in its own way.
  expect(await quick.send(transaction, true)).toEqual({ status: 'nonce_taken' })
})

test('who asks after one account at the same time asks once', async () => {
  const asked: string[] = []
  const watching: typeof fetch = (input, init) => {
    asked.push(...[JSON.parse(String(init?.body))].flat().map(({ method }) => method))
    return fetch(input, init)
  }
  const { rpc } = await connect({ fetch: watching })
  await rpc.latestBlock()
  asked.length = 0
  const [multicall, nobody] = [MULTICALL3, parseAddress(sandbox.account('seller').address)!]
  const codes = await Promise.all([multicall, nobody, multicall, nobody].map((address) => rpc.code(address)))
  expect(asked).toEqual(['eth_getCode', 'eth_getCode'])
  expect(codes.map((code) => code === '0x')).toEqual([false, true, false, true])
  expect(await rpc.code(nobody)).toBe('0x')
  expect(asked.length).toBe(3)
})

test('a node that cannot wait is asked the usual way', async () => {
  const fault = { action: 'error', code: -32601, message: 'the method does not exist' } as const
  const proxy = await startRpcProxy({
    target: sandbox.rpcUrl,
    rules: [{ method: 'eth_sendRawTransactionSync', fault }],
  })
  const plain = await connect({ sendAndWait: true, rpc: proxy.url })
  const nonce = (await plain.nextNonce?.(signer())) ?? 0n
  const transaction = await plain.sign(call(), { signer: signer(), nonce })
  expect(await plain.send(transaction, true)).toEqual({ status: 'accepted' })
  await proxy.stop()
})

test('a nonce that a block has is told apart', async () => {
  const nonce = (await chain.nextNonce?.(signer())) ?? 0n
  const [taken, late] = await Promise.all([
    chain.sign(call(), { signer: signer(), nonce }),
    chain.sign({ ...call(), gas: 60_000n }, { signer: signer(), nonce }),
  ])
  expect(await chain.send(taken)).toEqual({ status: 'accepted' })
  // While the other waits for its block, this one would be a replacement that offers too little.
  await expect.poll(async () => (await chain.rpc.receipt(taken.hash as Hex))?.success).toBe(true)
  expect(await chain.send(late)).toEqual({ status: 'nonce_taken' })
})

test('an account without gas money is told apart', async () => {
  const key = `0x${'42'.repeat(32)}` as const
  const poor = await connect({ signers: [privateKeyAccount(key)] })
  const transaction = await poor.sign(call(), { signer: poor.signers[0] ?? '', nonce: 0n })
  expect(await poor.send(transaction)).toEqual({ status: 'rejected', code: 'signer_out_of_gas' })
})

test('an answer that was lost is unknown, and the bytes did arrive', async () => {
  const fault = { action: 'drop', forward: true } as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules: [{ method: 'eth_sendRawTransaction', fault }] })
  try {
    const distant = await connect({ rpc: proxy.url })
    const nonce = (await distant.nextNonce?.(signer())) ?? 0n
    const transaction = await distant.sign(call(), { signer: signer(), nonce })
    expect(await distant.send(transaction)).toEqual({ status: 'unknown', reason: 'rpc_unreachable' })
    expect((await chain.rpc.receipt(transaction.hash as Hex))?.success).toBe(true)
  } finally {
    await proxy.stop()
  }
})

test('a node that answers another hash is not believed', async () => {
  const fault = { action: 'result', result: `0x${'11'.repeat(32)}` } as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules: [{ method: 'eth_sendRawTransaction', fault }] })
  try {
    const distant = await connect({ rpc: proxy.url })
    const transaction = await distant.sign(call(), { signer: signer(), nonce: 0n })
    expect(await distant.send(transaction)).toMatchObject({ status: 'unknown' })
  } finally {
    await proxy.stop()
  }
})

test('EVM-EXACT-071 a fee above the operator’s limit is not signed, whoever quotes it', async () => {
  const [{ baseFee }, tip = 0n] = await Promise.all([chain.rpc.latestBlock(), chain.rpc.suggestedTip()])
  expect(baseFee).toBeGreaterThan(1n)
  const limit = 50_000n * (baseFee + tip + 1n)
  const careful = await connect({ maxTransactionFee: limit })
  const transaction = await careful.sign(call(), { signer: signer(), nonce: 0n })
  const { gas = 0n, maxFeePerGas = 0n } = parseTransaction(transaction.raw as Hex)
  expect(gas * maxFeePerGas).toBeLessThanOrEqual(limit)

  const fault = { action: 'result', result: '0x5af3107a4000' } as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules: [{ method: 'eth_maxPriorityFeePerGas', fault }] })
  try {
    const misled = await connect({ rpc: proxy.url })
    await expect(misled.sign(call(), { signer: signer(), nonce: 0n })).rejects.toMatchObject({
      code: 'fee_above_limit',
    })
  } finally {
    await proxy.stop()
  }
})

test('the price of a call is the least within which it is signed, and nothing is signed to know it', async () => {
  const price = (await chain.price?.(call())) ?? 0n
  const as = { signer: signer(), nonce: 0n }
  expect((await chain.sign(call(), { ...as, maxCost: price })).maxCost).toBeLessThanOrEqual(price)
  const tooLittle = chain.sign(call(), { ...as, maxCost: price - 1n })
  await expect(tooLittle).rejects.toMatchObject({
    code: 'fee_above_limit',
    context: { cost: price, limit: price - 1n },
  })
  const careful = await connect({ maxTransactionFee: price - 1n })
  await expect(careful.price?.(call())).rejects.toMatchObject({ code: 'fee_above_limit' })
  await expect((await connect({ maxTransactionFee: price })).price?.(call())).resolves.toBe(price)
})

test('EVM-EXACT-069 a node of another chain fails at start', async () => {
  const elsewhere = await connect({ network: network('eip155:8453'), assets: [] })
  await expect(elsewhere.ready()).rejects.toMatchObject({
    code: 'rpc_wrong_chain',
    context: { expected: 8453n, answered: 84532n },
  })
})

test('what is misconfigured is said at start, without the key', async () => {
  await expect(connect({ network: network('solana') })).rejects.toMatchObject({ code: 'invalid_network' })
  const key = `0x${'ff'.repeat(32)}`
  const error = await connect({ signers: [key] }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'invalid_config' })
  expect(String(error)).not.toContain('ffff')
  const { privateKey: mine, address } = sandbox.account('facilitator')
  const twice = connect({ signers: [mine, `0x${'42'.repeat(32)}`, `0x${mine.slice(2).toUpperCase()}`] })
  await expect(twice).rejects.toMatchObject({ code: 'invalid_config', context: { signer: address } })
  await expect(chain.sign(call(), { signer: sandbox.account('payer').address })).rejects.toMatchObject({
    code: 'invalid_config',
  })
})
