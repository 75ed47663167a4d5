import {
  assetByTicker,
  type Facilitator,
  type FacilitatorRequest,
  type JsonObject,
  type PaymentRequirements,
} from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { AUTHORIZER, AUTHORIZER_KEY, batchOfferOf, batchRequest, claimOf, refundOf } from '../../testing/batch.js'
import { batchFacilitator, buyBatch, signBatch } from '../../testing/channels.js'
import { BASE_SEPOLIA, PAYER_KEY, SELLER } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { formatHex, type Hex } from '../hex.js'
import { voucherDigest, wireOfConfig } from './channel.js'
import { type BatchEvmClientOptions, batchEvm as client, createMemoryChannels } from './client.js'
import { readChannel, refundCall } from './contract.js'
import { batchEvm as facilitatorHalf } from './facilitator.js'
import { type ChannelLedger, claimRowOf, createChannelLedger } from './ledger.js'
import { createClaimManager } from './manager.js'
import { batchEvm as server } from './server.js'
import { createWithdrawals } from './withdraw.js'

const account = privateKeyAccount(PAYER_KEY)
const authorizer = privateKeyAccount(AUTHORIZER_KEY)
const P = 'invalid_batch_settlement_evm_'
let sandbox: Sandbox
let chain: EvmChain
let own: EvmChain
let payerChain: EvmChain
let store: Store
let inner: Facilitator
let ledger: ChannelLedger
let restore: () => Promise<void>

beforeAll(async () => {
  sandbox = await startEvmChain()
  const common = { network: BASE_SEPOLIA, rpc: sandbox.rpcUrl }
  const chainOf = (role: 'facilitator' | 'seller' | 'payer') =>
    createEvmChain({ ...common, signers: [sandbox.account(role).privateKey] })
  chain = await chainOf('facilitator')
  own = await chainOf('seller')
  payerChain = await chainOf('payer')
})
beforeEach(async () => {
  restore = await sandbox.snapshot()
  store = await openMemoryStore()
  inner = batchFacilitator(sandbox, chain, facilitatorHalf({ chains: [chain] }))
  ledger = await createChannelLedger(store, { facilitator: inner, engine: chain.engine, authorizer })
})
afterEach(async () => {
  await store.close()
  await restore()
})
afterAll(() => sandbox?.stop())

const payerOf = (more: Partial<BatchEvmClientOptions> = {}) => client({ account, engine: chain.engine, ...more })
const buy = (by: ReturnType<typeof payerOf>, terms = batchOfferOf(), charged?: bigint) =>
  buyBatch(ledger, by, terms, charged)
const manager = () => createClaimManager({ chain: own, ledger, authorizer })
const channel = async () => (await ledger.watched(1))[0]!
const onChain = async () => readChannel(chain.rpc, (await channel()).channelId)

/** What a payer asks for: a refund at what was charged. */
async function wish(more: JsonObject = {}, at?: bigint, terms = batchOfferOf()): Promise<FacilitatorRequest> {
  const { channelId, config, charged } = await channel()
  const voucher = { channelId, maxClaimable: at ?? charged }
  const signature = formatHex(await account.signDigest(voucherDigest(chain.engine, 84_532n, voucher)))
  const payload = {
    ...{ type: 'refund', channelConfig: wireOfConfig(config) },
    voucher: { channelId, maxClaimableAmount: voucher.maxClaimable.toString(), signature },
    ...more,
  }
  return { payment: batchRequest(terms, payload), requirements: terms }
}

async function refund(request: FacilitatorRequest) {
  const verdict = await ledger.facilitator.verify(request)
  return verdict.ok ? ledger.facilitator.settle(request) : verdict
}

