import {
  assetByTicker,
  encodeChallenge,
  type Facilitator,
  type FacilitatorRequest,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  systemRandom,
} from '@groat/core'
import { arbMutated } from '@groat/core/testing'
import { type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUTHORIZER, AUTHORIZER_KEY } from '../../testing/batch.js'
import { BASE_SEPOLIA, PAYER, PAYER_KEY, SELLER } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { nobleEngine } from '../crypto/index.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import {
  type ChannelConfig,
  channelIdOf,
  claimBatchDigest,
  refundDigest,
  voucherDigest,
  wireOfConfig,
} from './channel.js'
import { type BatchEvmClientOptions, batchEvm as client, createMemoryChannels } from './client.js'
import { readChannel } from './contract.js'
import { depositNonce, depositPermit, depositTransfer, receiveDigest } from './deposit.js'
import { batchEvm as facilitatorHalf } from './facilitator.js'
import { type ChannelLedger, claimRowOf, createChannelLedger } from './ledger.js'
import { createClaimManager } from './manager.js'
import { batchEvm as server } from './server.js'
import { inspectBatch, voucherId } from './shared.js'

const asset = assetByTicker(BASE_SEPOLIA, 'USDC')!
const ZERO: Hex = `0x${'0'.repeat(64)}`
const part = (text: string) => parseAddress(text)!

describe('what is signed', () => {
  const config: ChannelConfig = {
    payer: part(PAYER),
    payerAuthorizer: part(PAYER),
    receiver: part(SELLER),
    receiverAuthorizer: part(AUTHORIZER),
    token: part(asset.address),
    withdrawDelay: 900,
    salt: ZERO,
  }
  const channelId = channelIdOf(nobleEngine, 84_532n, config)

  test('EVM-BATCH-010 EVM-BATCH-011 EVM-BATCH-012 EVM-BATCH-014 is what the contracts check', () => {
    const row = { channel: config, maxClaimable: 1000n, signature: '0x', totalClaimed: 700n } as const
    const nonce = depositNonce(nobleEngine, channelId, `0x${'44'.repeat(32)}`)
    const deposit = {
      amount: 5000n,
      validAfter: 0n,
      validBefore: 2_000_000_000n,
      salt: ZERO,
      method: 'eip3009',
    } as const
    const domain = { name: 'USDC', version: '2', chainId: 84_532n, verifyingContract: part(asset.address) }
    const transfer = depositTransfer(part(asset.address), {
      amount: 5000n,
      nonce: BigInt(`0x${'55'.repeat(32)}`),
      deadline: 2_000_000_000n,
    })
    expect({
      channelId,
      voucher: formatHex(voucherDigest(nobleEngine, 84_532n, { channelId, maxClaimable: 1000n })),
      claim: formatHex(claimBatchDigest(nobleEngine, 84_532n, [row])),
      refund: formatHex(refundDigest(nobleEngine, 84_532n, { channelId, nonce: 0n, amount: 4000n })),
      nonce,
      receive: formatHex(receiveDigest(nobleEngine, domain, part(PAYER), nonce, deposit)),
      permit2: formatHex(depositPermit.digest(nobleEngine, 84_532n, transfer, { channelId })),
    }).toEqual({
      channelId: '0xa4266a906400c4df5de4237ccd253336a2abb969d19ff27b03fa4af923e2e729',
      voucher: '0x90fd7d1263e6bb18f843fe7f0f093cecb960dd602c9c49b37cdea4c64f8f7e8a',
      claim: '0x2bc5271e22e2d1dc14ec22e00b33c7763c9b65703fc4f5de0d13db870daf852a',
      refund: '0x40c8e765cdb93fc63d673c2982f59f24f5e5bc7f0c1b914dfb64d4c457f05483',
      nonce: '0x76e405f70e644abe1f4b81a018e750bdda6337ff295eb7df89efc34c6ed94711',
      receive: '0xa1a5b02516e72918fa9212bc0a8c9aaa5bb55cf8bb6b338078317edfcd13626b',
      permit2: '0x799b429a28d2c356cf178dfd80d41f9c0970e9a21ac5d709ef60d9d4e7d5d09c',
    })
  })
})

