import type { JsonObject, PaymentPayload } from '@groat/core'
import { type EvmChain as Sandbox, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUTHORIZER, batchOfferOf, batchRequest, claimOf, payBatch } from '../../testing/batch.js'
import { BASE_SEPOLIA, SELLER } from '../../testing/payments.js'
import { createEvmChain, type EvmChain } from '../chain.js'
import { formatHex, type Hex, parseHex } from '../hex.js'
import type { ChannelConfig } from './channel.js'
import { batchEvm } from './facilitator.js'

// What a stranger may send: a registered code, no gas, no fault.

let sandbox: Sandbox
let chain: EvmChain
let restore: () => Promise<void>
const P = 'invalid_batch_settlement_evm_'
const offer = batchOfferOf()
const byPermit2 = batchOfferOf({}, { assetTransferMethod: 'permit2' })

beforeAll(async () => {
  sandbox = await startEvmChain()
  const signers = [sandbox.account('facilitator').privateKey]
  chain = await createEvmChain({ network: BASE_SEPOLIA, rpc: sandbox.rpcUrl, signers })
  restore = await sandbox.snapshot()
})
beforeEach(() => restore())
afterAll(() => sandbox?.stop())

/** The answers of verify, and of the verification that a settlement begins with. Nothing leaves. */
async function answers(payment: PaymentPayload, terms = offer): Promise<readonly string[]> {
  const scheme = batchEvm({ chains: [chain] })
  const gas = () => sandbox.nativeBalance(sandbox.account('facilitator').address)
  const before = await gas()
  const codes: string[] = []
  for (const settling of [false, true]) {
    const verdict = await scheme.verify(payment, terms, { now: Date.now(), ...(settling ? { settling } : {}) })
    codes.push(verdict.ok ? 'ok' : verdict.code)
  }
  expect(await gas()).toBe(before)
  return codes
}

/** A payment with one member of its payload replaced, by its path. */
function changed(payment: PaymentPayload, path: string, value: unknown): PaymentPayload {
  const payload = structuredClone(payment.payload) as JsonObject
  const names = path.split('.')
  const last = names.pop() ?? ''
  let at: Record<string, unknown> = payload as Record<string, unknown>
  for (const name of names) at = at[name] as Record<string, unknown>
  at[last] = value
  return { ...payment, payload }
}

const seconds = () => Math.floor(Date.now() / 1000)
const P2 = 'deposit.authorization.permit2Authorization'
const A = 'deposit.authorization.erc3009Authorization'
const approve = async (amount = 2n ** 256n - 1n) => {
  const words = [sandbox.permit2.slice(2).toLowerCase().padStart(64, '0'), amount.toString(16).padStart(64, '0')]
  const from = sandbox.account('payer').address
  const hash = await sandbox.client.sendUnsignedTransaction({
    from,
    to: sandbox.usdc,
    data: `0x095ea7b3${words.join('')}`,
  })
  await sandbox.client.waitForTransactionReceipt({ hash })
}

describe('a deposit by Permit2', () => {
  const cases: readonly (readonly [string, string, () => unknown, string])[] = [
    ['EVM-BATCH-038 another spender', `${P2}.spender`, () => SELLER, `${P}permit2_invalid_spender`],
    ['EVM-BATCH-038 another payer', `${P2}.from`, () => SELLER, `${P}permit2_invalid_signature`],
    ['EVM-BATCH-038 another token', `${P2}.permitted.token`, () => SELLER, `${P}token_mismatch`],
    ['EVM-BATCH-038 another amount', `${P2}.permitted.amount`, () => '4999', `${P}permit2_amount_mismatch`],
    [
      'EVM-BATCH-033 another witness',
      `${P2}.witness.channelId`,
      () => `0x${'7'.repeat(64)}`,
      `${P}channel_id_mismatch`,
    ],
    ['EVM-BATCH-038 five seconds left', `${P2}.deadline`, () => String(seconds() + 5), `${P}permit2_deadline_expired`],
    ['EVM-BATCH-038 years', `${P2}.deadline`, () => String(seconds() + 86_400), 'permit2_authorization_lifetime'],
    ['EVM-BATCH-032 a hexadecimal amount', 'deposit.amount', () => '0x1388', 'invalid_payload'],
    ['EVM-BATCH-032 a fraction', 'deposit.amount', () => '5000.0', 'invalid_payload'],
    ['EVM-BATCH-032 nothing', 'deposit.amount', () => '0', 'invalid_payload'],
    ['EVM-BATCH-032 a padded nonce', `${P2}.nonce`, () => ' 1', 'invalid_payload'],
  ]
  test.each(cases)('%s is refused', async (_, path, value, code) => {
    await approve()
    expect(await answers(changed(await payBatch(byPermit2), path, value()), byPermit2)).toEqual([code, code])
  })

  test('EVM-BATCH-039 without the allowance the answer says so (412)', async () => {
    const code = `${P}permit2_allowance_required`
    expect(await answers(await payBatch(byPermit2), byPermit2)).toEqual([code, code])
  })

  test('EVM-BATCH-039 a number that is used is refused by its name', async () => {
    await approve()
    const payment = await payBatch(byPermit2)
    await settle(payment, byPermit2)
    expect(await answers(payment, byPermit2)).toEqual(['permit2_invalid_nonce', 'permit2_invalid_nonce'])
  })
})