test('EVM-BATCH-080 EVM-BATCH-083 a payer gets back what it did not spend, and the seller what it earned, in one transaction', async () => {
  const payer = payerOf()
  await buy(payer)
  await buy(payer, batchOfferOf(), 300n)
  const { payerBefore, sellerBefore } = {
    payerBefore: await sandbox.balance(sandbox.account('payer').address),
    sellerBefore: await sandbox.balance(SELLER),
  }
  const block = await sandbox.client.getBlockNumber()
  const outcome = await refund(await wish())
  expect(outcome).toMatchObject({
    status: 'settled',
    receipt: {
      amount: 3700n,
      transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      extra: {
        channelState: { balance: '1300', totalClaimed: '1300', chargedCumulativeAmount: '1300', refundNonce: '1' },
      },
    },
  })
  expect(await sandbox.client.getBlockNumber()).toBe(block + 1n)
  expect((await sandbox.balance(sandbox.account('payer').address)) - payerBefore).toBe(3700n)
  expect(await onChain()).toMatchObject({ balance: 1300n, totalClaimed: 1300n, refundNonce: 1n })
  // Nothing is left to be claimed; what was claimed only has to be swept.
  expect(await ledger.claimable()).toEqual([])
  expect(await refund(await wish())).toMatchObject({ code: `${P}refund_no_balance` })
  expect(await sandbox.balance(SELLER)).toBe(sellerBefore)
  expect(await manager().run()).toMatchObject({ claimed: [], swept: 1300n })
  expect((await sandbox.balance(SELLER)) - sellerBefore).toBe(1300n)
  expect((await manager().run()).transactions).toEqual([])
  // The channel goes on where it stopped, with a new deposit.
  expect(await buy(payerOf({ channels: await refunded() }))).toMatchObject({ status: 'settled' })
  expect((await channel()).charged).toBe(2300n)

  async function refunded() {
    const channels = createMemoryChannels()
    await channels.change((await channel()).channelId, () => ({ charged: 1300n, balance: 1300n }))
    return channels
  }
}, 120_000)

test('EVM-BATCH-081 EVM-BATCH-084 a part is given back, once for each wish that can be told from the next', async () => {
  await buy(payerOf({ depositFor: 10 }))
  const first = await wish({ amount: '1000', id: 'a' })
  expect(await refund(first)).toMatchObject({ status: 'settled', receipt: { amount: 1000n } })
  // The answer was lost: the same wish is told the same.
  expect(await refund(first)).toMatchObject({ status: 'settled', receipt: { amount: 1000n } })
  expect((await onChain()).balance).toBe(9000n)
  expect(await refund(await wish({ amount: '1000', id: 'b' }))).toMatchObject({ receipt: { amount: 1000n } })
  // Official clients send no word: each of their wishes is one of its own.
  for (const left of [7000n, 6000n]) {
    expect(await refund(await wish({ amount: '1000' }))).toMatchObject({ receipt: { amount: 1000n } })
    expect((await onChain()).balance).toBe(left)
  }
  // More than there is: what there is.
  expect(await refund(await wish({ amount: '99000' }))).toMatchObject({ receipt: { amount: 5000n } })
  expect(await onChain()).toMatchObject({ balance: 1000n, totalClaimed: 1000n })
})

test('EVM-BATCH-082 a wish is for the count that the seller has, with the payer’s own signature', async () => {
  await buy(payerOf())
  await buy(payerOf({ channels: await known() }), batchOfferOf(), 500n)
  expect(await refund(await wish({}, 1000n))).toMatchObject({
    code: `${P}cumulative_amount_mismatch`,
    extra: { channelState: { chargedCumulativeAmount: '1500' } },
  })
  const good = await wish()
  const voucher = { ...(good.payment.payload.voucher as JsonObject), signature: `0x${'11'.repeat(64)}1b` }
  const forged = { ...good, payment: { ...good.payment, payload: { ...good.payment.payload, voucher } } }
  expect(await refund(forged)).toMatchObject({ code: `${P}voucher_signature` })
  for (const amount of ['0', '01', '-1', '0x10', '1e3', (1n << 128n).toString()]) {
    expect([await refund(await wish({ amount })), amount]).toMatchObject([
      { code: expect.stringMatching(/refund_amount_invalid|invalid_payload/) },
      amount,
    ])
  }
  const keyless = await createChannelLedger(store, { facilitator: inner, engine: chain.engine })
  expect(await keyless.facilitator.verify(good)).toMatchObject({ code: `${P}authorizer_not_configured` })
  const foreign = { facilitator: inner, engine: chain.engine, authorizer: privateKeyAccount(PAYER_KEY) }
  expect(await (await createChannelLedger(store, foreign)).facilitator.verify(good)).toMatchObject({
    code: `${P}authorizer_not_configured`,
  })
  expect((await onChain()).balance).toBe(5000n)

  async function known() {
    const channels = createMemoryChannels()
    await channels.change((await channel()).channelId, () => ({ charged: 1000n, balance: 5000n }))
    return channels
  }
})

