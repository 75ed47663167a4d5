import { type JsonObject, type PaymentPayload, type PaymentRequirements, systemRandom } from '@groat/core'
import { arbMutated } from '@groat/core/testing'
import * as fc from 'fast-check'
import { hashTypedData } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { AUTHORIZER, holdOffer, payHold } from '../../testing/auth-capture.js'
import { FACILITATOR, PAYER, PAYER_KEY, SELLER } from '../../testing/payments.js'
import { privateKeyAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { nobleEngine } from '../crypto/index.js'
import { formatHex, type Hex } from '../hex.js'
import { permissionOf } from './authorizer.js'
import { authCaptureEvm as client } from './client.js'
import { readHoldTerms } from './hold-terms.js'
import { NOBODY } from './identity.js'
import { boundSalt, type PaymentInfo, paymentInfoHash, signatureNonce } from './payment-info.js'
import { authCaptureEvm as server } from './server.js'
import { inspectAuthCapture } from './shared.js'
import { tokenAuthorization } from './token-authorization.js'

const now = Date.UTC(2026, 0, 1)
const clock = () => now
const account = privateKeyAccount(PAYER_KEY)
const byPermit2 = { assetTransferMethod: 'permit2' }
const offer = holdOffer({ clock })
const sign = (terms = offer) => payHold(terms, account, { now })
const at = (later = 0) => ({ now: now + later * 1000 })
const codeOf = (payment: PaymentPayload, terms = offer, when: { now: number; settling?: boolean } = at()) => {
  const inspection = inspectAuthCapture(payment, terms, when)
  return inspection.ok ? 'ok' : inspection.code.replace('invalid_auth_capture_evm_', '…')
}
const part = (text: string) => parseAddress(text)!
const withExtra = (extra: JsonObject, terms = offer): PaymentRequirements => ({
  ...terms,
  extra: { ...terms.extra, ...extra },
})

/** The payment with one member changed. */
function changed(payment: PaymentPayload, path: string, value: unknown): PaymentPayload {
  const payload = structuredClone(payment.payload) as Record<string, unknown>
  const parts = path.split('.')
  const last = parts.pop() ?? ''
  const target = parts.reduce((object, name) => object[name] as Record<string, unknown>, payload)
  target[last] = value
  return { ...payment, payload: payload as JsonObject }
}

describe('the offer', () => {
  test('EVM-CAPTURE-002 EVM-CAPTURE-008 names operator and fees as the facilitator does, and leaves the whole time for capture', () => {
    expect(offer).toEqual({
      scheme: 'auth-capture',
      network: 'eip155:84532',
      amount: 10_000n,
      asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
      payTo: SELLER,
      maxTimeoutSeconds: 60,
      extra: {
        name: 'USDC',
        version: '2',
        captureAuthorizer: FACILITATOR,
        feeRecipient: NOBODY,
        minFeeBps: 0,
        maxFeeBps: 0,
        captureDeadline: now / 1000 + 7 * 86_400 + 1200,
        refundDeadline: now / 1000 + 37 * 86_400 + 1200,
        authCaptureEscrow: '0xf96815976523E00e65Be8f34cA5e64b4f41EB19c',
        operatorType: 'delegated',
        paymentFlow: 'escrow',
        captureMode: 'deferred',
        receiverAuthorizer: AUTHORIZER,
        assetTransferMethod: 'eip3009',
      },
    })
    for (const seconds of [0, 1, 599.999, 600, 100_000]) {
      const later = now + seconds * 1000
      const { captureDeadline } = holdOffer({ clock: () => later }).extra
      const left = Number(captureDeadline) - (later + (server().offersLast ?? 0)) / 1000
      expect([left >= 7 * 86_400, left <= 7 * 86_400 + 1200]).toEqual([true, true])
    }
  })

  test('what cannot be sold is said at once', () => {
    expect(() => server({ receiverAuthorizer: 'me' })).toThrow('invalid_config')
    expect(() => server({ flow: 'authorization' })).toThrow('invalid_config')
    expect(() => server({ captureSeconds: 59 })).toThrow('invalid_config')
    expect(() => holdOffer({}, { assetTransferMethod: 'erc7710' })).toThrow('unsupported_transfer_method')
    expect(() => holdOffer({}, { feeRecipient: NOBODY, maxFeeBps: 1 })).toThrow('unsupported_offer')
    const terms = { network: offer.network, amount: 1n, payTo: SELLER, maxTimeoutSeconds: 60 }
    const asset = {
      network: offer.network,
      symbol: 'USDC',
      address: offer.asset,
      decimals: 6,
      transfer: 'eip3009',
    } as const
    const kind = { x402Version: 2, scheme: 'auth-capture', network: offer.network } as const
    expect(() => server().offer({ ...terms, asset, kind })).toThrow('unsupported_offer')
    expect(() => server().offer({ ...terms, asset, payTo: asset.address })).toThrow('invalid_pay_to')
    expect(() => server().offer({ ...terms, asset, maxTimeoutSeconds: 601 })).toThrow('invalid_config')
    expect(() => server().offer({ ...terms, asset, amount: 2n ** 120n })).toThrow('invalid_config')
  })
})

describe('the payer', () => {
  const context = { clock, random: (bytes: number) => new Uint8Array(bytes).fill(0x66), maxLifetimeSeconds: 600 }

  test('EVM-CAPTURE-010 EVM-CAPTURE-011 EVM-CAPTURE-014 signs the amount, for the collector of its method, under a salt that is bound', async () => {
    const prepared = client({ account }).prepare(offer, context)
    expect(prepared).toMatchObject({ ok: true, payer: PAYER, amount: 10_000n, expiresAt: now / 1000 + 60 })
    if (!prepared.ok) return
    const governors = { receiverAuthorizer: part(AUTHORIZER), policy: NOBODY }
    expect(await prepared.sign()).toEqual({
      authorization: {
        from: PAYER,
        to: '0x8612dfdc421f80336cd14E8EF9cb1E765dB5ab88',
        value: '10000',
        validAfter: '0',
        validBefore: String(now / 1000 + 60),
        nonce: signatureNonce(nobleEngine, 84_532n, prepared.paymentInfo),
      },
      signature: expect.stringMatching(/^0x[0-9a-f]{130}$/),
      salt: boundSalt(nobleEngine, governors, `0x${'66'.repeat(32)}`),
      saltNonce: `0x${'66'.repeat(32)}`,
    })
    const unbound = client({ account }).prepare(withExtra({ receiverAuthorizer: NOBODY, ...byPermit2 }), context)
    if (!unbound.ok) throw new TypeError(unbound.code)
    expect(await unbound.sign()).toEqual({
      permit2Authorization: {
        from: PAYER,
        permitted: { token: offer.asset, amount: '10000' },
        spender: '0xD69831Aed5bfe262067ec4c751f4F830EcdD446e',
        nonce: BigInt(signatureNonce(nobleEngine, 84_532n, unbound.paymentInfo)).toString(),
        deadline: String(now / 1000 + 60),
      },
      signature: expect.stringMatching(/^0x[0-9a-f]{130}$/),
      salt: `0x${'66'.repeat(32)}`,
    })
  })

  test('EVM-CAPTURE-012 no two payments have one name', async () => {
    const names = Array.from({ length: 8 }, () => {
      const prepared = client({ account }).prepare(offer, { ...context, random: systemRandom })
      return prepared.ok ? prepared.pid : ''
    })
    expect(new Set(names).size).toBe(8)
  })

  test('EVM-CAPTURE-013 EVM-CAPTURE-020 EVM-CAPTURE-021 what is signed is what the contracts check, by a key and by a wallet', async () => {
    const prepared = client({ account }).prepare(offer, context)
    if (!prepared.ok) throw new TypeError(prepared.code)
    const domain = { name: 'USDC', version: '2', chainId: 84_532n, verifyingContract: part(offer.asset) }
    for (const method of ['eip3009', 'permit2'] as const) {
      const message = tokenAuthorization(nobleEngine, { method, domain, info: prepared.paymentInfo })
      expect(formatHex(message.digest())).toBe(hashTypedData(message.typedData() as never))
    }
    const wallet = await payHold(offer, privateKeyToAccount(PAYER_KEY), { now, random: context.random })
    expect(wallet.payload.signature).toBe(
      (await payHold(offer, account, { now, random: context.random })).payload.signature,
    )
  })

  const refusedBy = (extra: JsonObject, change: Partial<PaymentRequirements> = {}, options = {}) => {
    const prepared = client({ account, ...options }).prepare({ ...withExtra(extra), ...change }, context)
    return prepared.ok ? 'ok' : prepared.code.replace('invalid_auth_capture_evm_', '…')
  }

  test('EVM-CAPTURE-003 EVM-CAPTURE-004 EVM-CAPTURE-005 EVM-CAPTURE-006 EVM-CAPTURE-007 trusts one escrow, one kind of operator, and fees that are some', () => {
    expect({
      right: refusedBy({}),
      escrow: refusedBy({ authCaptureEscrow: '0xBdEA0D1bcC5966192B070Fdf62aB4EF5b4420cff' }),
      silent: refusedBy({ authCaptureEscrow: undefined as never }),
      fees: refusedBy({ minFeeBps: 2, maxFeeBps: 1, feeRecipient: SELLER }),
      whole: refusedBy({ maxFeeBps: 10_001, feeRecipient: SELLER }),
      fraction: refusedBy({ maxFeeBps: 1.5, feeRecipient: SELLER }),
      nobody: refusedBy({ maxFeeBps: 1 }),
      custom: refusedBy({ operatorType: 'custom' }),
      policy: refusedBy({ policy: SELLER }),
      flow: refusedBy({ paymentFlow: 'upfront' }),
      autoCapture: refusedBy({ autoCapture: true }),
      charge: refusedBy({ paymentFlow: 'authorization' }),
      alone: refusedBy({ paymentFlow: 'authorization', receiverAuthorizer: NOBODY }),
      operator: refusedBy({ captureAuthorizer: NOBODY }),
    }).toEqual({
      right: 'ok',
      escrow: '…extra',
      silent: 'ok',
      fees: '…extra',
      whole: '…extra',
      fraction: '…extra',
      nobody: '…extra',
      custom: '…unsupported_operator_type',
      policy: '…unsupported_operator_type',
      flow: '…unsupported_payment_flow',
      autoCapture: '…unsupported_payment_flow',
      charge: 'ok',
      alone: '…missing_receiver_authorizer',
      operator: '…extra',
    })
  })

  test('EVM-CAPTURE-015 EVM-CAPTURE-016 keeps its money within reach', () => {
    const long = now / 1000 + 31 * 86_400
    expect({
      long: refusedBy({ captureDeadline: long, refundDeadline: long }),
      allowed: refusedBy({ captureDeadline: long, refundDeadline: long }, {}, { maxHoldSeconds: 32 * 86_400 }),
      short: refusedBy({ captureDeadline: now / 1000 + 59 }),
      order: refusedBy({ refundDeadline: now / 1000 + 60 }),
      oneself: refusedBy({ captureAuthorizer: PAYER }),
      domain: refusedBy({ name: 'USD Coin' }),
      asset: refusedBy({}, { asset: SELLER }),
      method: refusedBy({ assetTransferMethod: 'erc7710' }),
      payTo: refusedBy({}, { payTo: NOBODY }),
    }).toEqual({
      long: '…deadline_ordering',
      allowed: 'ok',
      short: '…deadline_ordering',
      order: '…deadline_ordering',
      oneself: 'payer_is_facilitator',
      domain: 'domain_mismatch',
      asset: 'asset_not_known',
      method: 'unsupported_transfer_method',
      payTo: 'invalid_payment_requirements',
    })
    expect(() => client({ account: { ...account, address: '0x1' } })).toThrow(TypeError)
  })
})

describe('what is read without a chain', () => {
  test('a good payment, by either method, bound or not, for either flow', async () => {
    const offers = [
      offer,
      withExtra(byPermit2),
      withExtra({ receiverAuthorizer: NOBODY }),
      withExtra({ paymentFlow: 'authorization' }),
    ]
    for (const terms of offers) expect(codeOf(await sign(terms), terms)).toBe('ok')
  })

  const eip3009: readonly (readonly [string, string, unknown, string])[] = [
    ['EVM-CAPTURE-036 another collector', 'authorization.to', SELLER, '…token_collector_mismatch'],
    ['EVM-CAPTURE-037 another amount', 'authorization.value', '9999', '…amount_mismatch'],
    ['EVM-CAPTURE-035 an hour', 'authorization.validBefore', String(now / 1000 + 3600), '…deadline_ordering'],
    ['EVM-CAPTURE-040 from a second on', 'authorization.validAfter', '1', '…authorization_not_yet_valid'],
    ['EVM-CAPTURE-040 later', 'authorization.validAfter', String(now / 1000 + 9), '…authorization_not_yet_valid'],
    ['EVM-CAPTURE-039 another nonce', 'authorization.nonce', `0x${'11'.repeat(32)}`, '…nonce_mismatch'],
    ['EVM-CAPTURE-039 another payer', 'authorization.from', SELLER, 'ok'],
    ['EVM-CAPTURE-038 another salt', 'salt', `0x${'11'.repeat(32)}`, '…salt_binding_mismatch'],
    ['EVM-CAPTURE-038 no saltNonce', 'saltNonce', undefined, '…salt_binding_mismatch'],
    ['EVM-CAPTURE-032 a hexadecimal amount', 'authorization.value', '0x2710', 'invalid_payload'],
    ['EVM-CAPTURE-032 more than 120 bits', 'authorization.value', (2n ** 120n).toString(), 'invalid_payload'],
    ['EVM-CAPTURE-032 a time of 49 bits', 'authorization.validBefore', (2n ** 48n).toString(), 'invalid_payload'],
    ['EVM-CAPTURE-032 a short salt', 'salt', '0x66', 'invalid_payload'],
    ['EVM-CAPTURE-032 a part of a charge', 'amount', '10000', 'invalid_payload'],
    ['EVM-CAPTURE-032 no bytes', 'signature', '0xzz', '…signature'],
    ['a capture', 'type', 'capture', '…payload_type'],
  ]
  test.each(eip3009)('%s', async (_name, path, value, code) => {
    expect(codeOf(changed(await sign(), path, value))).toBe(code)
  })

  const permit2: readonly (readonly [string, string, unknown, string])[] = [
    ['EVM-CAPTURE-036 another spender', 'permit2Authorization.spender', SELLER, '…token_collector_mismatch'],
    ['EVM-CAPTURE-037 another amount', 'permit2Authorization.permitted.amount', '10001', '…amount_mismatch'],
    ['EVM-CAPTURE-037 another token', 'permit2Authorization.permitted.token', SELLER, '…token_mismatch'],
    ['EVM-CAPTURE-039 another nonce', 'permit2Authorization.nonce', '7', '…nonce_mismatch'],
    ['EVM-CAPTURE-032 a number', 'permit2Authorization.nonce', 7, 'invalid_payload'],
  ]
  test.each(permit2)('by Permit2, %s', async (_name, path, value, code) => {
    const terms = withExtra(byPermit2)
    expect(codeOf(changed(await sign(terms), path, value), terms)).toBe(code)
  })

  test('EVM-CAPTURE-030 EVM-CAPTURE-031 EVM-CAPTURE-033 payment and terms are of one scheme, network, price and method', async () => {
    const payment = await sign()
    const echoed = (change: Partial<PaymentRequirements>) => ({ ...payment, accepted: { ...offer, ...change } })
    expect({
      scheme: codeOf({ ...payment, scheme: 'exact' }),
      terms: codeOf(payment, { ...offer, scheme: 'exact' }),
      echo: codeOf(echoed({ scheme: 'upto' })),
      network: codeOf({ ...payment, network: 'eip155:1' as never }),
      place: codeOf(echoed({ network: 'eip155:1' as never })),
      amount: codeOf(echoed({ amount: 1n })),
      payTo: codeOf(echoed({ payTo: FACILITATOR })),
      method: codeOf(payment, withExtra(byPermit2)),
      family: codeOf(
        { ...payment, network: 'solana:x' as never, accepted: undefined as never },
        { ...offer, network: 'solana:x' as never },
      ),
    }).toEqual({
      scheme: '…scheme',
      terms: '…scheme',
      echo: '…scheme',
      network: '…network_mismatch',
      place: '…network_mismatch',
      amount: 'no_matching_requirements',
      payTo: 'no_matching_requirements',
      method: 'unsupported_transfer_method',
      family: 'invalid_network',
    })
  })

  test.each([
    ['amount', { amount: 1n }],
    ['payTo', { payTo: FACILITATOR }],
    ['asset', { asset: SELLER }],
  ] as const)('another %s than what was accepted is told by its name', async (field, change) => {
    const detail = `${field} is not what was accepted`
    expect(inspectAuthCapture(await sign(), { ...offer, ...change }, at())).toMatchObject({ detail })
  })

  test.each([
    ['authCaptureEscrow', { authCaptureEscrow: SELLER }],
    ['captureAuthorizer', { captureAuthorizer: NOBODY }],
    ['captureDeadline', { captureDeadline: 0.5 }],
    ['refundDeadline', { refundDeadline: 2 ** 48 }],
    ['minFeeBps', { minFeeBps: -1 }],
    ['minFeeBps', { minFeeBps: 2, maxFeeBps: 1, feeRecipient: SELLER }],
    ['maxFeeBps', { maxFeeBps: 10_001, feeRecipient: SELLER }],
    ['feeRecipient', { feeRecipient: NOBODY, maxFeeBps: 1 }],
    ['receiverAuthorizer', { receiverAuthorizer: '0x12' }],
  ] as const)('an offer whose extra.%s cannot be is told by that name', (field, change) => {
    expect(readHoldTerms(withExtra(change))).toMatchObject({
      code: 'invalid_auth_capture_evm_extra',
      detail: expect.stringMatching(new RegExp(`^extra\\.${field}\\b`)),
    })
  })

  test.each([
    ['operatorType', { operatorType: 'custom' }],
    ['policy', { policy: SELLER }],
    ['autoCapture', { autoCapture: true }],
    ['paymentFlow', { paymentFlow: 'upfront' }],
  ] as const)(
    'an offer whose extra.%s is not served is told by that name, where a code stands for two',
    (field, change) => {
      expect(readHoldTerms(withExtra(change))).toMatchObject({ ok: false, detail: `extra.${field}` })
    },
  )

  test('EVM-CAPTURE-039 every term is in the nonce', async () => {
    const payment = await sign()
    const other: readonly JsonObject[] = [
      { captureAuthorizer: SELLER },
      { captureDeadline: Number(offer.extra.captureDeadline) + 1 },
      { refundDeadline: Number(offer.extra.refundDeadline) + 1 },
      { feeRecipient: SELLER },
      { maxFeeBps: 1, feeRecipient: SELLER },
    ]
    for (const extra of other)
      expect(codeOf({ ...payment, accepted: withExtra(extra) }, withExtra(extra))).toBe('…nonce_mismatch')
    const receiver = { ...offer, payTo: FACILITATOR }
    expect(codeOf({ ...payment, accepted: receiver }, receiver)).toBe('…nonce_mismatch')
  })

  test('EVM-CAPTURE-034 one that came too late is known by what it was, and none lasts longer than its hold', async () => {
    const payment = await sign()
    expect(inspectAuthCapture(payment, offer, at(55))).toMatchObject({
      ok: false,
      code: 'invalid_auth_capture_evm_authorization_expired',
      late: { ok: true, payer: PAYER, expiresAt: now / 1000 + 60 },
    })
    const short = withExtra({ captureDeadline: now / 1000 + 60, refundDeadline: now / 1000 + 60 })
    expect(codeOf(await sign(short), short, at(56))).toBe('…authorization_expired')
    const shorter = withExtra({ captureDeadline: now / 1000 + 59 })
    const longer = { ...payment, accepted: shorter }
    expect(codeOf(longer, shorter)).toBe('…deadline_ordering')
  })

  test('EVM-CAPTURE-032 whatever a stranger sends is a verdict', async () => {
    for (const terms of [offer, withExtra(byPermit2)]) {
      const payment = await sign(terms)
      fc.assert(
        fc.property(arbMutated(fc.constant(payment.payload)), (payload) => {
          const inspection = inspectAuthCapture({ ...payment, payload: payload as JsonObject }, terms, at())
          expect(inspection.ok || typeof inspection.code === 'string').toBe(true)
        }),
        { numRuns: 150 },
      )
      fc.assert(
        fc.property(arbMutated(fc.constant(terms.extra)), (extra) => {
          const hostile = { ...terms, extra: extra as JsonObject }
          const inspection = inspectAuthCapture({ ...payment, accepted: hostile }, hostile, at())
          expect(inspection.ok || typeof inspection.code === 'string').toBe(true)
        }),
        { numRuns: 150 },
      )
    }
  })
})

test('EVM-CAPTURE-060 what an authorizer signs is the same for a key and for a wallet', () => {
  const where = { chainId: 84_532n, operator: part(FACILITATOR) }
  const infoHash: Hex = `0x${'ab'.repeat(32)}`
  const payout = { amount: 750n, feeAmount: 7n, feeReceiver: part(SELLER) }
  const balances = { capturable: 1000n, refundable: 5n }
  const permissions = [
    { kind: 'charge', infoHash, collector: part(SELLER), collectorDataHash: infoHash, ...payout },
    { kind: 'capture', infoHash, ...payout, ...balances },
    { kind: 'void', infoHash },
    { kind: 'refund', infoHash, amount: 3n, ...balances },
  ] as const
  for (const permission of permissions) {
    const message = permissionOf(nobleEngine, where, permission)
    expect(formatHex(message.digest())).toBe(hashTypedData(message.typedData() as never))
  }
})

test('V11: salt, nonce and name of a payment are those of the deployed contracts', () => {
  const [operator, receiver] = [part(FACILITATOR), part(SELLER)]
  const saltNonce: Hex = `0x${'66'.repeat(32)}`
  const info: PaymentInfo = {
    ...{ operator, payer: part(PAYER), receiver, token: part(offer.asset), maxAmount: 1_000_000n },
    ...{ preApprovalExpiry: 2_000_000_000n, authorizationExpiry: 2_000_100_000n, refundExpiry: 2_000_200_000n },
    ...{ minFeeBps: 100n, maxFeeBps: 100n, feeReceiver: operator, salt: saltNonce },
  }
  const salt = boundSalt(nobleEngine, { receiverAuthorizer: part(AUTHORIZER), policy: NOBODY }, saltNonce)
  expect(salt).toBe('0x380418f8bcc7f81550d55947fc237c60502980297283ec6829c830158360240d')
  const bound = { ...info, salt }
  expect([
    signatureNonce(nobleEngine, 84_532n, info),
    signatureNonce(nobleEngine, 84_532n, bound),
    paymentInfoHash(nobleEngine, 84_532n, bound),
  ]).toEqual([
    '0x053b58fb0f3ad307dc0073869e225e3bba4ccffe5030186479624a26696e86e4',
    '0xefa82bb0470c95f6360d67c33cb88524559e0f3d477d338179e0eefa42709ced',
    '0xcfafbd254590ac2eee304c2f12090c8b8eb8f48f63e75f592245d1d3241163a9',
  ])
})