describe('what payment and terms alone show', () => {
  const offer = server({ receiverAuthorizer: AUTHORIZER }).offer({
    ...{ network: BASE_SEPOLIA, asset, amount: 1000n, payTo: SELLER, maxTimeoutSeconds: 60 },
  })
  const at = { now: Date.now() }
  const paid = async () => {
    const by = client({ account: privateKeyAccount(PAYER_KEY) })
    const prepared = await by.prepare(offer, { clock: () => at.now, random: systemRandom, maxLifetimeSeconds: 600 })
    if (!prepared.ok) throw new Error(prepared.code)
    const payload = await prepared.sign()
    return { x402Version: 2, scheme: offer.scheme, network: offer.network, accepted: offer, payload } as const
  }
  const codeOf = (payment: PaymentPayload, terms = offer) => {
    const inspection = inspectBatch(nobleEngine, payment, terms, at)
    return inspection.ok ? 'ok' : inspection.code
  }

  test('EVM-BATCH-001 EVM-BATCH-002 an offer names the authorizer of the seller and the withdraw delay', () => {
    expect(offer.extra).toEqual({
      ...{ name: 'USDC', version: '2', assetTransferMethod: 'eip3009' },
      ...{ receiverAuthorizer: AUTHORIZER, withdrawDelay: 900 },
    })
    expect(() => server({ receiverAuthorizer: `0x${'0'.repeat(40)}` })).toThrow('invalid_config')
    expect(() => server({ receiverAuthorizer: AUTHORIZER, withdrawDelay: 899 })).toThrow('invalid_config')
  })

  test('EVM-BATCH-030 EVM-BATCH-031 EVM-BATCH-032 schemes, networks and types must be right', async () => {
    const payment = await paid()
    expect(codeOf(payment)).toBe('ok')
    expect(codeOf({ ...payment, scheme: 'exact' })).toBe('invalid_batch_settlement_evm_scheme')
    expect(codeOf({ ...payment, network: 'eip155:1' as never })).toBe('invalid_batch_settlement_evm_network_mismatch')
    expect(codeOf({ ...payment, payload: { type: 'gift' } })).toBe('invalid_batch_settlement_evm_payload_type')
    expect(codeOf({ ...payment, payload: { type: 'voucher' } })).toBe('invalid_payload')
    fc.assert(
      fc.property(arbMutated(fc.constant(payment.payload)), (payload) => {
        expect(codeOf({ ...payment, payload: payload as JsonObject })).toEqual(expect.any(String))
      }),
    )
  })

  test('EVM-BATCH-033 EVM-BATCH-035 EVM-BATCH-037 the channel is the one of the offer, and its vouchers are those of a key', async () => {
    const payment = await paid()
    const withConfig = (change: JsonObject) => {
      const channelConfig = { ...(payment.payload.channelConfig as JsonObject), ...change }
      const channelId = channelIdOf(nobleEngine, 84_532n, channelConfig as never)
      const voucher = { ...(payment.payload.voucher as JsonObject), channelId }
      return { ...payment, payload: { ...payment.payload, channelConfig, voucher } }
    }
    const wrongId = { ...(payment.payload.voucher as JsonObject), channelId: ZERO }
    const P = 'invalid_batch_settlement_evm_'
    const other = PAYER.toLowerCase()
    expect({
      id: codeOf({ ...payment, payload: { ...payment.payload, voucher: wrongId } }),
      receiver: codeOf(withConfig({ receiver: other })),
      authorizer: codeOf(withConfig({ receiverAuthorizer: other })),
      token: codeOf(withConfig({ token: other })),
      delay: codeOf(withConfig({ withdrawDelay: 901 })),
      contract: codeOf(withConfig({ payerAuthorizer: `0x${'0'.repeat(40)}` })),
    }).toEqual({
      id: `${P}channel_id_mismatch`,
      receiver: `${P}receiver_mismatch`,
      authorizer: `${P}receiver_authorizer_mismatch`,
      token: `${P}token_mismatch`,
      delay: `${P}withdraw_delay_mismatch`,
      contract: `${P}voucher_signature`,
    })
  })

  test('EVM-BATCH-050 vouchers of one ceiling are told apart by the word of the client', () => {
    const voucher = { channelId: ZERO, maxClaimable: 1n }
    const ids = [undefined, 'a', 'b', { length: 1 }].map((id) => voucherId(BASE_SEPOLIA, voucher, id))
    expect([new Set(ids).size, ids[0] === ids[3]]).toEqual([3, true])
  })
})