test('EVM-BATCH-080 the facilitator judges the wish of a payer, and puts it on chain only with the word of the seller', async () => {
  await buy(payerOf())
  const request = await wish()
  expect(await inner.verify(request)).toMatchObject({ ok: true, extra: { balance: '5000', refundNonce: '0' } })
  expect(await inner.settle(request)).toMatchObject({ code: `${P}payload_type` })
  expect(await inner.verify(await wish({}, 5001n))).toMatchObject({ code: `${P}cumulative_exceeds_balance` })
  expect(await inner.verify(await wish({}, 5000n))).toMatchObject({ code: `${P}refund_no_balance` })
  await manager().run()
  expect(await inner.verify(request)).toMatchObject({ ok: true })
  expect(await inner.verify(await wish({}, 999n))).toMatchObject({ code: `${P}cumulative_below_claimed` })
})

test('EVM-BATCH-085 a refund that was signed counts as made until the contract has seen it', async () => {
  const payer = payerOf()
  await buy(payer)
  // The facilitator keeps what it was given, and says nothing.
  const kept: FacilitatorRequest[] = []
  const mute: Facilitator = {
    ...inner,
    settle: async (request) => {
      kept.push(request)
      return { status: 'unknown', retryAfter: 1 }
    },
  }
  let now = Date.now()
  const options = { engine: chain.engine, authorizer, clock: () => now }
  const muted = await createChannelLedger(store, { ...options, facilitator: mute })
  const request = await wish({ amount: '3500' })
  expect(await muted.facilitator.verify(request)).toMatchObject({ ok: true })
  expect(await muted.facilitator.settle(request)).toMatchObject({ status: 'unknown' })
  // An hour later nobody remembers the request; 1,500 of 5,000 is all that may be taken vouchers for.
  now += 3_600_000
  const later = await createChannelLedger(store, { ...options, facilitator: inner })
  const ask = async (terms: PaymentRequirements, by = payer) =>
    later.facilitator.verify((await signBatch(by, terms)).request)
  expect(await ask(batchOfferOf({ amount: 501n }))).toMatchObject({ code: `${P}cumulative_exceeds_balance` })
  expect(await ask(batchOfferOf({ amount: 500n }))).toMatchObject({ ok: true })
  now += 3_600_000
  // Asked again, the same refund is signed, whatever amount is named: one number, one amount.
  expect(await later.refund((await channel()).channelId, 10n)).toMatchObject({ receipt: { amount: 3500n } })
  expect(await inner.settle(kept[0]!)).toMatchObject({ status: 'refused' })
  expect(await onChain()).toMatchObject({ balance: 1500n, refundNonce: 1n })
})

