import { check, type JsonObject, network, type PaymentPayload, type PaymentRequirements } from '@groat/core'
import { arbHostile, arbMutated } from '@groat/core/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { BLOCKHASH, FEE_PAYER, FEE_PAYER_KEY, PAYER, PAYER_KEY, SELLER } from '../../testing/payments.js'
import { createSvmChain } from '../chain.js'
import { createSigner } from '../crypto/ed25519.js'
import { secretKeyAccount } from '../exact/client.js'
import { addressBytes, formatAddress } from '../wire/address.js'
import { encodeBase58 } from '../wire/base58.js'
import { decodeBase64, encodeBase64 } from '../wire/base64.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { memo, setComputeUnitLimit, setComputeUnitPrice, transferChecked } from '../wire/instructions.js'
import { encodeMessage, encodeTransaction, type PlannedInstruction } from '../wire/message.js'
import { programs } from '../wire/programs.js'
import {
  channelAddress,
  decodeOpen,
  distributionHash,
  encodeOpen,
  encodeVoucher,
  eventAuthority,
  isVoucherSigned,
  openChannel,
} from './channel.js'
import { uptoSvm as client } from './client.js'
import { uptoSvm } from './facilitator.js'
import { inspectUpto, openingOf } from './open.js'
import { UptoSvmExtra, UptoSvmPayload } from './schema.js'
import * as shapes from './schema.shapes.js'
import { readUptoTerms } from './terms.js'

const SOLANA = network('solana')
const AUTHORIZER = 'EdmxWPmx2WH6WgFfTdu9xfkYf3k1g5wD1zccTVySEEh1'
const SECONDS = 1_750_000_000
const now = { now: 1000 * SECONDS }
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

const offer: PaymentRequirements = {
  scheme: 'upto',
  network: SOLANA,
  amount: 10_000n,
  asset: 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v',
  payTo: SELLER,
  maxTimeoutSeconds: 300,
  extra: {
    feePayer: FEE_PAYER,
    receiverAuthorizer: AUTHORIZER,
    withdrawDelay: 3_600,
    tokenProgram: formatAddress(programs.token),
    recentSlot: '341000000',
    recentBlockhash: BLOCKHASH,
    paymentFlow: 'escrow',
  },
}
const terms = (() => {
  const read = readUptoTerms(offer)
  if (!read.ok) throw new TypeError(read.code)
  return read
})()
const opening = openingOf(terms, { payer: addressBytes(PAYER), salt: 42n, openSlot: 341_000_000n })

describe('worked values', () => {
  test('SVM-UPTO-011 the address of a channel', () => {
    const { key, bump } = channelAddress(opening)
    expect([formatAddress(key), bump]).toEqual(['4QJJ1qnHXvToTdzoVBTkDQwHvEyCiFU7jZbj6ovDGZDL', 252])
    expect(formatAddress(eventAuthority)).toBe('75c2huVzDW1Eq4kD86by5392sjdJzuAT195XNgP2f2tX')
  })

  test('SVM-UPTO-015 a voucher and its signature', async () => {
    const voucher = { channel: channelAddress(opening).key, cumulative: 1858n, expiresAt: 1_893_456_000n }
    expect(hex(encodeVoucher(voucher))).toBe(
      '5601328af9197826526128c6f8234ec8f9245abfcb6f531cc89dab551a92d919a883420700000000000080d8db7000000000',
    )
    const signature = await createSigner(new Uint8Array(32).fill(4))(encodeVoucher(voucher))
    expect(encodeBase58(signature)).toBe(
      '55JtMzPHuxsEusxo4SBA7MGdJwipUpShH1DefkwGKdZN7QTESKCD348e4aQcT5BkUDXokDTKEcSunf1XobMPBk1F',
    )
    expect([
      await isVoucherSigned(voucher, addressBytes(AUTHORIZER), signature),
      await isVoucherSigned({ ...voucher, cumulative: 1859n }, addressBytes(AUTHORIZER), signature),
    ]).toEqual([true, false])
  })

  test('who gets what is charged', () => {
    expect(hex(distributionHash(addressBytes(SELLER)))).toBe(
      'd259194a154510d481da3d97d2695ab0036b80aa0a2be24de3f3426ab3afaa36',
    )
  })

  test('SVM-UPTO-012 the arguments of an opening', () => {
    expect(hex(encodeOpen(opening))).toBe(
      '012a000000000000001027000000000000100e0000403f53140000000001000000ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d11027',
    )
    expect(decodeOpen(encodeOpen(opening))).toEqual({
      salt: 42n,
      deposit: 10_000n,
      grace: 3_600,
      openSlot: 341_000_000n,
      recipients: [{ key: addressBytes(SELLER), basisPoints: 10_000 }],
    })
  })
})

