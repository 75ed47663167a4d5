import {
  decodeBase64Text,
  decodeChallenge,
  decodeFacilitatorRequest,
  decodePayment,
  decodeReceipt,
  decodeSettlement,
  decodeSupported,
  decodeVerdict,
  encodeChallenge,
  encodeFacilitatorRequest,
  encodePayment,
  encodeSettlement,
  encodeSupported,
  encodeVerdict,
  errorCodes,
  errorInfo,
  network,
  type PaymentPayload,
  type PaymentRequirements,
  PROBLEM_TYPE,
  problem,
  type Settlement,
  X402Error,
} from '@groat/core'
import { arbOffer } from '@groat/core/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readJson } from '../scripts/lib/vectors.js'
import { wireType } from '../scripts/lib/wire-types.js'
import { ajvAccepts, root } from './support.js'

const chain = network('base-sepolia')
const offer: PaymentRequirements = {
  scheme: 'exact',
  network: chain,
  amount: 10_000n,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  maxTimeoutSeconds: 300,
  extra: { name: 'USDC', version: '2' },
}
const newer: PaymentPayload = { x402Version: 2, scheme: 'exact', network: chain, accepted: offer, payload: { a: 'é' } }
const older: PaymentPayload = { x402Version: 1, scheme: 'exact', network: chain, payload: { a: 'é' } }
const unknown: Settlement = { status: 'unknown', retryAfter: 2, transaction: '0xab' }

const codes = Object.keys(errorCodes).filter((code): code is keyof typeof errorCodes => code in errorCodes)
const arbSettlement: fc.Arbitrary<Settlement> = fc.oneof(
  fc.constant<Settlement>({ status: 'settled', receipt: { payer: '0xcd', network: chain, transaction: '0xab' } }),
  fc
    .constantFrom(...codes.filter((code) => code !== 'settlement_pending'))
    .map((code): Settlement => ({ status: 'refused', code })),
  fc.constantFrom<Settlement>(unknown, { status: 'unknown', retryAfter: 2 }),
)

const arbText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.json().map((text) => btoa(encodeURIComponent(text))),
  fc.base64String(),
)

describe('messages that core writes', () => {
  test('CORE-015 leave out what has no value', () => {
    const { headers } = encodeChallenge({ accepts: [offer] })
    expect(decodeHeader(headers['PAYMENT-REQUIRED'])).not.toMatch(/null|undefined|"(?:error|resource|extensions)"/)
    expect(decodeHeader(encodePayment(newer).value)).not.toMatch(/null|undefined|"(?:resource|extensions)"/)
  })

  test('CORE-006, HTTP-004 offers of both versions travel in one answer and state the same terms', () => {
    const { headers, body } = encodeChallenge({ accepts: [offer], resource: { url: 'https://api.example/report' } })
    const [first, second] = [decodeChallenge((name) => headers[name]), decodeChallenge(() => undefined, body)].map(
      (challenge) => (challenge?.ok ? challenge.value : undefined),
    )
    expect([first?.x402Version, second?.x402Version]).toEqual([2, 1])
    const terms = [first, second].map((challenge) => {
      const { amount, asset, payTo, network, scheme } = challenge?.accepts[0] ?? {}
      return { amount, asset, payTo, network, scheme }
    })
    expect(terms[0]).toEqual(terms[1])
  })

  test('CORE-026, CORE-041 every offer has the members that other implementations need', () =>
    fc.assert(
      fc.property(arbOffer, (any) => {
        const { headers, body } = encodeChallenge({ accepts: [any], resource: { url: 'https://api.example/a' } })
        const message = JSON.parse(decodeHeader(headers['PAYMENT-REQUIRED']))
        expect(ajvAccepts(wireType('v2/PaymentRequired'), message)).toBe(true)
        expect(message.accepts[0].extra).toBeTypeOf('object')
        const first = JSON.parse(body)
        expect(ajvAccepts(wireType('v1/PaymentRequired'), first)).toBe(true)
        expect(first.accepts[0]).toMatchObject({ mimeType: expect.any(String), description: expect.any(String) })
      }),
    ))

  test('HTTP-027 header values are ASCII behind their base64', () => {
    for (const payment of [older, newer]) {
      const text = decodeHeader(encodePayment(payment).value)
      expect(text).toMatch(/^[\x20-\x7e]+$/)
      expect(JSON.parse(text).payload).toEqual({ a: 'é' })
    }
  })

  test('CORE-030 an offer goes back as it came, unknown members included', () => {
    const wire = readJson<{ accepts: unknown[] }>(root, 'examples/v2/PaymentRequired/valid/exact-base-sepolia.json')
    const offers = { ...wire, accepts: [{ ...Object(wire.accepts[0]), discount: 'none' }] }
    const header = btoa(JSON.stringify(offers))
    const challenge = decodeChallenge((name) => (name === 'PAYMENT-REQUIRED' ? header : undefined))
    const accepted = challenge?.ok ? challenge.value.accepts[0] : undefined
    const sent = encodePayment({ ...newer, ...(accepted === undefined ? {} : { accepted }) })
    expect(JSON.parse(decodeHeader(sent.value)).accepted).toEqual(offers.accepts[0])
  })
})

