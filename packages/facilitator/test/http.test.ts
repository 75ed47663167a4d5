import { encodeFacilitatorRequest, type FacilitatorRequest, isErrorCode, type Pid, v1NameOf } from '@groat/core'
import { encodeWebhookEvent } from '@groat/core/webhook'
import { openMemoryStore, type Store } from '@groat/store'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOverview } from '../src/admin.js'
import {
  createFacilitator,
  createFacilitatorApp,
  type FacilitatorOptions,
  type FacilitatorService,
  type Fault,
} from '../src/index.js'
import { createMetrics } from '../src/observe.js'
import { createFakeScheme, FakeChain, makePayment, NETWORK, PAYER, unreachable } from './fake-chain.js'
import { mutationOf } from './mutation.js'

let chain: FakeChain
let store: Store
let service: FacilitatorService
let app: Hono
let faults: Fault[]

beforeEach(async () => {
  chain = new FakeChain()
  store = await openMemoryStore()
  faults = []
  await serve()
})

afterEach(async () => {
  await service.stop()
  await store.close()
})

async function serve(options: Partial<FacilitatorOptions> = {}) {
  await service?.stop()
  const onFault = (fault: Fault) => faults.push(fault)
  service = createFacilitator({ schemes: [createFakeScheme(chain)], store, onFault, stopTimeout: 1, ...options })
  app = createFacilitatorApp(service, { onFault })
  await service.start()
}

function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body)
  return app.request(path, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } })
}

const wire = (request: FacilitatorRequest) => encodeFacilitatorRequest(request)

async function answer(response: Response) {
  return { status: response.status, body: await response.json() }
}

describe('judged', () => {
  test('FAC-001 FAC-020, FAC-022 a good payment', async () => {
    expect(await answer(await post('/verify', wire(makePayment())))).toEqual({
      status: 200,
      body: { isValid: true, payer: PAYER },
    })
  })

  test('FAC-020, FAC-021 a bad payment', async () => {
    expect(await answer(await post('/verify', wire(makePayment({ signature: 'bad' }))))).toEqual({
      status: 200,
      body: { isValid: false, invalidReason: 'invalid_exact_evm_signature', payer: PAYER },
    })
  })

  test('FAC-038, FAC-042 a settled payment', async () => {
    const settled = await answer(await post('/settle', wire(makePayment())))
    const transaction = chain.logs[0]?.transaction
    expect(settled).toEqual({
      status: 200,
      body: { success: true, payer: PAYER, transaction, network: NETWORK, amount: '1000' },
    })
  })

  test('FAC-039, FAC-040, FAC-041 a refused payment', async () => {
    expect(await answer(await post('/settle', wire(makePayment({ signature: 'bad' }))))).toEqual({
      status: 200,
      body: {
        success: false,
        errorReason: 'invalid_exact_evm_signature',
        payer: PAYER,
        transaction: '',
        network: NETWORK,
      },
    })
  })

  test('FAC-043, FAC-044 an unknown outcome', async () => {
    chain.automine = false
    await serve({ settleTimeout: 10 })
    const request = makePayment()
    while (chain.seen.length === 0) await post('/settle', wire(request))
    const response = await post('/settle', wire(request))
    expect(response.headers.get('retry-after')).toBe('2')
    expect(await answer(response)).toEqual({
      status: 200,
      body: {
        success: false,
        errorReason: 'settlement_pending',
        payer: PAYER,
        transaction: chain.seen[0]?.hash,
        network: NETWORK,
      },
    })
  })

  test('FAC-005, FAC-041 version 1 is answered in version 1', async () => {
    const { payment, requirements } = makePayment({ value: '999' })
    const { network, scheme, payload } = payment
    const older: FacilitatorRequest = { payment: { x402Version: 1, network, scheme, payload }, requirements }
    const body = wire({ ...older, resource: { url: 'https://shop.example/report' } })
    expect(await answer(await post('/settle', body))).toEqual({
      status: 200,
      body: {
        success: false,
        errorReason: 'invalid_exact_evm_authorization_value',
        payer: PAYER,
        transaction: '',
        network: 'base-sepolia',
      },
    })
  })

  test('FAC-004 x402Version is needed in the payment only', async () => {
    const { x402Version: _, ...body } = wire(makePayment())
    expect((await post('/verify', body)).status).toBe(200)
  })

  test('FAC-011 a scheme that is not served', async () => {
    const { payment, requirements } = makePayment({}, { scheme: 'upto' })
    const body = wire({ payment, requirements })
    const said = 'scheme is not settled on this network'
    expect(await answer(await post('/verify', body))).toEqual({
      status: 200,
      body: { isValid: false, invalidReason: 'unsupported_scheme', invalidMessage: said },
    })
    expect(await answer(await post('/settle', body))).toEqual({
      status: 200,
      body: {
        success: false,
        errorReason: 'unsupported_scheme',
        errorMessage: said,
        transaction: '',
        network: NETWORK,
      },
    })
  })

  test('FAC-012 a network that is not served', async () => {
    const terms = { network: 'eip155:1' as typeof NETWORK }
    const { payment, requirements } = makePayment({}, terms)
    expect(await answer(await post('/settle', wire({ payment, requirements })))).toEqual({
      status: 200,
      body: {
        success: false,
        errorReason: 'invalid_network',
        errorMessage: 'network is not settled here',
        transaction: '',
        network: 'eip155:1',
      },
    })
  })

  test('a version that nobody knows', async () => {
    const body = { ...wire(makePayment()), paymentPayload: { x402Version: 9 } }
    expect(await answer(await post('/verify', body))).toEqual({
      status: 200,
      body: { isValid: false, invalidReason: 'invalid_x402_version', invalidMessage: 'version 9' },
    })
  })
})