const account = secretKeyAccount(PAYER_KEY)
const context = {
  clock: () => 1000 * SECONDS,
  random: (length: number) => new Uint8Array(length).fill(7),
  maxLifetimeSeconds: 600,
}

async function pay(of: PaymentRequirements = offer): Promise<PaymentPayload> {
  const prepared = await client({ account }).prepare(of, context)
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { x402Version: 2, scheme: 'upto', network: of.network, accepted: of, payload: await prepared.sign() }
}

/** The same payment with another transaction. */
async function openedBy(...instructions: readonly PlannedInstruction[]): Promise<PaymentPayload> {
  const payment = await pay()
  const message = encodeMessage({ feePayer: terms.feePayer, blockhash: addressBytes(BLOCKHASH), instructions })
  const signature = await account.sign(message)
  const slots = Array.from({ length: message[1] ?? 0 }, (_, slot) => (slot === 1 ? signature : undefined))
  const wire = encodeTransaction(slots, message)
  return { ...payment, payload: { ...payment.payload, openTransaction: encodeBase64(wire) } }
}

const salt = BigInt(`0x${'07'.repeat(8)}`)
const own = openingOf(terms, { payer: addressBytes(PAYER), salt, openSlot: 341_000_000n })
const [limit, price, open, text] = [
  setComputeUnitLimit(90_000),
  setComputeUnitPrice(1n),
  openChannel(own),
  memo(new TextEncoder().encode('a memo')),
]
const detailOf = (payment: PaymentPayload, of = offer) => {
  const inspection = inspectUpto(payment, of, now)
  return inspection.ok ? 'ok' : [inspection.code, inspection.detail].join(' ').trim()
}

describe('the payer', () => {
  test('SVM-UPTO-010, SVM-UPTO-014 signs the opening of a channel that locks the ceiling', async () => {
    const prepared = await client({ account }).prepare(offer, context)
    if (!prepared.ok) throw new TypeError(prepared.code)
    const { openTransaction, ...wire } = (await prepared.sign()) as Record<string, unknown>
    expect(wire).toEqual({
      from: PAYER,
      maxAmount: '10000',
      deposit: '10000',
      expiresAt: SECONDS + 300,
      validAfter: SECONDS,
      nonce: salt.toString(),
      openSlot: '341000000',
      channelId: formatAddress(channelAddress(own).key),
      authorizedSigner: AUTHORIZER,
    })
    expect(z.safeParse(UptoSvmPayload, { openTransaction, ...wire }).success).toBe(true)
    expect(inspectUpto(await pay(), offer, now)).toEqual({
      ok: true,
      pid: prepared.pid,
      payer: PAYER,
      expiresAt: prepared.expiresAt,
    })
  })

  test.each<[string, Partial<PaymentRequirements>, string]>([
    ['an unknown token', { asset: SELLER }, 'asset_not_known'],
    ['the payer to pay the fee', { extra: { ...offer.extra, feePayer: PAYER } }, 'fee_payer_not_allowed'],
    [
      'no one to sign vouchers',
      { extra: { ...offer.extra, receiverAuthorizer: 'me' } },
      'invalid_payment_requirements',
    ],
    ['SVM-UPTO-001 no time to close', { extra: { ...offer.extra, withdrawDelay: 0 } }, 'invalid_payment_requirements'],
    [
      'the other token program',
      { extra: { ...offer.extra, tokenProgram: formatAddress(programs.token2022) } },
      'unsupported_transfer_method',
    ],
    [
      'another program',
      { extra: { ...offer.extra, tokenProgram: formatAddress(programs.memo) } },
      'invalid_payment_requirements',
    ],
    ['too long a life', { maxTimeoutSeconds: 601 }, 'lifetime_over_limit'],
    ['SVM-UPTO-002 hours', { maxTimeoutSeconds: 3_601 }, 'invalid_payment_requirements'],
    ['a slot that is none', { extra: { ...offer.extra, recentSlot: '1.5' } }, 'invalid_payment_requirements'],
  ])('does not pay an offer with %s', async (_name, changes, code) => {
    expect(await client({ account }).prepare({ ...offer, ...changes }, context)).toMatchObject({ code })
  })

  test('needs a blockhash and a slot, and reads a slot that is a number', async () => {
    const { recentSlot: _, ...extra } = offer.extra
    const bare = { ...offer, extra }
    const by = async (of: PaymentRequirements, slot?: () => Promise<bigint>) => {
      const prepared = await client({ account, ...(slot ? { slot } : {}) }).prepare(of, context)
      return prepared.ok ? (prepared.preview.channel as JsonObject).openSlot : prepared.code
    }
    expect([
      await by(bare),
      await by(bare, async () => 5n),
      await by({ ...offer, extra: { ...offer.extra, recentSlot: 341_000_000 } }),
    ]).toEqual(['recent_blockhash_not_known', '5', '341000000'])
  })
})