test('EVM-BATCH-085 nor is it forgotten when the facilitator says no, and it is when the contract has seen it', async () => {
  const payer = payerOf()
  await buy(payer)
  const kept: FacilitatorRequest[] = []
  const refusing: Facilitator = {
    ...inner,
    settle: async (request) => {
      kept.push(request)
      return { status: 'refused', code: 'fee_above_limit' }
    },
  }
  const saysNo = await createChannelLedger(store, { engine: chain.engine, authorizer, facilitator: refusing })
  const { channelId } = await channel()
  expect(await saysNo.refund(channelId, 3000n)).toMatchObject({ code: 'fee_above_limit' })
  expect((await channel()).refunding).toBe(3000n)
  expect(await buy(payer, batchOfferOf({ amount: 1001n }))).toMatchObject({ code: `${P}cumulative_exceeds_balance` })
  expect(await buy(payer, batchOfferOf({ amount: 1000n }))).toMatchObject({ status: 'settled' })
  // It does so all the same.
  expect(await inner.settle(kept[0]!)).toMatchObject({ status: 'settled' })
  await manager().watch()
  expect(await channel()).toMatchObject({ refunding: 0n, refundNonce: 1n, balance: 2000n })
})

test('EVM-BATCH-083 the seller gives back on its own, and never while a request is served', async () => {
  const payer = payerOf()
  await buy(payer)
  const { channelId } = await channel()
  const { request } = await signBatch(payer, batchOfferOf())
  expect(await ledger.facilitator.verify(request)).toMatchObject({ ok: true })
  expect(await ledger.refund(channelId)).toMatchObject({ code: `${P}channel_busy` })
  expect(await ledger.facilitator.settle(request)).toMatchObject({ status: 'settled' })
  const [one, two] = await Promise.all([ledger.refund(channelId), ledger.refund(channelId)])
  expect([one, two].map(({ status }) => status)).toContain('settled')
  expect(await onChain()).toMatchObject({ balance: 2000n, totalClaimed: 2000n, refundNonce: 1n })
  expect(await ledger.refund(channelId, 0n)).toMatchObject({ code: `${P}refund_amount_invalid` })
  expect(await ledger.refund(`0x${'9'.repeat(64)}`)).toMatchObject({ code: `${P}missing_channel` })
}, 120_000)

test('EVM-BATCH-003 the key of the authorizer is not that of the account that is paid', () => {
  const asset = assetByTicker(BASE_SEPOLIA, 'USDC')!
  const terms = { network: BASE_SEPOLIA, asset, amount: 1n, payTo: AUTHORIZER, maxTimeoutSeconds: 60 }
  expect(() => server({ receiverAuthorizer: AUTHORIZER }).offer(terms)).toThrow('invalid_config')
})

test('EVM-BATCH-088 a foreign authorizer moves nothing, and a leaked one nothing but to the receiver and the payer', async () => {
  await buy(payerOf())
  const it = await channel()
  const terms = batchOfferOf()
  const ask = (payload: JsonObject) => inner.settle({ payment: batchRequest(terms, payload), requirements: terms })
  const thief = privateKeyAccount(sandbox.account('payer2').privateKey)
  const digest = await thief.signDigest(
    voucherDigest(chain.engine, 84_532n, { channelId: it.channelId, maxClaimable: 1n }),
  )
  const claim = await claimOf(claimRowOf(it))
  expect(await ask({ ...claim, claimAuthorizerSignature: formatHex(digest) })).toMatchObject({
    code: `${P}claim_simulation_failed`,
  })
  const given = await refundOf(it.config, it.channelId, { amount: 4000n })
  expect(await ask({ ...given, refundAuthorizerSignature: formatHex(digest) })).toMatchObject({
    code: `${P}refund_simulation_failed`,
  })
  // The word of the authorizer is for one channel, as it is: with another payer in it, it is another channel.
  const elsewhere = { ...it.config, payer: thief.address.toLowerCase() as Hex }
  const bytes = new Uint8Array(65)
  const tried = await chain.rpc.call({
    ...refundCall(elsewhere as never, 4000n, 0n, bytes),
    from: chain.signers[0] as never,
  })
  expect(tried.ok).toBe(false)
  const before = await Promise.all([SELLER, sandbox.account('payer').address].map((of) => sandbox.balance(of as Hex)))
  // Who has the key hands both in at once: the receiver is paid what was earned, and the payer the rest.
  expect(await ask(claim)).toMatchObject({ status: 'settled' })
  expect(await ask({ type: 'settle', receiver: SELLER, token: it.config.token })).toMatchObject({ status: 'settled' })
  expect(await ask(given)).toMatchObject({ status: 'settled' })
  const after = await Promise.all([SELLER, sandbox.account('payer').address].map((of) => sandbox.balance(of as Hex)))
  expect(after.map((each, i) => each - (before[i] ?? 0n))).toEqual([1000n, 4000n])
})