describe('a deposit by EIP-3009', () => {
  const cases: readonly (readonly [string, string, () => unknown, string])[] = [
    [
      'EVM-BATCH-038 five seconds left',
      `${A}.validBefore`,
      () => String(seconds() + 5),
      `${P}payload_authorization_valid_before`,
    ],
    ['EVM-BATCH-038 not yet', `${A}.validAfter`, () => String(seconds() + 9), `${P}payload_authorization_valid_after`],
    [
      'EVM-BATCH-038 years',
      `${A}.validBefore`,
      () => String(seconds() + 86_400),
      'invalid_exact_evm_authorization_lifetime',
    ],
    ['EVM-BATCH-032 a hexadecimal end', `${A}.validBefore`, () => '0x77359400', 'invalid_payload'],
    ['EVM-BATCH-032 a short salt', `${A}.salt`, () => '0x44', 'invalid_payload'],
    ['EVM-BATCH-042 another amount', 'deposit.amount', () => '4999', `${P}receive_authorization_signature`],
    ['EVM-BATCH-032 no signature', `${A}.signature`, () => 'yes', `${P}receive_authorization_signature`],
  ]
  test.each(cases)('%s is refused', async (_, path, value, code) => {
    expect(await answers(changed(await payBatch(offer), path, value()))).toEqual([code, code])
  })

  test('EVM-BATCH-039 a nonce that is used is refused by its name', async () => {
    const payment = await payBatch(offer)
    await settle(payment)
    const code = 'invalid_exact_evm_nonce_already_used'
    expect(await answers(payment)).toEqual([code, code])
  })
})

test('EVM-BATCH-034 malleated vouchers, those of 64 bytes and envelopes of wallets that are not there are refused', async () => {
  const payment = await payBatch(offer)
  const { signature } = payment.payload.voucher as { signature: Hex }
  const bytes = () => parseHex(signature) ?? new Uint8Array()
  const order = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
  const highS = bytes()
  highS.set(
    parseHex(`0x${(order - BigInt(formatHex(highS.subarray(32, 64)))).toString(16).padStart(64, '0')}`) ?? [],
    32,
  )
  highS[64] = 55 - (highS[64] ?? 0)
  const bareV = bytes()
  bareV[64] = (bareV[64] ?? 27) - 27
  const envelope = `${signature}${'6492'.repeat(16)}`
  for (const each of [formatHex(highS), formatHex(bareV), formatHex(bytes().slice(0, 64)), envelope]) {
    const code = `${P}voucher_signature`
    expect(await answers(changed(payment, 'voucher.signature', each))).toEqual([code, code])
  }
})

/** Answers with the magic value of ERC-1271; the second runs out of gas where `GASPRICE` is not zero. */
const YES_ALWAYS: Hex = '0x631626ba7e60e01b60005260206000f3'
const YES_WHILE_FREE: Hex = '0x3a601457631626ba7e60e01b60005260206000f35bfe'

test('EVM-BATCH-043 code that answers yes only while no gas is paid is tried with the gas that will be paid', async () => {
  await approve()
  await sandbox.setCode(sandbox.account('payer').address, YES_WHILE_FREE)
  const failed = `${P}deposit_simulation_failed`
  // The seller asks first, and what it asks costs nothing.
  expect(await answers(await payBatch(byPermit2), byPermit2)).toEqual(['ok', failed])
})

test('EVM-BATCH-043 an authorizer is asked for its word as it will be when the gas is paid for', async () => {
  const payment = await payBatch(offer)
  await settle(payment)
  const { channelConfig, voucher } = payment.payload as { channelConfig: ChannelConfig; voucher: JsonObject }
  const row = { channel: channelConfig, maxClaimable: 1000n, signature: voucher.signature as Hex, totalClaimed: 1000n }
  const claim = batchRequest(offer, await claimOf(row))
  expect(await answers(claim)).toEqual(['ok', 'ok'])
  await sandbox.setCode(AUTHORIZER, YES_WHILE_FREE)
  expect(await answers(claim)).toEqual(['ok', `${P}claim_simulation_failed`])
})

test('EVM-BATCH-044 a payer whose code made a deposit fail on chain waits', async () => {
  await approve()
  const { address } = sandbox.account('payer')
  await sandbox.setCode(address, YES_ALWAYS)
  let later = 0
  const by = batchEvm({ chains: [chain], clock: () => Date.now() + later })
  const verify = async (payment: PaymentPayload) => {
    const verdict = await by.verify(payment, byPermit2, { now: Date.now() })
    return verdict.ok ? 'ok' : verdict.code
  }
  const payment = await payBatch(byPermit2)
  expect(await verify(payment)).toBe('ok')
  await sandbox.setCode(address, '0x60006000fd')
  expect(await by.outcome(payment, byPermit2, [await settle(payment, byPermit2)])).toMatchObject({ status: 'reverted' })
  await sandbox.setCode(address, YES_ALWAYS)
  expect([await verify(payment), await verify(await payBatch(byPermit2))]).toEqual(['payer_on_hold', 'payer_on_hold'])
  later = 601_000
  expect(await verify(await payBatch(byPermit2))).toBe('ok')
})

async function settle(payment: PaymentPayload, terms = offer) {
  const call = await batchEvm({ chains: [chain] }).prepare(payment, terms)
  const signer = chain.signers[0] ?? ''
  if (call === undefined) throw new TypeError('nothing to send')
  const sent = await chain.sign(call, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
  await chain.send(sent)
  await sandbox.client.waitForTransactionReceipt({ hash: sent.hash as Hex })
  return sent
}
