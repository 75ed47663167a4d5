import { network, type PaymentPayload } from '@groat/core'
import { delegate7702, deployPlainDelegate, type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { offerOf, pay } from '../testing/payments.js'
import { privateKeyAccount } from './account.js'
import { createEvmChain, type EvmCall, type EvmChain } from './chain.js'
import { exactEvm } from './exact/facilitator.js'
import type { Hex } from './hex.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
const offer = offerOf()

beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect()
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

const connect = (options: { groupGas?: bigint } = {}) =>
  createEvmChain({
    network: network(sandbox.network),
    rpc: sandbox.rpcUrl,
    signers: [sandbox.account('facilitator').privateKey],
    ...options,
  })
const scheme = () => exactEvm({ chains: [chain] })
const payBy = (role: 'payer' | 'payer2' | 'payer3') => pay(offer, privateKeyAccount(sandbox.account(role).privateKey))
const callOf = (payment: PaymentPayload): Promise<EvmCall> => scheme().prepare(payment, offer)
const groups = () => {
  if (chain.groups === undefined) throw new Error('no groups')
  return chain.groups
}

async function land(call: EvmCall) {
  const signer = chain.signers[0] ?? ''
  const transaction = await chain.sign(call, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await sandbox.client.waitForTransactionReceipt({ hash: transaction.hash as Hex })
  return transaction
}

test('one that fails takes no other with it, and each is found by its own log', async () => {
  const payments = [await payBy('payer'), await payBy('payer2'), await payBy('payer3')]
  const [first, second, third] = payments
  await land(await callOf(second!))
  const before = await sandbox.balance(sandbox.account('seller').address)
  const sent = await land(groups().join(await Promise.all(payments.map(callOf))))
  expect(await sandbox.balance(sandbox.account('seller').address)).toBe(before + 2n * offer.amount)

  const outcomes = await Promise.all([first!, third!].map((payment) => scheme().outcome(payment, offer, [sent])))
  expect(outcomes).toMatchObject([
    { status: 'settled', transaction: sent.hash },
    { status: 'settled', transaction: sent.hash },
  ])
  expect(new Set(outcomes.map((outcome) => outcome.status === 'settled' && outcome.logIndex)).size).toBe(2)
  expect(await scheme().outcome(second!, offer, [sent])).not.toMatchObject({ transaction: sent.hash })
})

test('of two that spend the same authorization one moves money', async () => {
  const payment = await payBy('payer')
  const before = await sandbox.balance(sandbox.account('seller').address)
  await land(groups().join([await callOf(payment), await callOf(payment)]))
  expect(await sandbox.balance(sandbox.account('seller').address)).toBe(before + offer.amount)
})

test('only payers without code are admitted', async () => {
  const call = await callOf(await payBy('payer'))
  expect([groups().joins(call), await groups().admits(call)]).toEqual([true, true])
  const delegate = await deployPlainDelegate(sandbox)
  await delegate7702(sandbox, sandbox.account('payer').address, delegate)
  expect(await groups().admits(call)).toBe(false)
  const { payer: _, ...byContract } = call
  expect([groups().joins(byContract), await groups().admits(byContract)]).toEqual([false, false])
})

test('a group keeps to its gas, and without gas for two there is none', async () => {
  const call = await callOf(await payBy('payer'))
  const many = Array.from({ length: 300 }, () => call)
  expect(groups().company(many)).toHaveLength(100)
  const small = await connect({ groupGas: 700_000n })
  expect([small.groups?.company(many).length, small.groups?.join(many.slice(0, 5)).gas]).toEqual([5, 660_000n])
  const none = await connect({ groupGas: 0n })
  expect([none.groups?.joins(call), none.groups?.company(many)]).toEqual([false, [0]])
})

test('A32 a replacement pays an eighth more in both fields, within the limit', async () => {
  const signer = chain.signers[0] ?? ''
  const call = await callOf(await payBy('payer'))
  const first = await chain.sign(call, { signer, nonce: 0n })
  const second = await chain.sign(call, { signer, nonce: 0n, outbids: [first] })
  for (const field of ['maxFeePerGas', 'maxPriorityFeePerGas']) {
    const [less, more] = [first, second].map(({ details }) => BigInt(String(details?.[field])))
    expect(8n * more!).toBeGreaterThanOrEqual(9n * less!)
  }
  const maxCost = (first.maxCost ?? 0n) + 1n
  await expect(chain.sign(call, { signer, nonce: 0n, outbids: [first], maxCost })).rejects.toMatchObject({
    code: 'fee_above_limit',
  })
})
