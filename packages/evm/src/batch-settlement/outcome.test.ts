import type { PaymentPayload } from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain, startRpcProxy } from '@groat/sandbox'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { batchOfferOf, batchRequest, claimOf, payBatch, refundOf } from '../../testing/batch.js'
import { BASE_SEPOLIA } from '../../testing/payments.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { nobleEngine } from '../crypto/index.js'
import type { Hex } from '../hex.js'
import type { ClaimRow } from './channel.js'
import { batchEvm } from './facilitator.js'
import { readBatch } from './shared.js'

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
const offer = batchOfferOf()
const byPermit2 = batchOfferOf({}, { assetTransferMethod: 'permit2' })
const scheme = () => batchEvm({ chains: [chain] })

beforeAll(async () => {
  sandbox = await startEvmChain()
  chain = await connect(sandbox.rpcUrl)
  const words = [sandbox.permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
  const from = sandbox.account('payer').address
  await mined(
    await sandbox.client.sendUnsignedTransaction({ from, to: sandbox.usdc, data: `0x095ea7b3${words.join('')}` }),
  )
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

const connect = (rpc: string) =>
  createEvmChain({ network: BASE_SEPOLIA, rpc, signers: [sandbox.account('facilitator').privateKey] })

/** A node that mines by itself does so a moment after it has taken a transaction. */
async function mined(hash: Hex) {
  if (await sandbox.client.getAutomine()) await sandbox.client.waitForTransactionReceipt({ hash })
}

async function submit(payment: PaymentPayload, terms = offer) {
  const signer = chain.signers[0] ?? ''
  const call = await scheme().prepare(payment, terms)
  if (call === undefined) throw new TypeError('nothing to send')
  const transaction = await chain.sign(call, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
  expect(await chain.send(transaction)).toEqual({ status: 'accepted' })
  await mined(transaction.hash as Hex)
  return transaction
}

async function submitAsStranger(payment: PaymentPayload, terms = offer): Promise<Hex> {
  const account = privateKeyToAccount(sandbox.account('payer5').privateKey)
  const call = await scheme().prepare(payment, terms)
  if (call === undefined) throw new TypeError('nothing to send')
  const hash = await sandbox.client.sendTransaction({ account, to: call.to, data: call.data })
  await mined(hash)
  return hash
}

/** A node that has the state of a block and not yet, or no more, what happened in it. */
async function withForgetful(
  work: (
    outcome: (
      payment: PaymentPayload,
      sent: Parameters<ReturnType<typeof batchEvm>['outcome']>[2],
      terms?: typeof offer,
    ) => Promise<unknown>,
  ) => Promise<void>,
) {
  const rules = [
    { method: 'eth_getTransactionReceipt', fault: { action: 'result', result: null } },
    { method: 'eth_getLogs', fault: { action: 'result', result: [] } },
  ] as const
  const proxy = await startRpcProxy({ target: sandbox.rpcUrl, rules })
  try {
    const by = batchEvm({ chains: [await connect(proxy.url)] })
    await work((payment, sent, terms = offer) => by.outcome(payment, terms, sent))
  } finally {
    await proxy.stop()
  }
}

for (const [name, terms] of [
  ['EIP-3009', offer],
  ['Permit2', byPermit2],
] as const) {
  test(`EVM-BATCH-062 a deposit by ${name} that landed is never dead, whatever the node has forgotten`, async () => {
    const payment = await payBatch(terms)
    const sent = await submit(payment, terms)
    await withForgetful(async (outcome) => {
      expect(await outcome(payment, [sent], terms)).toEqual({ status: 'pending' })
      await sandbox.warp(200)
      await expect(outcome(payment, [sent], terms)).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
    })
    expect(await scheme().outcome(payment, terms, [sent])).toMatchObject({
      status: 'settled',
      amount: 5000n,
      fee: expect.any(BigInt),
    })
  })

  test(`EVM-BATCH-062 a deposit by ${name} is dead when its end has passed and its number is unused, and not before`, async () => {
    const payment = await payBatch(terms)
    await sandbox.setAutomine(false)
    const sent = await submit(payment, terms)
    expect(await scheme().outcome(payment, terms, [sent])).toEqual({ status: 'pending' })
    await sandbox.dropTransaction(sent.hash as Hex)
    await sandbox.warp(75)
    expect(await scheme().outcome(payment, terms, [sent])).toEqual({ status: 'pending' })
    await sandbox.warp(200)
    const dead = { status: 'dead', refusal: { ok: false, code: 'payment_expired' } }
    expect(await scheme().outcome(payment, terms, [sent])).toEqual(dead)
  })

  test(`EVM-BATCH-063 a deposit by ${name} that a stranger handed in has filled the channel`, async () => {
    const payment = await payBatch(terms)
    const transaction = await submitAsStranger(payment, terms)
    const landed = await scheme().outcome(payment, terms, [])
    expect(landed).toMatchObject({ status: 'settled', transaction, amount: 5000n })
    expect(landed).not.toHaveProperty('fee')
  })
}

test('EVM-BATCH-066 a deposit whose number was taken back is dead when its end has passed, and not before', async () => {
  const payment = await payBatch(byPermit2)
  const deposit = payment.payload.deposit as { authorization: { permit2Authorization: { nonce: string } } }
  const nonce = BigInt(deposit.authorization.permit2Authorization.nonce)
  const words = [nonce >> 8n, 1n << (nonce & 255n)].map((word) => word.toString(16).padStart(64, '0'))
  const from = sandbox.account('payer').address
  // invalidateUnorderedNonces(uint256,uint256)
  const data: Hex = `0x3ff9dcb1${words.join('')}`
  await mined(await sandbox.client.sendUnsignedTransaction({ from, to: sandbox.permit2, data }))
  expect(await scheme().outcome(payment, byPermit2, [])).toEqual({ status: 'pending' })
  await sandbox.warp(200)
  const refusal = { ok: false, code: 'permit2_invalid_nonce' }
  expect(await scheme().outcome(payment, byPermit2, [])).toEqual({ status: 'dead', refusal })
})

/** A channel with 5000 in it, of which a voucher lets 1000 be claimed. */
async function filled(): Promise<{ row: ClaimRow; channelId: Hex }> {
  const payment = await payBatch(offer)
  await submit(payment)
  const read = readBatch(nobleEngine, payment, offer)
  if (!read.ok) throw new TypeError(read.code)
  const { signature } = payment.payload.voucher as { signature: Hex }
  const row = { channel: read.config, maxClaimable: 1000n, signature, totalClaimed: 1000n }
  return { row, channelId: read.channelId }
}

test('EVM-BATCH-062 a claim, a refund or a sweep whose number is used up and that has no receipt is not given up', async () => {
  const { row, channelId } = await filled()
  const wishes = [
    await claimOf(row),
    { type: 'settle', receiver: row.channel.receiver, token: row.channel.token },
    await refundOf(row.channel, channelId, { amount: 4000n }),
  ]
  for (const payload of wishes) {
    const payment = batchRequest(offer, payload)
    const sent = await submit(payment)
    await withForgetful(async (outcome) => {
      await expect(outcome(payment, [sent])).rejects.toMatchObject({ code: 'rpc_invalid_answer' })
    })
    expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'settled' })
  }
})

test('EVM-BATCH-062 a claim or a refund is dead when the contract shows that it was never done, and its number went to something else', async () => {
  const { row, channelId } = await filled()
  for (const payload of [await claimOf(row), await refundOf(row.channel, channelId, { amount: 4000n })]) {
    const payment = batchRequest(offer, payload)
    await sandbox.setAutomine(false)
    const sent = await submit(payment)
    expect(await scheme().outcome(payment, offer, [sent])).toEqual({ status: 'pending' })
    await sandbox.dropTransaction(sent.hash as Hex)
    expect(await scheme().outcome(payment, offer, [sent])).toEqual({ status: 'pending' })
    await sandbox.setAutomine(true)
    const idle = chain.idle?.(sent.signer)
    if (idle === undefined) throw new TypeError('the chain cannot idle')
    const other = await chain.sign(idle, { signer: sent.signer, nonce: sent.nonce ?? 0n })
    await chain.send(other)
    await mined(other.hash as Hex)
    expect(await scheme().outcome(payment, offer, [sent])).toMatchObject({ status: 'dead' })
  }
})

test('EVM-BATCH-064 a claim of what is claimed already is not sent, and one of several channels is one sum', async () => {
  const { row } = await filled()
  const salt: Hex = `0x${'1'.repeat(64)}`
  const second = await payBatch(offer, { salt })
  await submit(second)
  const read = readBatch(nobleEngine, second, offer)
  if (!read.ok) throw new TypeError(read.code)
  const { signature } = second.payload.voucher as { signature: Hex }
  const both = batchRequest(
    offer,
    await claimOf(row, { channel: read.config, maxClaimable: 1000n, signature, totalClaimed: 700n }),
  )
  const first = batchRequest(offer, await claimOf(row))
  await submit(first)
  expect(await scheme().verify(first, offer, { now: Date.now(), settling: true })).toMatchObject({
    code: 'invalid_batch_settlement_evm_nothing_to_settle',
  })
  // The first row brings nothing any more, and logs nothing.
  const sent = await submit(both)
  expect(await scheme().outcome(both, offer, [sent])).toMatchObject({ status: 'settled', amount: 700n })
})
