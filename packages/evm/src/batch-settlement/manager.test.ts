import type { Asset, PaymentPayload, PaymentRequirements } from '@groat/core'
import { deployHostileToken, type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { AUTHORIZER_KEY, batchOfferOf, payBatch } from '../../testing/batch.js'
import { BASE_SEPOLIA, PAYER, SELLER } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import type { Hex } from '../hex.js'
import { finalizeWithdrawCall, initiateWithdrawCall, readChannel } from './contract.js'
import { batchEvm } from './facilitator.js'
import type { ChannelLedger, LedgerChannel } from './ledger.js'
import type { ChainSays } from './ledger-table.js'
import { createClaimManager } from './manager.js'
import { readBatch } from './shared.js'

// What keeps a seller from its money: tokens that send nothing, and payers who leave with a part of it.

let sandbox: Sandbox
let own: EvmChain
let restore: () => Promise<void>

beforeAll(async () => {
  sandbox = await startEvmChain()
  const signers = [sandbox.account('seller').privateKey]
  own = await createEvmChain({ network: BASE_SEPOLIA, rpc: sandbox.rpcUrl, signers })
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

/** A channel that was charged all of its first voucher, deposited on chain. */
async function opened(terms: PaymentRequirements, payment: PaymentPayload): Promise<LedgerChannel> {
  const read = readBatch(own.engine, payment, terms)
  if (!read.ok || read.deposit === undefined) throw new TypeError('no deposit')
  const asset: Asset = { network: BASE_SEPOLIA, symbol: 'T', address: terms.asset, decimals: 6, transfer: 'eip3009' }
  const signers = [sandbox.account('facilitator').privateKey]
  const chain = await createEvmChain({ network: BASE_SEPOLIA, rpc: sandbox.rpcUrl, signers, assets: [asset] })
  const call = await batchEvm({ chains: [chain] }).prepare(payment, terms)
  await transact(sandbox.account('facilitator').address, call!)
  const { config, channelId, voucher, deposit } = read
  const { signature } = payment.payload.voucher as { signature: Hex }
  return {
    ...{ channelId, network: BASE_SEPOLIA, config, charged: voucher.maxClaimable, signedMax: voucher.maxClaimable },
    ...{ signature, balance: deposit.amount, totalClaimed: 0n, withdrawRequestedAt: 0, refundNonce: 0n, refunding: 0n },
  }
}

async function transact(from: Hex, { to, data }: { readonly to: Hex; readonly data: Hex }): Promise<void> {
  const hash = await sandbox.client.sendUnsignedTransaction({ from, to, data })
  expect((await sandbox.client.waitForTransactionReceipt({ hash })).status).toBe('success')
}

/** As much of a ledger as claims need. */
function managing(...channels: LedgerChannel[]) {
  const rows = new Map(channels.map((channel) => [channel.channelId, channel]))
  const all = async () => [...rows.values()]
  const ledger: Pick<ChannelLedger, 'claimable' | 'channel' | 'watched' | 'sync'> = {
    claimable: async () => (await all()).filter(({ charged, totalClaimed }) => charged > totalClaimed),
    channel: async (id) => rows.get(id),
    watched: all,
    async sync(id, state: ChainSays) {
      rows.set(id, { ...rows.get(id)!, ...state })
    },
  }
  const authorizer = privateKeyAccount(AUTHORIZER_KEY)
  return createClaimManager({ chain: own, ledger: ledger as ChannelLedger, authorizer, waitMs: 10_000 })
}

test.each(['paused', 'returns-false', 'burns-gas'] as const)(
  'EVM-BATCH-073 a token that sends nothing (%s) keeps no claim back, nor the money of other tokens',
  async (conduct) => {
    const token = await deployHostileToken(sandbox)
    await token.mint(PAYER, 100_000n)
    const domain = { name: 'Hostile Dollar', version: '1' }
    const listed = { network: BASE_SEPOLIA, symbol: 'BAD', address: token.address, decimals: 6, domain }
    const asset: Asset = { ...listed, transfer: 'eip3009' }
    const terms = batchOfferOf({ asset })
    const bad = await opened(terms, await payBatch(terms, { assets: [asset] }))
    const offer = batchOfferOf()
    const good = await opened(offer, await payBatch(offer))
    await token.misbehave(conduct)
    const before = await sandbox.balance(SELLER as Hex)
    const manager = managing(bad, good)
    const run = await manager.run()
    expect([run.claimed, run.refused]).toEqual([[bad.channelId, good.channelId], []])
    expect((await sandbox.balance(SELLER as Hex)) - before).toBe(1000n)
    expect((await readChannel(own.rpc, bad.channelId)).totalClaimed).toBe(1000n)
    expect((await manager.run()).transactions).toEqual([])
    await token.misbehave('honest')
    expect((await manager.run()).swept).toBe(1000n)
    expect(await sandbox.balance(SELLER as Hex, token.address)).toBe(1000n)
  },
)

test('EVM-BATCH-074 of a payer that has left with a part, what is left is claimed', async () => {
  const offer = batchOfferOf()
  const channel = await opened(offer, await payBatch(offer))
  await transact(PAYER, initiateWithdrawCall(channel.config, 4_400n))
  await sandbox.warp(901)
  await transact(PAYER, finalizeWithdrawCall(channel.config))
  const before = await sandbox.balance(SELLER as Hex)
  const manager = managing(channel)
  expect(await manager.run()).toMatchObject({ claimed: [channel.channelId], refused: [], swept: 600n })
  expect((await sandbox.balance(SELLER as Hex)) - before).toBe(600n)
  expect(await manager.run()).toMatchObject({ claimed: [], refused: [channel.channelId], transactions: [] })
})