describe('an opening', () => {
  const usdc = addressBytes(offer.asset)
  const theft = transferChecked(programs.token, {
    source: associatedTokenAccount(terms.feePayer, programs.token, usdc),
    mint: usdc,
    destination: associatedTokenAccount(addressBytes(PAYER), programs.token, usdc),
    authority: terms.feePayer,
    amount: 1n,
    decimals: 6,
  })
  const assertion = (opcode: number, key: Uint8Array): PlannedInstruction => ({
    program: programs.lighthouse,
    accounts: [{ key }],
    data: Uint8Array.of(opcode, 0),
  })
  const other = (changes: Partial<typeof own>) => openChannel({ ...own, ...changes })
  const withAccount = (at: number, account: PlannedInstruction['accounts'][number]): PlannedInstruction => ({
    ...open,
    accounts: open.accounts.map((each, i) => (i === at ? account : each)),
  })
  const flaw = (part: string) => `invalid_upto_svm_payload_open_transaction ${part}`

  test.each<[string, readonly PlannedInstruction[], string]>([
    ['alone', [open], 'ok'],
    ['with a budget and a memo', [limit, price, open, text], 'ok'],
    ['with a price alone', [price, open], 'ok'],
    ['with assertions', [open, text, assertion(2, usdc), assertion(15, usdc)], 'ok'],
    ['a price before the limit', [price, limit, open], flaw('layout')],
    ['too many units', [setComputeUnitLimit(400_001), open], flaw('compute budget')],
    ['units that are too dear', [setComputeUnitPrice(5_000_001n), open], flaw('compute budget')],
    ['nothing', [limit, price], flaw('signers')],
    ['twice', [open, open], flaw('layout')],
    ['SVM-UPTO-023 a theft beside it', [open, theft], flaw('layout')],
    ['SVM-UPTO-026 the fee payer in an assertion', [open, assertion(2, terms.feePayer)], flaw('layout')],
    ['memory that is written', [open, assertion(0, usdc)], flaw('layout')],
    ['four assertions', [open, ...[2, 3, 4, 5].map((opcode) => assertion(opcode, usdc))], flaw('layout')],
    ['five others', [open, text, text, text, text, text], flaw('layout')],
    ['SVM-UPTO-024 another signer', [open, { ...text, accounts: [{ key: usdc, signer: true }] }], flaw('signers')],
    ['an account too many', [{ ...open, accounts: [...open.accounts, { key: usdc }] }], flaw('accounts')],
    ['SVM-UPTO-025 another mint', [withAccount(3, { key: programs.memo })], flaw('accounts')],
    ['another rent', [withAccount(10, { key: programs.memo })], flaw('accounts')],
    [
      'SVM-UPTO-025 a mint that is written to',
      [withAccount(3, { key: usdc, writable: true })],
      flaw('writable accounts'),
    ],
    ['another deposit', [{ ...open, data: other({ deposit: 9_999n }).data }], flaw('arguments')],
    ['another recipient', [{ ...open, data: other({ recipient: usdc }).data }], flaw('arguments')],
    ['another grace', [{ ...open, data: other({ grace: 1 }).data }], flaw('arguments')],
    ['another slot', [{ ...open, data: other({ openSlot: 1n }).data }], flaw('arguments')],
    ['bytes left over', [{ ...open, data: Uint8Array.of(...open.data, 0) }], flaw('arguments')],
  ])('%s', async (_name, instructions, verdict) => {
    expect(detailOf(await openedBy(...instructions))).toBe(verdict)
  })

  test.each<[string, JsonObject, string]>([
    ['SVM-UPTO-020 a voucher of the payer’s own', { voucherSignature: '' }, 'invalid_payload voucherSignature'],
    ['SVM-UPTO-020 a phase', { type: 'deposit' }, 'invalid_payload type'],
    ['SVM-UPTO-021 an amount below the ceiling', { maxAmount: '9999' }, 'invalid_payload maxAmount'],
    ['a deposit below it', { deposit: '9999' }, 'invalid_payload deposit'],
    ['an amount in hexadecimal', { maxAmount: '0x2710' }, 'invalid_payload maxAmount is missing or malformed'],
    ['SVM-UPTO-021 another authorizer', { authorizedSigner: SELLER }, 'invalid_payload authorizedSigner'],
    ['another channel', { channelId: SELLER }, 'invalid_payload channelId'],
    ['another salt', { nonce: '1' }, 'invalid_payload channelId'],
    ['a salt beyond 64 bits', { nonce: '18446744073709551616' }, 'invalid_payload nonce'],
    ['SVM-UPTO-013 a slot to come', { openSlot: '341000001' }, 'invalid_payload openSlot'],
    ['SVM-UPTO-013 a slot long ago', { openSlot: '340998499' }, 'invalid_payload openSlot'],
    ['a slot as a number', { openSlot: 341_000_000 }, 'ok'],
    ['SVM-UPTO-022 an end that is past', { expiresAt: SECONDS }, 'payment_expired'],
    ['SVM-UPTO-022 an end far away', { expiresAt: SECONDS + 361 }, 'invalid_payload expiresAt'],
    ['an end between seconds', { expiresAt: SECONDS + 0.5 }, 'invalid_payload expiresAt'],
    ['SVM-UPTO-022 a beginning to come', { validAfter: SECONDS + 1 }, 'invalid_payload validAfter'],
    ['no transaction', { openTransaction: '!!!!' }, flaw('malformed')],
  ])('%s', async (_name, changes, verdict) => {
    const payment = await pay()
    expect(detailOf({ ...payment, payload: { ...payment.payload, ...changes } })).toBe(verdict)
  })

  test('a memo that was asked for', async () => {
    const asked = { ...offer, extra: { ...offer.extra, memo: 'order-7' } }
    expect(detailOf({ ...(await pay(asked)), accepted: asked }, asked)).toBe('ok')
    expect(detailOf({ ...(await pay()), accepted: asked }, asked)).toBe(flaw('memo'))
  })

  test('whatever is changed in it is refused or another payment, and nothing throws', async () => {
    const payment = await pay()
    const bytes = decodeBase64(String(payment.payload.openTransaction))!
    const good = inspectUpto(payment, offer, now)
    fc.assert(
      fc.property(fc.integer({ min: 129, max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const copy = Uint8Array.from(bytes)
        copy[at] = (copy[at] ?? 0) ^ mask
        const openTransaction = encodeBase64(copy)
        expect(inspectUpto({ ...payment, payload: { ...payment.payload, openTransaction } }, offer, now)).not.toEqual(
          good,
        )
      }),
      { numRuns: 500 },
    )
  })
})

test('SVM-UPTO-027, SVM-UPTO-028 a facilitator verifies everything, settles nothing, and says so', async () => {
  const chain = createSvmChain({ network: SOLANA, rpc: 'http://127.0.0.1:9', signers: [FEE_PAYER_KEY] })
  const scheme = uptoSvm({ chains: [chain] })
  const payment = await pay()
  const bytes = decodeBase64(String(payment.payload.openTransaction))!
  bytes[70] = (bytes[70] ?? 0) ^ 1
  const forged = { ...payment, payload: { ...payment.payload, openTransaction: encodeBase64(bytes) } }
  expect([
    scheme.kinds(),
    await scheme.verify(payment, offer, now),
    await scheme.verify(forged, offer, now),
    await scheme.verify(payment, { ...offer, extra: { ...offer.extra, feePayer: SELLER } }, now),
  ]).toEqual([
    [],
    { ok: false, code: 'settlement_program_missing', detail: formatAddress(programs.paymentChannels), payer: PAYER },
    { ok: false, code: 'invalid_exact_svm_payload_signature_invalid', payer: PAYER },
    { ok: false, code: 'invalid_exact_svm_fee_payer_not_managed_by_facilitator' },
  ])
})

test.each([
  { name: 'UptoSvmPayload', schema: UptoSvmPayload, shape: shapes.UptoSvmPayload, message: (await pay()).payload },
  { name: 'UptoSvmExtra', schema: UptoSvmExtra, shape: shapes.UptoSvmExtra, message: offer.extra },
])('$name: its shape decides as the schema does', ({ schema, shape, message }) => {
  expect(z.safeParse(schema, message).success).toBe(true)
  fc.assert(
    fc.property(fc.oneof(arbHostile, arbMutated(fc.constant(message))), (mutant) => {
      expect(check<unknown>(shape, mutant).ok).toBe(z.safeParse(schema, mutant).success)
    }),
    { numRuns: 300 },
  )
})
