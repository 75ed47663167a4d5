import type { ServerResponse } from 'node:http'
import { DEFAULT_RETRY_AFTER, type FacilitatorRequest, network, paymentId, X402Error } from '@groat/core'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  endless,
  type FacilitatorStub,
  garbage,
  json,
  never,
  receipt,
  refusedSettle,
  refusedVerify,
  settled,
  startFacilitator,
  thenDrop,
} from '../test/facilitator-stub.js'
import { payer, paymentFor, payTo } from '../test/test-scheme.js'
import { createFacilitatorClient, type FacilitatorClientOptions } from './facilitator-client.js'

const requirements = {
  scheme: 'exact',
  network: network('base-sepolia'),
  amount: 1000n,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo,
  maxTimeoutSeconds: 60,
  extra: {},
}
const request: FacilitatorRequest = { payment: paymentFor(requirements), requirements }
const older: FacilitatorRequest = {
  payment: paymentFor(requirements, { version: 1 }),
  requirements,
  resource: { url: 'https://shop.example/a' },
}

let stub: FacilitatorStub
beforeEach(async () => {
  stub = await startFacilitator()
})
afterEach(() => stub.close())

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => {
      if (!X402Error.is(error)) throw error
      return error.code
    },
  )

describe.each([
  ['Node’s own client', {}],
  ['fetch', { fetch: globalThis.fetch }],
])('over %s', (_, transport) => {
  const connect = (url: string, options: FacilitatorClientOptions = {}) =>
    createFacilitatorClient(url, { ...transport, ...options })

  test('asks as the protocol says, with the headers that it was given', async () => {
    const facilitator = connect(`${stub.url}//`, {
      headers: async (operation) => ({ authorization: `Bearer ${operation}` }),
    })
    expect(await facilitator.verify(request)).toEqual({ ok: true, payer })
    expect(await facilitator.settle(request)).toMatchObject({ status: 'settled', receipt: { payer } })
    const [verify] = stub.calls.verify
    expect(verify?.headers).toMatchObject({ authorization: 'Bearer verify', 'content-type': 'application/json' })
    expect(stub.calls.settle[0]?.headers.authorization).toBe('Bearer settle')
    expect(verify?.body).toMatchObject({
      x402Version: 2,
      paymentPayload: { x402Version: 2, accepted: { amount: '1000' } },
      paymentRequirements: { network: 'eip155:84532', amount: '1000', extra: {} },
    })
  })

  test('asks in version 1 for a payment of version 1', async () => {
    expect(await connect(stub.url).settle(older)).toMatchObject({
      status: 'settled',
      receipt: { network: 'eip155:84532' },
    })
    expect(stub.calls.settle[0]?.body).toMatchObject({
      x402Version: 1,
      paymentPayload: { x402Version: 1, network: 'base-sepolia' },
      paymentRequirements: { network: 'base-sepolia', maxAmountRequired: '1000', resource: 'https://shop.example/a' },
    })
  })

  test('SEC-003 an answer that nests without an end is none: a settlement is unknown, a verdict a fault', async () => {
    const deep = `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
    const answer = (text: string) => (_: unknown, response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    }
    const settled = `"success":true,"transaction":"0x1","network":"eip155:84532","payer":"${payer}"`
    stub.does.settle = [answer(`{${settled},"extra":${deep}}`), answer(`{"success":false,${settled}}`)]
    stub.does.verify = [answer(`{"isValid":true,"payer":"${payer}","extra":${deep}}`)]
    const facilitator = connect(stub.url)
    expect(await facilitator.settle(request)).toEqual({ status: 'unknown', retryAfter: DEFAULT_RETRY_AFTER })
    // Read by the first or by the last of its two members, it says two things.
    expect(await facilitator.settle(request)).toEqual({ status: 'unknown', retryAfter: DEFAULT_RETRY_AFTER })
    expect(await codeOf(facilitator.verify(request))).toBe('facilitator_invalid_answer')
  })

  describe('verify', () => {
    test.each([
      ['a refusal', refusedVerify(), { ok: false, code: 'invalid_exact_evm_insufficient_balance' }],
      [
        'SRV-009 a refusal with 400',
        json(400, { isValid: false, invalidReason: 'payment_expired' }),
        { ok: false, code: 'payment_expired' },
      ],
      [
        'a reason with words',
        json(200, { isValid: false, invalidReason: 'payment_expired: since noon' }),
        { ok: false, code: 'payment_expired' },
      ],
    ])('%s is a verdict', async (_, behaviour, verdict) => {
      stub.does.verify = [behaviour]
      expect(await connect(stub.url).verify(request)).toMatchObject(verdict)
    })

    test.each([
      ['500', json(500, {}), 'facilitator_unreachable'],
      ['429', json(429, { isValid: false }), 'facilitator_busy'],
      ['more work than can be done', json(503, { code: 'facilitator_overloaded' }), 'facilitator_busy'],
      ['401', json(401, {}), 'facilitator_unauthorized'],
      ['403', json(403, {}), 'facilitator_unauthorized'],
      ['a yes with 403', json(403, { isValid: true }), 'facilitator_unauthorized'],
      ['SRV-012 a redirect', json(302, {}, { location: '/supported' }), 'facilitator_invalid_answer'],
      ['garbage', garbage, 'facilitator_invalid_answer'],
      ['another shape', json(200, { isValid: 'yes' }), 'facilitator_invalid_answer'],
      ['SRV-013 an endless answer', endless, 'facilitator_invalid_answer'],
      ['SRV-013 silence', never, 'facilitator_unreachable'],
      ['a broken connection', thenDrop(() => {}), 'facilitator_unreachable'],
    ])('%s is none', async (_, behaviour, code) => {
      stub.does.verify = [behaviour]
      expect(await codeOf(connect(stub.url, { timeoutMs: behaviour === never ? 200 : 10_000 }).verify(request))).toBe(
        code,
      )
      expect(stub.calls.supported).toEqual([])
    })
  })

  describe('settle', () => {
    const unknown = { status: 'unknown', retryAfter: 2 }

    test.each([
      ['a refusal', refusedSettle(), { status: 'refused', code: 'invalid_exact_evm_insufficient_balance', payer }],
      [
        'SRV-009 a refusal with 500',
        json(500, { success: false, errorReason: 'payment_expired', transaction: '', network: 'x' }),
        { status: 'refused', code: 'payment_expired' },
      ],
      [
        'pending',
        json(
          200,
          { success: false, errorReason: 'settlement_pending', transaction: '0x1', network: 'x' },
          { 'retry-after': '9' },
        ),
        { status: 'unknown', retryAfter: 9, transaction: '0x1' },
      ],
      ['success with 500', json(500, { success: true, transaction: '0x1', network: 'eip155:84532' }), unknown],
      ['500', json(500, { error: 'x' }), unknown],
      ['503', json(503, { error: 'x' }, { 'retry-after': '30' }), { status: 'unknown', retryAfter: 30 }],
      ['408', json(408, {}), unknown],
      ['409', json(409, {}), unknown],
      ['SRV-012 a redirect', json(307, {}, { location: '/settle' }), unknown],
      ['SRV-010 garbage', garbage, unknown],
      ['SRV-011 a success of another shape', json(200, { success: 'true', transaction: '0x1', network: 'x' }), unknown],
      ['SRV-011 a success without a transaction', json(200, { success: true, network: 'eip155:84532' }), unknown],
      ['SRV-011 a success on no network', json(200, { success: true, transaction: '0x1', network: 'moon' }), unknown],
      ['SRV-013 an endless answer', endless, unknown],
      ['SRV-010 silence', never, unknown],
      ['SRV-010 a broken connection', thenDrop(settled), unknown],
    ])('%s is an outcome', async (_, behaviour, outcome) => {
      stub.does.settle = [behaviour]
      const settlement = await connect(stub.url, { timeoutMs: behaviour === never ? 200 : 10_000 }).settle(request)
      const { detail: _detail, ...rest } = { detail: undefined, ...settlement }
      expect(rest).toEqual(outcome)
      expect(stub.calls.settle).toHaveLength(1)
    })

    test.each([400, 401, 403, 404, 413, 415, 429])('%i says that nothing was accepted: it throws', async (status) => {
      stub.does.settle = [json(status, { error: 'x' }, { 'retry-after': '5' })]
      const code = await codeOf(connect(stub.url).settle(request))
      const said = new Map([
        [429, 'facilitator_busy'],
        [401, 'facilitator_unauthorized'],
        [403, 'facilitator_unauthorized'],
      ])
      expect(code).toBe(said.get(status) ?? 'facilitator_invalid_answer')
    })

    test('nobody who listens, and nobody of that name: it throws', async () => {
      const { url, close } = await startFacilitator()
      await close()
      for (const target of [url, 'https://facilitator.invalid']) {
        expect(await codeOf(connect(target).settle(request))).toBe('facilitator_unreachable')
      }
    })
  })

  test.each([
    ['http://pay.example', {}, false],
    ['http://10.0.0.7:4402', {}, false],
    ['http://10.0.0.7:4402', { allowHttp: true }, true],
    ['http://localhost:4402', {}, true],
    ['http://127.9.0.1', {}, true],
    ['http://[::1]:4402', {}, true],
    ['https://pay.example', {}, true],
  ])('SEC-024 %s %j: %s', (url, options, good) => {
    const make = () => createFacilitatorClient(url, options)
    if (good) expect(make).not.toThrow()
    else expect(make).toThrow(/plain http to another machine/)
  })

  test('supported is asked for once, and again when it failed', async () => {
    const facilitator = connect(stub.url)
    stub.does.supported = [json(500, {}), ...stub.does.supported]
    expect(await codeOf(facilitator.supported())).toBe('facilitator_unreachable')
    const [one, two] = await Promise.all([facilitator.supported(), facilitator.supported()])
    expect(one).toBe(two)
    expect(one.kinds.map(({ network }) => network)).toEqual(['eip155:84532', 'eip155:8453', 'eip155:84532'])
    expect(stub.calls.supported).toHaveLength(2)
  })

  test('what became of a payment: known, not known here, and nobody who knows', async () => {
    const facilitator = connect(stub.url)
    const pid = paymentId(['x'])
    stub.does.settlements = [
      receipt('0x1', { network: 'eip155:84532', payer, pid, status: 'settled' }),
      json(404, { code: 'settlement_not_found' }),
      json(404, { error: 'no such page' }),
    ]
    expect(await facilitator.settlement(pid)).toMatchObject({ status: 'settled', receipt: { transaction: '0x1' } })
    expect(await facilitator.settlement(pid)).toBeUndefined()
    expect(await codeOf(facilitator.settlement(pid))).toBe('facilitator_invalid_answer')
  })

  test('a caller that gives up is heard', async () => {
    stub.does.verify = [never]
    stub.does.settle = [never]
    const facilitator = connect(stub.url)
    const signal = AbortSignal.timeout(100)
    expect(await codeOf(facilitator.verify(request, { signal }))).toBe('facilitator_unreachable')
    expect(await facilitator.settle(request, { signal })).toMatchObject({ status: 'unknown' })
  })

  test('a facilitator over its quota is busy, with its code and for how long', async () => {
    stub.does.verify = [
      json(429, { code: 'quota_exceeded', detail: 'tenant: too many' }, { 'retry-after': '7' }),
      json(429, { code: 'a story' }),
    ]
    const contextOf = (error: unknown) => X402Error.is(error) && { code: error.code, ...error.context }
    const facilitator = connect(stub.url)
    expect(await facilitator.verify(request).catch(contextOf)).toEqual({
      ...{ code: 'facilitator_busy', operation: 'verify', status: 429, said: 'quota_exceeded', retryAfter: 7 },
    })
    const bare = { code: 'facilitator_busy', operation: 'verify', status: 429 }
    expect(await facilitator.verify(request).catch(contextOf)).toEqual(bare)
  })

  test('nothing outward names the address or the words of the facilitator', async () => {
    stub.does.verify = [json(500, { error: 'key abc' })]
    const error: unknown = await connect(`${stub.url}/secret-path`)
      .verify(request)
      .catch((thrown: unknown) => thrown)
    expect(X402Error.is(error) && JSON.stringify([error.message, error.context])).not.toMatch(
      /secret-path|key abc|127\.0\.0\.1/,
    )
  })
})

test('law: whatever is answered, settle is settled only by a success, and nothing untyped is thrown', async () => {
  const member = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(true, 'true', 'eip155:84532', '0x1', ''))
  const object = fc.record(
    { success: member, isValid: member, transaction: member, network: member, errorReason: member },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    fc.string(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    object.map((value) => JSON.stringify(value)),
  )
  await fc.assert(
    fc.asyncProperty(body, fc.integer({ min: 200, max: 599 }), async (text, status) => {
      const facilitator = createFacilitatorClient('https://pay.example', {
        fetch: async () => new Response([204, 205, 304].includes(status) ? null : text, { status }),
      })
      const settlement = await codeOf(facilitator.settle(request))
      if (
        typeof settlement === 'object' &&
        settlement !== null &&
        'status' in settlement &&
        settlement.status === 'settled'
      ) {
        expect([status < 300, JSON.parse(text).success]).toEqual([true, true])
      }
      await codeOf(facilitator.verify(request))
      await codeOf(facilitator.supported())
      await codeOf(facilitator.settlement(paymentId(['x'])))
    }),
  )
})