describe('unread', () => {
  test.each([
    ['not JSON', '{'],
    ['an array', '[]'],
    ['H07 a doubled member', '{"paymentPayload":{},"paymentPayload":{}}'],
    ['too deep', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
    ['not UTF-8', new Blob([Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)])],
    ['empty', ''],
    ['empty object', '{}'],
  ])('FAC-007, FAC-010 %s is 400 and shaped like an answer', async (_, body) => {
    const verified = await answer(await post('/verify', body))
    expect(verified).toMatchObject({ status: 400, body: { isValid: false, invalidReason: 'invalid_payload' } })
    const settled = await answer(await post('/settle', body))
    expect(settled).toMatchObject({
      status: 400,
      body: { success: false, errorReason: 'invalid_payload', transaction: '', network: '' },
    })
  })

  test('FAC-009, FAC-041 malformed requirements keep their network', async () => {
    const body = { ...wire(makePayment()), paymentRequirements: { network: NETWORK } }
    expect(await answer(await post('/settle', body))).toEqual({
      status: 400,
      body: {
        success: false,
        errorReason: 'invalid_payment_requirements',
        errorMessage: 'scheme is missing or malformed',
        transaction: '',
        network: NETWORK,
      },
    })
  })

  test.each(['text/plain', 'application/json; charset=utf-16', 'application/jsonx', ''])(
    'FAC-016 H14 the media type %j',
    async (type) => {
      const response = await post('/settle', wire(makePayment()), { 'content-type': type })
      expect(await answer(response)).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    },
  )

  test('FAC-008, H13 a body over 64 KiB, announced or not', async () => {
    const large = JSON.stringify({ ...wire(makePayment()), padding: 'x'.repeat(70_000) })
    expect(await answer(await post('/settle', large))).toMatchObject({
      status: 413,
      body: { code: 'request_too_large', detail: 'a body has 65536 bytes at the most' },
    })
    expect((await post('/settle', '{}', { 'content-length': '70000' })).status).toBe(413)
    const fits = JSON.stringify({ ...wire(makePayment()), padding: 'x'.repeat(60_000) })
    expect((await post('/verify', fits)).status).toBe(200)
  })

  test('other methods and paths', async () => {
    const wrong = await app.request('/verify')
    expect(await answer(wrong)).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } })
    expect(wrong.headers.get('allow')).toBe('POST')
    expect(await answer(await app.request('/nothing'))).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})