test('EVM-BATCH-087 a payer whose seller is gone takes out what is locked, once the delay is over', async () => {
  await buy(payerOf())
  const { config } = await channel()
  const withdrawals = createWithdrawals({ chain: payerChain })
  expect(await withdrawals.read(config)).toMatchObject({ locked: 5000n, withdrawing: 0n })
  expect(await withdrawals.finalize(config)).toMatchObject({ ok: false, code: 'channel_withdrawal_refused' })
  expect(await withdrawals.initiate(config, 5001n)).toMatchObject({ code: 'channel_withdrawal_refused' })
  expect(await createWithdrawals({ chain: own }).initiate(config)).toMatchObject({ code: 'channel_withdrawal_refused' })
  const begun = await withdrawals.initiate(config)
  expect(begun).toMatchObject({ ok: true, channel: { withdrawing: 5000n, finalizeAfter: expect.any(Number) } })
  expect(await withdrawals.initiate(config)).toMatchObject({ code: 'channel_withdrawal_refused' })
  expect(await withdrawals.finalize(config)).toMatchObject({ code: 'channel_withdrawal_early' })
  // The seller is there after all, and claims what it is owed before the delay is over.
  expect(await manager().watch()).toMatchObject({ claimed: [(await channel()).channelId], swept: 1000n })
  await sandbox.client.increaseTime({ seconds: 901 })
  await sandbox.client.mine({ blocks: 1 })
  const before = await sandbox.balance(sandbox.account('payer').address)
  expect(await withdrawals.finalize(config)).toMatchObject({ ok: true, channel: { locked: 0n, withdrawing: 0n } })
  expect((await sandbox.balance(sandbox.account('payer').address)) - before).toBe(4000n)
  const nothing = await withdrawals.initiate(config)
  expect(nothing).toMatchObject({ code: `${P}channel_not_found` })
})

test('EVM-BATCH-087 a seller that claims while its payer leaves does not keep it from leaving', async () => {
  await buy(payerOf())
  const { config } = await channel()
  let claims = 1
  const claimedFirst: typeof payerChain = {
    ...payerChain,
    async sign(...call) {
      if (claims-- > 0) await manager().run()
      return payerChain.sign(...call)
    },
  }
  const begun = await createWithdrawals({ chain: claimedFirst }).initiate(config)
  expect(begun).toMatchObject({ ok: true, channel: { locked: 4000n, withdrawing: 4000n } })
})

test('EVM-BATCH-072 a watch finds who is on the way out among any number of channels', async () => {
  const salts = Array.from({ length: 5 }, (_, i): Hex => `0x${String(i + 1).padStart(64, '0')}`)
  for (const salt of salts) await buy(payerOf({ salt, depositFor: 2 }))
  const watching = manager()
  expect((await watching.watch(1)).claimed).toEqual([])
  const all = await ledger.watched(10)
  const [, , third] = all
  await createWithdrawals({ chain: payerChain }).initiate(third!.config)
  expect(await watching.watch(0)).toMatchObject({ claimed: [third!.channelId], refused: [] })
  expect(await ledger.channel(third!.channelId)).toMatchObject({
    totalClaimed: 1000n,
    withdrawRequestedAt: expect.any(Number),
  })
  expect((await watching.watch(0)).claimed).toEqual([])
})