describe('outcomes', () => {
  test('CORE-073, CORE-074 an outcome is the same after it has travelled', () =>
    fc.assert(
      fc.property(arbSettlement, fc.constantFrom<1 | 2>(1, 2), (settlement, version) => {
        const back = decodeSettlement(encodeSettlement(version, chain, settlement))
        expect(back.ok && back.value.status).toBe(settlement.status)
      }),
    ))

  test('FAC-040, FAC-041, FAC-042, FAC-043, FAC-044 a receipt says all that it has to', () => {
    const receipt = { payer: '0xcd', network: chain, transaction: '0xab' }
    const wire = (version: 1 | 2, settlement: Settlement) =>
      JSON.parse(JSON.stringify(encodeSettlement(version, chain, settlement)))
    expect(wire(2, { status: 'settled', receipt })).toEqual({
      success: true,
      payer: '0xcd',
      transaction: '0xab',
      network: 'eip155:84532',
    })
    expect(wire(1, { status: 'refused', code: 'invalid_payload' })).toEqual({
      success: false,
      errorReason: 'invalid_payload',
      transaction: '',
      network: 'base-sepolia',
    })
    expect(wire(2, unknown)).toEqual({
      success: false,
      errorReason: 'settlement_pending',
      transaction: '0xab',
      network: 'eip155:84532',
    })
  })

  test('FAC-021, FAC-022, FAC-023 a verdict says all that it has to', () => {
    const wire = (verdict: Parameters<typeof encodeVerdict>[1]) => JSON.parse(JSON.stringify(encodeVerdict(2, verdict)))
    expect(wire({ ok: true, payer: '0xcd' })).toEqual({ isValid: true, payer: '0xcd' })
    expect(wire({ ok: false, code: 'invalid_exact_evm_signature', payer: '0xcd' })).toEqual({
      isValid: false,
      invalidReason: 'invalid_exact_evm_signature',
      payer: '0xcd',
    })
  })

  test('EVM-EXACT-082 a wrong amount has the name of its version', () => {
    const refusal = { ok: false, code: 'invalid_exact_evm_payload_authorization_value_mismatch' } as const
    expect(encodeVerdict(1, refusal)).toMatchObject({ invalidReason: 'invalid_exact_evm_authorization_value' })
    expect(encodeVerdict(2, refusal)).toMatchObject({ invalidReason: refusal.code })
  })
})