describe('a broken world', () => {
  test('ERR-025 FAC-026, I04 is a problem with a reference and without its story', async () => {
    chain.disturb = () => {
      throw Object.assign(unreachable(), { message: 'https://node.example/secret-key' })
    }
    const response = await post('/verify', wire(makePayment()))
    expect(response.headers.get('retry-after')).toBe('2')
    const { status, body } = await answer(response)
    expect({ status, body }).toEqual({
      status: 503,
      body: {
        type: 'urn:x402:error:rpc_unreachable',
        title: 'The chain cannot be reached',
        status: 503,
        code: 'rpc_unreachable',
        hint: 'Try again later; nothing was decided about the payment.',
        retry: 'later',
        reference: faults[0]?.reference,
      },
    })
    expect(JSON.stringify(body)).not.toContain('secret-key')
  })

  test('a mistake of ours is 500 with a reference', async () => {
    chain.disturb = () => {
      throw new TypeError('secret story')
    }
    const { status, body } = await answer(await post('/verify', wire(makePayment())))
    expect({ status, body }).toMatchObject({
      status: 500,
      body: { code: 'unexpected_verify_error', reference: faults[0]?.reference },
    })
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  test('settle without a store accepts nothing and says so', async () => {
    await store.close()
    expect(await answer(await post('/settle', wire(makePayment())))).toMatchObject({
      status: 503,
      body: { code: 'store_unavailable' },
    })
    expect(chain.seen).toEqual([])
  })

  test('settle while the chain is away is pending', async () => {
    chain.disturb = () => {
      throw unreachable()
    }
    expect(await answer(await post('/settle', wire(makePayment())))).toMatchObject({
      status: 200,
      body: { success: false, errorReason: 'settlement_pending', transaction: '' },
    })
  })
})

describe('questions', () => {
  test('FAC-060, FAC-061, FAC-062, FAC-063, FAC-064 supported', async () => {
    expect(await answer(await app.request('/supported'))).toEqual({
      status: 200,
      body: {
        kinds: [
          { x402Version: 2, scheme: 'exact', network: 'eip155:84532' },
          { x402Version: 1, scheme: 'exact', network: 'base-sepolia' },
        ],
        extensions: [],
        signers: { 'eip155:*': chain.signers },
      },
    })
  })

  test('FAC-080, FAC-081, FAC-083, FAC-084 settlements', async () => {
    chain.automine = false
    await serve({ settleTimeout: 10 })
    const request = makePayment()
    while (chain.seen.length === 0) await post('/settle', wire(request))
    const [{ pid }] = (await store
      .withTables<{ settlement: { pid: string } }>()
      .db.selectFrom('settlement')
      .select('pid')
      .execute()) as [{ pid: string }]
    const open = await app.request(`/settlements/${pid}`)
    expect(open.headers.get('retry-after')).toBe('2')
    const terms = {
      pid,
      scheme: 'exact',
      network: NETWORK,
      payTo: request.requirements.payTo,
      asset: request.requirements.asset,
      amount: '1000',
      payer: PAYER,
      transaction: chain.seen[0]?.hash,
    }
    expect(await answer(open)).toEqual({
      status: 200,
      body: { ...terms, status: 'unknown', success: false, errorReason: 'settlement_pending' },
    })
    chain.mine()
    await serve()
    await post('/settle', wire(request))
    expect(await answer(await app.request(`/settlements/${pid}`))).toEqual({
      status: 200,
      body: { ...terms, status: 'settled', success: true },
    })
  })

  test('FAC-082 a settlement that nobody knows', async () => {
    for (const pid of ['0'.repeat(64), 'nonsense']) {
      expect(await answer(await app.request(`/settlements/${pid}`))).toMatchObject({
        status: 404,
        body: { code: 'settlement_not_found' },
      })
    }
  })

  test('FAC-090, FAC-091, FAC-092 health', async () => {
    expect(await answer(await app.request('/livez'))).toEqual({ status: 200, body: { live: true } })
    expect(await answer(await app.request('/readyz'))).toEqual({ status: 200, body: { ready: true, reasons: [] } })
    await service.stop()
    expect(await answer(await app.request('/readyz'))).toEqual({
      status: 503,
      body: { ready: false, reasons: [{ part: 'service', state: 'stopping' }] },
    })
    expect((await app.request('/livez')).status).toBe(200)
  })

  test('FAC-091 not ready once a newer edition has changed the tables: whoever balances sends payments to that', async () => {
    const tables = store.withTables<Record<string, { name: string; timestamp: string }>>()
    await tables.transaction(async (tx) => {
      await tx
        .insertInto('facilitator_migration')
        .values({ name: '999_newer', timestamp: '2027-01-01T00:00:00.000Z' })
        .execute()
    })
    expect(await answer(await app.request('/readyz'))).toEqual({
      status: 503,
      body: { ready: false, reasons: [{ part: 'store', code: 'store_unavailable' }] },
    })
  })

  test('FAC-091 not ready before it has started, and each reason is named', async () => {
    chain.disturb = () => {
      throw unreachable()
    }
    const early = createFacilitator({ schemes: [createFakeScheme(chain)], store })
    const face = createFacilitatorApp(early)
    expect(await answer(await face.request('/readyz'))).toEqual({
      status: 503,
      body: {
        ready: false,
        reasons: [
          { part: 'service', state: 'starting' },
          { part: 'chain', network: NETWORK, code: 'rpc_unreachable' },
        ],
      },
    })
  })
})

describe('fuzz', () => {
  const good = wire(makePayment())

  test('INV-20 no JSON makes it throw, and what it says is in the registry', async () => {
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ paymentPayload: fc.jsonValue(), paymentRequirements: fc.jsonValue() }).map((v) => JSON.stringify(v)),
      mutationOf(good).map((v) => JSON.stringify(v)),
    )
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom('/verify', '/settle'), async (text, path) => {
        const response = await post(path, text)
        expect([200, 400]).toContain(response.status)
        const said = (await response.json()) as Record<string, unknown>
        const reason = said.invalidReason ?? said.errorReason
        if (path === '/settle') {
          expect([typeof said.transaction, typeof said.network, typeof said.success]).toEqual([
            'string',
            'string',
            'boolean',
          ])
        } else expect(typeof said.isValid).toBe('boolean')
        expect(reason === undefined || isErrorCode(String(reason))).toBe(true)
        expect(faults).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

describe('described', () => {
  test('FAC-105 readiness by network and scheme', async () => {
    let now = Date.now()
    await serve({ clock: () => now })
    expect((await app.request(`/readyz/${NETWORK}/exact`)).status).toBe(200)
    expect((await app.request(`/readyz/${v1NameOf(NETWORK)}/exact`)).status).toBe(200)
    const detail = `no such network and scheme is served here; what is: ${v1NameOf(NETWORK)}/exact`
    for (const path of [`${NETWORK}/upto`, 'base/exact', 'nonsense/exact', 'base', `${NETWORK}`]) {
      const unserved = { status: 404, body: { code: 'not_found', detail } }
      expect(await answer(await app.request(`/readyz/${path}`))).toMatchObject(unserved)
    }
    chain.disturb = (method) => {
      if (method === 'ready') throw unreachable()
    }
    now += 2_000
    const response = await app.request(`/readyz/${NETWORK}/exact`)
    expect([response.status, response.headers.get('retry-after'), await response.json()]).toEqual([
      503,
      '2',
      { ready: false, reasons: [{ part: 'chain', network: NETWORK, code: 'rpc_unreachable' }] },
    ])
  })

  test('FAC-105 a node that hangs keeps nobody waiting for readiness: it counts as it was for a while, and then as gone', async () => {
    let now = Date.now()
    await serve({ clock: () => now })
    const ask = async () => {
      const began = performance.now()
      const said = await answer(await app.request('/readyz'))
      expect(performance.now() - began).toBeLessThan(4_000)
      return said
    }
    expect(await ask()).toMatchObject({ status: 200 })
    let resume = () => {}
    const hanging = new Promise<undefined>((resolve) => {
      resume = () => resolve(undefined)
    })
    chain.ready = () => hanging
    now += 2_000
    expect(await ask()).toMatchObject({ status: 200 })
    now += 9_000
    expect(await ask()).toEqual({
      status: 503,
      body: { ready: false, reasons: [{ part: 'chain', network: NETWORK, code: 'rpc_unreachable' }] },
    })
    resume()
    now += 2_000
    expect(await ask()).toMatchObject({ status: 200 })
  })

  test('FAC-105 a signer that has nothing has no runway, also before the first settlement, and another that has some can pay', async () => {
    const signers = ['0x00000000000000000000000000000000000000f1', '0x00000000000000000000000000000000000000f2']
    const coin = new Map<string, bigint>([[signers[1] ?? '', 1n]])
    chain = Object.assign(new FakeChain(signers), { gasBalance: async (signer: string) => coin.get(signer) ?? 0n })
    await serve()
    const metrics = createMetrics()
    const overview = createOverview({ service, store })
    app = createFacilitatorApp(service, { metrics, overview })
    const text = await (await app.request('/metrics')).text()
    expect(text).toContain(`groat_gas_runway_settlements{network="${NETWORK}",signer="${signers[0]}"} 0`)
    expect(text).not.toContain(`signer="${signers[1]}"`)
    expect((await app.request(`/readyz/${NETWORK}/exact`)).status).toBe(200)
  })

  test('FAC-105 ready while one signer can pay; who cannot is named, with the network, and is the reason when nobody can', async () => {
    const signers = ['0x00000000000000000000000000000000000000f1', '0x00000000000000000000000000000000000000f2']
    const coin = new Map<string, bigint>([[signers[1] ?? '', 1n]])
    let now = Date.now()
    chain = Object.assign(new FakeChain(signers), { gasBalance: async (signer: string) => coin.get(signer) ?? 0n })
    await serve({ clock: () => now })
    const of = (signer?: string) => ({ part: 'chain', network: NETWORK, code: 'signer_out_of_gas', signer })
    const paths = ['/readyz', `/readyz/${NETWORK}/exact`]
    for (const path of paths) {
      const body = { ready: true, reasons: [], notes: [of(signers[0])] }
      expect(await answer(await app.request(path))).toEqual({ status: 200, body })
    }
    coin.clear()
    now += 2_000
    for (const path of paths) {
      expect(await answer(await app.request(path))).toEqual({
        status: 503,
        body: { ready: false, reasons: [of(signers[0]), of(signers[1])] },
      })
    }
  })

  test('as OpenAPI, whose schemas take what is answered', async () => {
    const document = (await (await app.request('/openapi.json')).json()) as {
      readonly paths: Record<string, unknown>
      readonly webhooks: Record<string, unknown>
      readonly components: { readonly schemas: Record<string, object> }
    }
    expect(Object.keys(document.paths)).toEqual([
      '/verify',
      '/settle',
      '/supported',
      '/settlements/{pid}',
      '/livez',
      '/readyz',
      '/readyz/{network}/{scheme}',
    ])
    expect(Object.keys(document.webhooks)).toEqual([
      'payment.settled',
      'payment.final',
      'payment.reorged',
      'payment.refused',
    ])
    const ajv = new Ajv2020({ strict: false })
    ajv.addSchema({ $id: 'openapi', components: document.components })
    const fits = async (name: string, value: unknown) => {
      const check = ajv.compile({ $ref: `openapi#/components/schemas/${name}` })
      return [name, check(value), check.errors ?? null]
    }
    const ask = async (path: string, init?: RequestInit) => (await app.request(path, init)).json()
    const settled = await (await post('/settle', wire(makePayment()))).json()
    const told = encodeWebhookEvent({
      ...{ id: 'msg_1', type: 'payment.settled', at: 0, pid: 'ab'.repeat(32) as Pid, sequence: 0, network: NETWORK },
      ...{ scheme: 'exact', payer: '0x1', payTo: '0x2', asset: '0x3', amount: 1000n },
    })
    for (const [name, value] of [
      ['VerifyRequest', wire(makePayment())],
      ['VerifyResponse', await (await post('/verify', wire(makePayment()))).json()],
      ['SettleResponse', settled],
      ['SupportedResponse', await ask('/supported')],
      ['Health', await ask('/readyz')],
      ['Live', await ask('/livez')],
      ['Problem', await ask('/nothing')],
      ['WebhookBody', told],
    ] as const) {
      expect(await fits(name, value)).toEqual([name, true, null])
    }
    expect((await fits('VerifyResponse', { isValid: 'yes' }))[1]).toBe(false)
  })
})
