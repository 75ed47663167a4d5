import { type JsonObject, network, type PaymentPayload } from '@groat/core'
import { arbMutated } from '@groat/core/testing'
import * as fc from 'fast-check'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { FACILITATOR, PAYER, PAYER_KEY, payUpto, SELLER, uptoOfferOf } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { nobleEngine } from '../crypto/index.js'
import { formatHex } from '../hex.js'
import { type UptoAuthorization, uptoDigest } from './authorization.js'
import { uptoEvm as client } from './client.js'
import { uptoEvm as server } from './server.js'
import { inspectUpto } from './shared.js'

const now = Date.UTC(2026, 0, 1)
const account = privateKeyAccount(PAYER_KEY)
const offer = uptoOfferOf()
const sign = (terms = offer) => payUpto(terms, account, { now })
const at = (later = 0) => ({ now: now + later * 1000 })
const codeOf = (payment: PaymentPayload, terms = offer, when = at()) => {
  const inspection = inspectUpto(payment, terms, when)
  return inspection.ok ? 'ok' : inspection.code
}

/** The payment with one member of what was signed changed. */
function changed(payment: PaymentPayload, path: string, value: string): PaymentPayload {
  const authorization = structuredClone(payment.payload.permit2Authorization) as Record<string, unknown>
  const parts = path.split('.')
  const last = parts.pop() ?? ''
  const target = parts.reduce((object, part) => object[part] as Record<string, unknown>, authorization)
  target[last] = value
  return { ...payment, payload: { ...payment.payload, permit2Authorization: authorization as JsonObject } }
}

describe('the offer', () => {
  test('EVM-UPTO-001 EVM-UPTO-002 names who may settle, as the facilitator says, and is a ceiling', () => {
    expect(offer).toEqual({
      scheme: 'upto',
      network: 'eip155:84532',
      amount: 50_000n,
      asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      payTo: SELLER,
      maxTimeoutSeconds: 60,
      extra: { name: 'USDC', version: '2', assetTransferMethod: 'permit2', facilitatorAddress: FACILITATOR },
    })
    expect([server.metered, server.offersNeedFacilitator]).toEqual([true, true])
    const [base, silent] = [
      { ...offer, asset: assetOf() },
      { x402Version: 2, scheme: 'upto', network: offer.network },
    ]
    expect(() => server.offer({ ...base, extra: {}, kind: silent as never })).toThrow('unsupported_offer')
    expect(() => server.offer({ ...base, extra: { assetTransferMethod: 'eip3009' } })).toThrow(
      'unsupported_transfer_method',
    )
    expect(() => server.offer({ ...base, payTo: base.asset.address })).toThrow('invalid_pay_to')
    expect(() => server.offer({ ...base, maxTimeoutSeconds: 14 })).toThrow('invalid_config')
    expect(() => server.offer({ ...base, network: network('solana') })).toThrow('invalid_network')
  })

  const assetOf = () => ({
    network: offer.network,
    symbol: 'USDC',
    address: offer.asset,
    decimals: 6,
    transfer: 'eip3009' as const,
  })
})

describe('the payer', () => {
  test('EVM-UPTO-010 EVM-UPTO-011 EVM-UPTO-012 EVM-UPTO-013 EVM-UPTO-015 signs the ceiling, for one recipient and one facilitator, with a nonce of its own', async () => {
    const prepared = client({ account }).prepare(offer, {
      clock: () => now,
      random: (bytes) => new Uint8Array(bytes).fill(0x33),
      maxLifetimeSeconds: 600,
    })
    expect(prepared).toMatchObject({ ok: true, payer: PAYER, amount: 50_000n, expiresAt: now / 1000 + 60 })
    if (!prepared.ok) return
    expect(await prepared.sign()).toEqual({
      signature: expect.stringMatching(/^0x[0-9a-f]{130}$/),
      permit2Authorization: {
        from: PAYER,
        permitted: { token: offer.asset.toLowerCase(), amount: '50000' },
        spender: '0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002',
        nonce: BigInt(`0x${'33'.repeat(32)}`).toString(),
        deadline: String(now / 1000 + 60),
        witness: { to: SELLER.toLowerCase(), facilitator: FACILITATOR.toLowerCase(), validAfter: '0' },
      },
    })
  })

  test('EVM-UPTO-020 what is signed is what the contracts check, by a key and by a wallet', async () => {
    const part = (text: string) => parseAddress(text)!
    const authorization: UptoAuthorization = {
      from: part(PAYER),
      token: part(offer.asset),
      amount: 50_000n,
      nonce: BigInt(`0x${'33'.repeat(32)}`),
      deadline: 2_000_000_000n,
      to: part(SELLER),
      facilitator: part(FACILITATOR),
      validAfter: 0n,
    }
    expect(formatHex(uptoDigest(nobleEngine, 84_532n, authorization))).toBe(
      '0x8ad50c19f22bbd8a06f6f52b6317608015c47fb1dd068bb955733a2293deda8b',
    )
    const [byKey, byWallet] = await Promise.all(
      [account, privateKeyToAccount(PAYER_KEY)].map((signer) =>
        payUpto(offer, signer, { now, random: (bytes) => new Uint8Array(bytes).fill(0x33) }),
      ),
    )
    expect(byKey?.payload.signature).toBe(byWallet?.payload.signature)
  })

  test.each([
    ['asset_not_known', { asset: `0x${'1'.repeat(40)}` }],
    ['unsupported_transfer_method', { extra: { ...offer.extra, assetTransferMethod: 'eip3009' } }],
    ['invalid_payment_requirements', { extra: {} }],
    ['invalid_payment_requirements', { extra: { facilitatorAddress: `0x${'0'.repeat(40)}` } }],
    ['invalid_payment_requirements', { payTo: `0x${'0'.repeat(40)}` }],
    ['payer_is_facilitator', { extra: { facilitatorAddress: PAYER } }],
  ] as const)('EVM-UPTO-014 refuses %s', (code, change) => {
    const context = { clock: () => now, random: (bytes: number) => new Uint8Array(bytes), maxLifetimeSeconds: 600 }
    expect(client({ account }).prepare({ ...offer, ...change }, context)).toMatchObject({ ok: false, code })
  })
})