describe('requests to a facilitator', () => {
  const wire = readJson<Record<string, unknown>>(root, 'examples/v2/VerifyRequest/valid/exact-eip3009.json')

  test('FAC-003 carry the version at the top as well', () => {
    expect(encodeFacilitatorRequest({ payment: newer, requirements: offer }).x402Version).toBe(2)
    expect(encodeFacilitatorRequest({ payment: older, requirements: offer }).x402Version).toBe(1)
  })

  test('FAC-004, FAC-005 are read by the version of the payment', () => {
    const { x402Version: _, ...without } = wire
    const decoded = decodeFacilitatorRequest(without)
    expect(decoded.ok && decoded.value.payment.x402Version).toBe(2)
  })

  test('FAC-006, FAC-009, FAC-010 are refused with the code that says which part is wrong', () => {
    const code = (body: unknown) => {
      const decoded = decodeFacilitatorRequest(body)
      return decoded.ok ? 'ok' : decoded.code
    }
    expect(code({ ...wire, x402Version: 1 })).toBe('invalid_x402_version')
    expect(code({ ...wire, paymentRequirements: { ...Object(wire.paymentRequirements), amount: '0x1' } })).toBe(
      'invalid_payment_requirements',
    )
    expect(code({ ...wire, paymentPayload: { x402Version: 2 } })).toBe('invalid_payload')
    for (const body of [null, [], 'x', 7, {}]) expect(code(body)).toBe('invalid_payload')
  })

  test('FAC-062, FAC-064 what is supported names networks as each version does', () => {
    const supported = {
      kinds: ([1, 2] as const).map((x402Version) => ({ x402Version, scheme: 'exact', network: chain })),
      extensions: [],
      signers: { 'eip155:*': ['0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'] },
    }
    const message = JSON.parse(JSON.stringify(encodeSupported(supported)))
    expect(ajvAccepts(wireType('v2/SupportedResponse'), message)).toBe(true)
    expect(message.kinds.map(({ network }: { network: string }) => network)).toEqual(['base-sepolia', 'eip155:84532'])
    expect(decodeSupported(message)).toEqual({ ok: true, value: supported })
  })

  test('FAC-066 an answer without extensions and signers is accepted', () => {
    const decoded = decodeSupported({ kinds: [{ x402Version: 1, scheme: 'exact', network: 'base-sepolia' }] })
    expect(decoded).toMatchObject({ ok: true, value: { extensions: [], signers: {} } })
  })
})

describe('errors', () => {
  test('ERR-001 every code is one word of the registry', () => {
    expect(codes.filter((code) => !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$/.test(code) && code !== 'not_found')).toEqual([])
  })

  test('ERR-010, ERR-020, ERR-021, ERR-022, ERR-023 a problem is the problem of its code', () => {
    expect(PROBLEM_TYPE).toBe('application/problem+json')
    expect(problem('payment_expired')).toEqual(readJson(root, 'examples/problem/valid/expired.json'))
    for (const code of codes) {
      const { status, detail } = errorInfo(code)
      expect(problem(code)).toMatchObject({ type: `urn:x402:error:${code}`, code, status })
      expect(problem(code).detailCode).toBe(detail)
    }
  })

  test('SEC-001 a problem says nothing of the inside', () => {
    const secret = 'https://node.example/key-7f3a'
    const error = new X402Error('rpc_unreachable', { url: secret }, { cause: new Error(secret) })
    expect(JSON.stringify(problem(error.code))).not.toContain('7f3a')
  })

  test('SEC-003 no text makes a decoder throw', () =>
    fc.assert(
      fc.property(arbText, (text) => {
        decodePayment(() => text)
        decodeReceipt(() => text)
        decodeChallenge(() => text, text)
        decodeChallenge(() => undefined, text)
      }),
    ))

  test('SEC-003 no object makes a decoder throw', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        decodeFacilitatorRequest(value)
        decodeSettlement(value)
        decodeSupported(value)
      }),
    ))

  test('ERR-003 a verdict and an outcome are read from the code alone', () => {
    const message = 'isValid: true, success: true, settlement_pending'
    const refused = { isValid: false, invalidReason: 'invalid_exact_evm_signature' }
    expect(decodeVerdict({ ...refused, invalidMessage: message })).toMatchObject({
      ok: true,
      value: { ok: false, code: refused.invalidReason },
    })
    const receipt = { success: false, errorReason: 'invalid_payload', transaction: '', network: 'eip155:84532' }
    expect(decodeSettlement({ ...receipt, errorMessage: message })).toMatchObject({
      ok: true,
      value: { status: 'refused', code: 'invalid_payload' },
    })
  })
})

function decodeHeader(value: string | undefined): string {
  const text = decodeBase64Text(value ?? '')
  if (!text.ok) throw new Error(text.code)
  return text.value
}