describe('on a chain', () => {
  let sandbox: Sandbox
  let chain: EvmChain
  let own: EvmChain
  let store: Store
  let ledger: ChannelLedger
  let inner: Facilitator
  let restore: () => Promise<void>
  let sellerBefore: bigint
  const half = () => facilitatorHalf({ chains: [chain] })
  const sells = server({ receiverAuthorizer: AUTHORIZER })
  const offer = (amount = 1000n, extra: JsonObject = {}): PaymentRequirements =>
    sells.offer({ network: BASE_SEPOLIA, asset, amount, payTo: SELLER, maxTimeoutSeconds: 60, extra })
  const manager = () =>
    createClaimManager({ chain: own, ledger, authorizer: privateKeyAccount(AUTHORIZER_KEY), maxRows: 8 })
  const earned = async () => (await sandbox.balance(SELLER)) - sellerBefore

  beforeAll(async () => {
    sandbox = await startEvmChain()
    const common = { network: BASE_SEPOLIA, rpc: sandbox.rpcUrl }
    chain = await createEvmChain({ ...common, signers: [sandbox.account('facilitator').privateKey] })
    own = await createEvmChain({ ...common, signers: [sandbox.account('seller').privateKey] })
    restore = await sandbox.snapshot()
  })
  beforeEach(async () => {
    sellerBefore = await sandbox.balance(SELLER)
    store = await openMemoryStore()
    inner = facilitatorOf(half())
    ledger = await createChannelLedger(store, { facilitator: inner, engine: chain.engine })
  })
  afterEach(async () => {
    await store.close()
    await restore()
  })
  afterAll(() => sandbox?.stop())

  /** What the engine does, without its journal. */
  function facilitatorOf(by: ReturnType<typeof facilitatorHalf>): Facilitator {
    return {
      verify: async ({ payment, requirements }) => by.verify(payment, requirements, { now: Date.now() }),
      async settle({ payment, requirements }) {
        const verdict = await by.verify(payment, requirements, { now: Date.now(), settling: true })
        if (!verdict.ok) return { status: 'refused', code: verdict.code }
        const call = await by.prepare(payment, requirements)
        const signer = chain.signers[0]!
        const sent = await chain.sign(call!, { signer, nonce: await chain.nextNonce!(signer) })
        await chain.send(sent)
        await sandbox.client.waitForTransactionReceipt({ hash: sent.hash as Hex })
        const outcome = await by.outcome(payment, requirements, [sent])
        if (outcome.status !== 'settled') return { status: 'refused', code: 'unexpected_settle_error' }
        const extra = await by.receiptExtra?.(payment, requirements)
        const { transaction, amount } = outcome
        const receipt = {
          payer: PAYER,
          network: requirements.network,
          transaction,
          amount,
          ...(extra ? { extra } : {}),
        }
        return { status: 'settled', receipt }
      },
      supported: async () => ({ kinds: [], extensions: [], signers: {} }),
    }
  }

  const payerOf = (more: Partial<BatchEvmClientOptions> = {}) =>
    client({ account: privateKeyAccount(PAYER_KEY), engine: chain.engine, ...more })

  async function sign(
    by: ReturnType<typeof payerOf>,
    terms: PaymentRequirements,
  ): Promise<{ pid: string; request: FacilitatorRequest }> {
    const prepared = await by.prepare(terms, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 600 })
    if (!prepared.ok) throw new Error(prepared.code)
    const { scheme, network } = terms
    const payment: PaymentPayload = { x402Version: 2, scheme, network, accepted: terms, payload: await prepared.sign() }
    return { pid: prepared.pid, request: { payment, requirements: terms } }
  }

  /** A paid request, as the gate has it: verify, work, settle for what is charged; the payer learns of it. */
  async function buy(by: ReturnType<typeof payerOf>, terms = offer(), charged = terms.amount) {
    const { pid, request } = await sign(by, terms)
    const verdict = await ledger.facilitator.verify(request)
    if (!verdict.ok) return verdict
    const outcome = await ledger.facilitator.settle({ ...request, requirements: { ...terms, amount: charged } })
    if (outcome.status === 'settled') await by.settled?.(pid as never, outcome.receipt)
    return outcome
  }

  const changed = (
    { payment, requirements }: FacilitatorRequest,
    change: (signature: Uint8Array) => Uint8Array,
  ): FacilitatorRequest => {
    const voucher = payment.payload.voucher as { signature: string }
    const signature = formatHex(change(parseHex(voucher.signature)!))
    return {
      payment: { ...payment, payload: { ...payment.payload, voucher: { ...voucher, signature } } },
      requirements,
    }
  }

  const highS = (signature: Uint8Array) => {
    const order = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
    const s = order - BigInt(formatHex(signature.subarray(32, 64)))
    signature.set(parseHex(`0x${s.toString(16).padStart(64, '0')}`)!, 32)
    signature[64] = 55 - (signature[64] ?? 0)
    return signature
  }

  test('EVM-BATCH-070 a thousand payments cost two transactions: one deposit, and one claim that pays the seller', {
    timeout: 300_000,
  }, async () => {
    const payer = payerOf({ depositFor: 1000 })
    const from = await sandbox.client.getBlockNumber()
    for (let i = 0; i < 1000; i++) {
      const outcome = await buy(payer, offer(10n))
      if (!('status' in outcome) || outcome.status !== 'settled') throw new Error(JSON.stringify(outcome))
    }
    expect(await earned()).toBe(0n)
    const run = await manager().run()
    expect([run.claimed.length, run.refused, run.transactions.length, run.swept]).toEqual([1, [], 1, 10_000n])
    expect(await earned()).toBe(10_000n)
    const blocks = await Promise.all(
      Array.from({ length: Number((await sandbox.client.getBlockNumber()) - from) }, (_, i) =>
        sandbox.client.getBlock({ blockNumber: from + BigInt(i) + 1n }),
      ),
    )
    expect(blocks.flatMap(({ transactions }) => transactions)).toHaveLength(2)
    expect((await manager().run()).transactions).toEqual([])
  })

  test('EVM-BATCH-051 the work charges a part, nothing, or all, and the next voucher continues from there', async () => {
    const payer = payerOf()
    const charges: unknown[] = []
    for (const charge of [1000n, 300n, 0n, 0n, 1000n]) {
      const outcome = await buy(payer, offer(), charge)
      charges.push(
        'status' in outcome &&
          outcome.status === 'settled' && [outcome.receipt.amount, outcome.receipt.extra?.chargedAmount],
      )
    }
    expect(charges).toEqual([
      [1000n, '1000'],
      [300n, '300'],
      [0n, '0'],
      [0n, '0'],
      [1000n, '1000'],
    ])
    await manager().run()
    expect(await earned()).toBe(2300n)
  })

  test('EVM-BATCH-052 a voucher is charged once, however often it is settled, and a copy of it buys nothing', async () => {
    const payer = payerOf()
    await buy(payer)
    const { request } = await sign(payer, offer())
    expect(await ledger.facilitator.verify(request)).toMatchObject({ ok: true })
    const outcomes = await Promise.all([1, 2, 3].map(() => ledger.facilitator.settle(request)))
    expect(
      new Set(
        outcomes.map((outcome) =>
          JSON.stringify(outcome, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
        ),
      ).size,
    ).toBe(1)
    expect((await ledger.claimable())[0]?.charged).toBe(2000n)
    expect(await ledger.facilitator.verify(request)).toMatchObject({
      ok: false,
      code: 'invalid_batch_settlement_evm_cumulative_amount_mismatch',
    })
  })

  test('EVM-BATCH-056 what was charged is known as that after other payments too: nobody pays and is told that it did not', async () => {
    const payer = payerOf()
    await buy(payer)
    // Its answer is lost, and the payer is told of it by the next refusal.
    const first = await sign(payer, offer())
    expect(await ledger.facilitator.verify(first.request)).toMatchObject({ ok: true })
    const settled = await ledger.facilitator.settle({ ...first.request, requirements: offer(700n) })
    expect(settled).toMatchObject({ status: 'settled', receipt: { amount: 700n } })
    await correct(payer)
    for (let i = 0; i < 3; i++) expect(await buy(payer)).toMatchObject({ status: 'settled' })
    const { request } = await sign(payer, offer())
    expect(await ledger.facilitator.verify(request)).toMatchObject({ ok: true })
    for (const amount of [700n, 1000n]) {
      const again = await ledger.facilitator.settle({ ...first.request, requirements: offer(amount) })
      expect(again).toMatchObject({ status: 'settled', receipt: { amount: 700n, extra: { chargedAmount: '700' } } })
    }
    expect((await ledger.claimable())[0]?.charged).toBe(4700n)
    expect(await ledger.facilitator.settle(request)).toMatchObject({ status: 'settled' })
  })

  test('EVM-BATCH-053 a channel serves one request at a time', async () => {
    const payer = payerOf()
    await buy(payer)
    const [small, large] = [await sign(payer, offer(10n)), await sign(payer, offer(20n))]
    expect(await ledger.facilitator.verify(small.request)).toMatchObject({ ok: true })
    expect(await ledger.facilitator.verify(large.request)).toMatchObject({
      code: 'invalid_batch_settlement_evm_channel_busy',
    })
    expect(await ledger.facilitator.settle(large.request)).toMatchObject({
      code: 'invalid_batch_settlement_evm_channel_busy',
    })
    expect(await ledger.facilitator.settle({ ...small.request, requirements: offer(11n) })).toMatchObject({
      code: 'invalid_batch_settlement_evm_charge_exceeds_signed_cumulative',
    })
    expect(await ledger.facilitator.settle(small.request)).toMatchObject({ status: 'settled' })
  })

  test('EVM-BATCH-054 EVM-BATCH-016 a payer that lost count is told, believes its own signature, and goes on', async () => {
    await buy(payerOf({ depositFor: 10 }))
    const forgetful = payerOf()
    const { request } = await sign(forgetful, offer())
    const plain = { ...request, payment: { ...request.payment } }
    const verdict = await ledger.facilitator.verify(plain)
    expect(verdict).toMatchObject({
      code: 'invalid_batch_settlement_evm_cumulative_amount_mismatch',
      extra: {
        channelState: { chargedCumulativeAmount: '1000', balance: '10000' },
        voucherState: { signedMaxClaimable: '1000' },
      },
    })
    const told = verdict.ok ? {} : verdict.extra
    const again = await sign(forgetful, { ...offer(), extra: { ...offer().extra, ...told } })
    expect(again.request.payment.payload).toMatchObject({ type: 'voucher', voucher: { maxClaimableAmount: '2000' } })
    const lie = {
      ...told,
      voucherState: {
        signedMaxClaimable: '9000',
        signature: String((told?.voucherState as JsonObject | undefined)?.signature),
      },
    }
    const unmoved = await sign(payerOf(), { ...offer(), extra: { ...offer().extra, ...lie } })
    expect(unmoved.request.payment.payload).toMatchObject({ type: 'deposit' })
  })

  /** A refusal, and what the payer makes of it. */
  async function correct(
    by: ReturnType<typeof payerOf>,
    terms = offer(),
    change: (extra: JsonObject) => JsonObject = (e) => e,
  ) {
    const { pid, request } = await sign(by, terms)
    const verdict = await ledger.facilitator.verify(request)
    if (verdict.ok || verdict.extra === undefined) throw new Error('not corrected')
    const again = { ...terms, extra: { ...terms.extra, ...change(verdict.extra) } }
    const refusal = encodeChallenge({ accepts: [again], resource: { url: 'https://shop.example/a' } })
    const header = (name: string) => refusal.headers[name] ?? null
    const { network, asset, payTo } = terms
    return {
      type: request.payment.payload.type,
      answer: await by.corrected?.({ pid: pid as never, network, asset, payTo }, header),
    }
  }

  test('EVM-BATCH-018 EVM-BATCH-019 a payer goes on from what a refusal bears out: an old voucher is worth nothing, a deposit stays spent', async () => {
    const channels = createMemoryChannels()
    await buy(payerOf({ depositFor: 10, channels }))
    const stale = createMemoryChannels()
    const { channelId } = (await ledger.claimable())[0]!
    const remembered = (await channels.get(channelId))!
    await stale.change(channelId, () => remembered)
    for (let i = 0; i < 3; i++) await buy(payerOf({ channels }))
    const behind = payerOf({ channels: stale })
    expect(await correct(behind)).toEqual({ type: 'voucher', answer: 'void' })
    expect(await buy(behind)).toMatchObject({ status: 'settled' })
    const empty = payerOf()
    expect(await correct(empty)).toEqual({ type: 'deposit', answer: 'dead' })
    expect(await buy(empty)).toMatchObject({ status: 'settled', receipt: { transaction: '' } })
    expect((await ledger.channel(channelId))?.charged).toBe(6000n)
  })

  test('EVM-BATCH-017 nor signs a second deposit, whatever the seller says of the balance, nor believes a sum that it never signed', async () => {
    await buy(payerOf())
    const poorer = (extra: JsonObject) => ({
      ...extra,
      channelState: { ...(extra.channelState as JsonObject), balance: '0' },
    })
    expect(await correct(payerOf(), offer(), poorer)).toEqual({ type: 'deposit', answer: undefined })
    const dearer = (extra: JsonObject) => ({
      ...extra,
      channelState: { ...(extra.channelState as JsonObject), chargedCumulativeAmount: '1001' },
    })
    expect(await correct(payerOf(), offer(), dearer)).toEqual({ type: 'deposit', answer: undefined })
  })

  test('EVM-BATCH-034 only canonical vouchers of the key of the channel are taken', async () => {
    const payer = payerOf()
    await buy(payer)
    const { request } = await sign(payer, offer())
    const bareV = (signature: Uint8Array) => signature.fill((signature[64] ?? 27) - 27, 64)
    for (const change of [highS, bareV, (s: Uint8Array) => s.slice(0, 64), (s: Uint8Array) => s.fill(7, 0, 32)]) {
      for (const by of [ledger.facilitator, inner]) {
        expect(await by.verify(changed(request, change))).toMatchObject({
          code: 'invalid_batch_settlement_evm_voucher_signature',
        })
      }
      expect(await ledger.facilitator.settle(changed(request, change))).toMatchObject({
        code: 'invalid_batch_settlement_evm_voucher_signature',
      })
    }
  })

  test('EVM-BATCH-040 EVM-BATCH-041 a voucher is worth what its channel holds and has not paid out yet', async () => {
    const payer = payerOf()
    const { request: unfilled } = await sign(payer, offer())
    const voucherOf = async (maxClaimable: bigint): Promise<FacilitatorRequest> => {
      const { channelConfig } = unfilled.payment.payload as { channelConfig: JsonObject }
      const { channelId } = unfilled.payment.payload.voucher as { channelId: Hex }
      const digest = voucherDigest(chain.engine, 84_532n, { channelId, maxClaimable })
      const signature = formatHex(await privateKeyAccount(PAYER_KEY).signDigest(digest))
      const voucher = { channelId, maxClaimableAmount: maxClaimable.toString(), signature }
      return { ...unfilled, payment: { ...unfilled.payment, payload: { type: 'voucher', channelConfig, voucher } } }
    }
    const verdictOn = async (maxClaimable: bigint) => inner.verify(await voucherOf(maxClaimable))
    expect(await verdictOn(1n)).toMatchObject({ code: 'invalid_batch_settlement_evm_channel_not_found' })
    await inner.settle(unfilled)
    const { deposit } = unfilled.payment.payload as { deposit: { amount: string } }
    const filled = BigInt(deposit.amount)
    expect(await verdictOn(filled)).toMatchObject({ ok: true })
    expect(await verdictOn(filled + 1n)).toMatchObject({
      code: 'invalid_batch_settlement_evm_cumulative_exceeds_balance',
    })
    expect(await verdictOn(0n)).toMatchObject({ code: 'invalid_batch_settlement_evm_cumulative_below_claimed' })
  })

  test('EVM-BATCH-071 a row that the contract refuses takes no other with it', async () => {
    const salts = Array.from({ length: 6 }, (_, i): Hex => `0x${String(i + 1).padStart(64, '0')}`)
    for (const salt of salts) await buy(payerOf({ salt, depositFor: 2 }))
    const [, bad] = await ledger.claimable()
    const signature = formatHex(highS(parseHex(bad?.signature ?? '')!))
    const tables = store.withTables<{ evm_channel: { channel_id: string; signature: string } }>()
    await tables.transaction((trx) =>
      trx
        .updateTable('evm_channel')
        .set({ signature })
        .where('channel_id', '=', bad?.channelId ?? '')
        .execute(),
    )
    const run = await manager().run()
    expect([run.claimed.length, run.refused, run.transactions.length]).toEqual([5, [bad?.channelId], 1])
    expect(await earned()).toBe(5000n)
    expect((await ledger.claimable()).map(({ channelId }) => channelId)).toEqual([bad?.channelId])
  })

  test('EVM-BATCH-055 EVM-BATCH-072 who takes money out is claimed from at once, and served no more', async () => {
    const payer = payerOf()
    await buy(payer)
    const [channel] = await ledger.claimable()
    const { x402BatchSettlement } = sandbox.contracts
    const config = wireOfConfig(channel!.config)
    const hash = await sandbox.client.writeContract({
      ...x402BatchSettlement,
      functionName: 'initiateWithdraw',
      args: [config as never, 4000n],
      account: await accountOf('payer'),
      chain: null,
    })
    await sandbox.client.waitForTransactionReceipt({ hash })
    const run = await manager().watch()
    expect([run.claimed, await earned()]).toEqual([[channel?.channelId], 1000n])
    expect(await buy(payer)).toMatchObject({ code: 'invalid_batch_settlement_evm_withdrawal_pending' })
  })

  const accountOf = async (role: 'payer') => {
    const { privateKeyToAccount } = await import('viem/accounts')
    return privateKeyToAccount(sandbox.account(role).privateKey)
  }

  test('EVM-BATCH-015 deposits by Permit2, too', async () => {
    const words = [sandbox.permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
    const from = sandbox.account('payer').address
    const terms = offer(1000n, { assetTransferMethod: 'permit2' })
    expect(await buy(payerOf(), terms)).toMatchObject({
      code: 'invalid_batch_settlement_evm_permit2_allowance_required',
    })
    const hash = await sandbox.client.sendUnsignedTransaction({
      from,
      to: sandbox.usdc,
      data: `0x095ea7b3${words.join('')}`,
    })
    await sandbox.client.waitForTransactionReceipt({ hash })
    const payer = payerOf({ salt: `0x${'1'.repeat(64)}` })
    expect(await buy(payer, terms)).toMatchObject({ status: 'settled', receipt: { amount: 1000n } })
    expect(await buy(payer, terms)).toMatchObject({ status: 'settled', receipt: { transaction: '' } })
  })

  test('EVM-BATCH-060 EVM-BATCH-061 claims, sweeps and refunds need the word of the seller, and whoever has it may hand them in', async () => {
    await buy(payerOf())
    const [channel] = await ledger.claimable()
    const row = claimRowOf(channel!)
    const authorizer = privateKeyAccount(AUTHORIZER_KEY)
    const wireRow = {
      voucher: { channel: wireOfConfig(row.channel), maxClaimableAmount: row.maxClaimable.toString() },
      signature: row.signature,
      totalClaimed: row.totalClaimed.toString(),
    }
    const ask = (payload: JsonObject) => {
      const terms = offer()
      return inner.settle({
        requirements: terms,
        payment: { x402Version: 2, scheme: terms.scheme, network: terms.network, payload },
      })
    }
    const claimAuthorizerSignature = formatHex(
      await authorizer.signDigest(claimBatchDigest(chain.engine, 84_532n, [row])),
    )
    expect(await ask({ type: 'claim', claims: [wireRow] })).toMatchObject({
      code: 'invalid_batch_settlement_evm_authorizer_not_configured',
    })
    expect(
      await ask({ type: 'claim', claims: [{ ...wireRow, totalClaimed: '999' }], claimAuthorizerSignature }),
    ).toMatchObject({
      code: 'invalid_batch_settlement_evm_claim_simulation_failed',
    })
    expect(await ask({ type: 'claim', claims: [wireRow], claimAuthorizerSignature })).toMatchObject({
      status: 'settled',
    })
    const sweep = { type: 'settle', receiver: SELLER, token: asset.address }
    expect(await ask(sweep)).toMatchObject({ status: 'settled', receipt: { amount: 1000n } })
    expect(await ask(sweep)).toMatchObject({ code: 'invalid_batch_settlement_evm_nothing_to_settle' })

    const { channelId } = channel!
    const refund = {
      type: 'refund',
      channelConfig: wireOfConfig(row.channel),
      voucher: { channelId, maxClaimableAmount: row.maxClaimable.toString(), signature: row.signature },
      amount: '4000',
      refundNonce: '0',
      claims: [],
    }
    expect(await ask(refund)).toMatchObject({ code: 'invalid_batch_settlement_evm_authorizer_not_configured' })
    const signed = async (amount: bigint) =>
      formatHex(await authorizer.signDigest(refundDigest(chain.engine, 84_532n, { channelId, nonce: 0n, amount })))
    expect(await ask({ ...refund, refundAuthorizerSignature: await signed(3999n) })).toMatchObject({
      code: 'invalid_batch_settlement_evm_refund_simulation_failed',
    })
    expect(await ask({ ...refund, refundAuthorizerSignature: await signed(4000n) })).toMatchObject({
      status: 'settled',
      receipt: { amount: 4000n },
    })
    expect(await readChannel(chain.rpc, channelId)).toMatchObject({
      balance: 1000n,
      totalClaimed: 1000n,
      refundNonce: 1n,
    })
  })

  test('EVM-BATCH-036 EVM-BATCH-042 deposits are tried before they are sent', async () => {
    const poor = client({ account: privateKeyAccount(`0x${'7'.repeat(64)}`) })
    const { request } = await sign(poor, offer())
    expect(await ledger.facilitator.verify(request)).toMatchObject({
      code: 'invalid_batch_settlement_evm_insufficient_balance',
    })
    const good = await sign(payerOf(), offer())
    const deposit = structuredClone(good.request.payment.payload.deposit) as {
      authorization: { erc3009Authorization: { validBefore: string } }
    }
    deposit.authorization.erc3009Authorization.validBefore = String(
      Number(deposit.authorization.erc3009Authorization.validBefore) - 1,
    )
    const forged = {
      ...good.request,
      payment: { ...good.request.payment, payload: { ...good.request.payment.payload, deposit } },
    }
    expect(await inner.verify(forged as FacilitatorRequest)).toMatchObject({
      code: 'invalid_batch_settlement_evm_receive_authorization_signature',
    })
  })
})