describe('what payment and terms alone show', () => {
  test('EVM-UPTO-030 EVM-UPTO-031 schemes, networks and methods must be the same', async () => {
    const payment = await sign()
    expect(codeOf({ ...payment, scheme: 'exact' })).toBe('invalid_upto_evm_scheme')
    expect(codeOf(payment, { ...offer, scheme: 'exact' })).toBe('invalid_upto_evm_scheme')
    expect(codeOf(payment, { ...offer, network: network('base') })).toBe('invalid_upto_evm_network_mismatch')
    expect(codeOf(payment, { ...offer, extra: { ...offer.extra, assetTransferMethod: 'eip3009' } })).toBe(
      'unsupported_transfer_method',
    )
    expect(codeOf(payment, { ...offer, payTo: FACILITATOR })).toBe('no_matching_requirements')
  })

  test.each([
    ['amount', { amount: 1n }],
    ['payTo', { payTo: FACILITATOR }],
    ['asset', { asset: SELLER }],
  ] as const)('another %s than what was accepted is told by its name', async (field, change) => {
    const detail = `${field} is not what was accepted`
    expect(inspectUpto(await sign(), { ...offer, ...change }, at())).toMatchObject({ detail })
  })

  test.each([
    ['EVM-UPTO-033 another spender', 'spender', FACILITATOR, 'invalid_permit2_spender'],
    ['EVM-UPTO-034 another recipient', 'witness.to', FACILITATOR, 'invalid_permit2_recipient_mismatch'],
    ['EVM-UPTO-035 another facilitator', 'witness.facilitator', SELLER, 'upto_facilitator_mismatch'],
    ['EVM-UPTO-036 another amount', 'permitted.amount', '50001', 'permit2_amount_mismatch'],
    ['EVM-UPTO-036 another amount', 'permitted.amount', '49999', 'permit2_amount_mismatch'],
    ['EVM-UPTO-037 another token', 'permitted.token', SELLER, 'permit2_token_mismatch'],
    ['EVM-UPTO-038 another end', 'deadline', String(now / 1000 + 5), 'permit2_deadline_expired'],
    ['EVM-UPTO-039 another beginning', 'witness.validAfter', String(now / 1000 + 1), 'permit2_not_yet_valid'],
    ['EVM-UPTO-040 another end', 'deadline', String(now / 1000 + 121), 'permit2_authorization_lifetime'],
    ['EVM-UPTO-032 another amount', 'permitted.amount', '0xc350', 'invalid_payload'],
    ['EVM-UPTO-032 another amount', 'permitted.amount', '', 'invalid_payload'],
    ['EVM-UPTO-032 a padded nonce', 'nonce', ' 1', 'invalid_payload'],
    ['EVM-UPTO-032 another end', 'deadline', '1e9', 'invalid_payload'],
    ['EVM-UPTO-032 a short address', 'from', '0x12', 'invalid_payload'],
  ])('%s is refused: %s = %s', async (_, path, value, code) => {
    expect(codeOf(changed(await sign(), path, value))).toBe(code)
  })

  test('EVM-UPTO-041 a settlement asks for any part of the ceiling and for no more', async () => {
    const payment = await sign()
    const settle = (amount: bigint) => codeOf(payment, { ...offer, amount }, { ...at(), settling: true } as never)
    expect([0n, 1n, 50_000n, 50_001n].map(settle)).toEqual([
      'ok',
      'ok',
      'ok',
      'invalid_upto_evm_payload_settlement_exceeds_amount',
    ])
    expect(codeOf(payment, { ...offer, amount: 1n })).toBe('no_matching_requirements')
    const raised = changed(payment, 'permitted.amount', '60000')
    expect(inspectUpto(raised, { ...offer, amount: 1n }, { ...at(), settling: true })).toMatchObject({
      code: 'permit2_amount_mismatch',
    })
  })

  test('a payment that comes too late says what it was', async () => {
    const payment = await sign()
    const good = inspectUpto(payment, offer, at())
    expect(inspectUpto(payment, offer, at(100))).toMatchObject({ code: 'permit2_deadline_expired', late: good })
    expect(inspectUpto(changed(payment, 'witness.to', FACILITATOR), offer, at(100))).not.toHaveProperty('late')
  })

  test('EVM-UPTO-050 a payment has one identity, however it is spelled', async () => {
    const payment = await sign()
    const pidOf = (of: PaymentPayload) => {
      const inspection = inspectUpto(of, offer, at())
      return inspection.ok ? inspection.pid : inspection.code
    }
    expect(pidOf(changed(payment, 'from', PAYER.toUpperCase().replace('0X', '0x')))).toBe(pidOf(payment))
    expect(pidOf(await sign())).not.toBe(pidOf(payment))
  })

  test('EVM-UPTO-032 whatever a stranger sends is judged, not thrown at', async () => {
    const payment = await sign()
    fc.assert(
      fc.property(arbMutated(fc.constant(payment.payload)), (payload) => {
        const inspection = inspectUpto({ ...payment, payload: payload as JsonObject }, offer, at())
        expect(inspection.ok || typeof inspection.code === 'string').toBe(true)
      }),
    )
  })
})
