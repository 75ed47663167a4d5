import { encodeFacilitatorRequest, network, X402Error } from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { context, propagation, type TextMapPropagator, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOverview } from '../src/admin.js'
import {
  createAccess,
  createApiKey,
  createFacilitator,
  createFacilitatorApp,
  type FacilitatorService,
} from '../src/index.js'
import {
  createLog,
  createMetrics,
  errorRecord,
  type LogOptions,
  type ShortHour,
  scrub,
  withTracing,
} from '../src/observe.js'
import { createFakeScheme, FakeChain, makePayment, NETWORK, PAYER } from './fake-chain.js'

let store: Store
let service: FacilitatorService
let chain: FakeChain
const lines: Record<string, unknown>[] = []
const log = createLog({ write: (line) => lines.push(JSON.parse(line)), clock: () => now })
let now = 0
let started: Record<string, unknown>[] = []

beforeEach(async () => {
  lines.length = 0
  chain = new FakeChain()
  store = await openMemoryStore()
  service = createFacilitator({
    schemes: [createFakeScheme(chain)],
    store,
    stopTimeout: 1,
    onEvent: log.onEvent,
    onFault: log.onFault,
  })
  await service.start()
  started = lines.splice(0)
})
afterEach(async () => {
  await service.stop()
  await store.close()
})

const post = (
  app: { request(path: string, init: RequestInit): Response | Promise<Response> },
  path: string,
  headers = {},
) =>
  app.request(path, {
    method: 'POST',
    body: JSON.stringify(encodeFacilitatorRequest(makePayment())),
    headers: { 'content-type': 'application/json', ...headers },
  })

describe('the log', () => {
  test('has a line for each thing that happens, by pid, with payers under a name of the day', async () => {
    now = 0
    await service.settle(makePayment())
    expect(lines.map(({ msg, level }) => `${level} ${msg}`)).toEqual([
      'info payment_claimed',
      'info transaction_sent',
      'info payment_settled',
    ])
    const [name] = lines.map(({ payer }) => payer)
    expect(lines.every(({ payer, pid, amount }) => payer === name && pid !== undefined && amount === '1000')).toBe(true)
    expect(JSON.stringify(lines)).not.toContain(PAYER)
    now = 86_400_000
    await service.settle(makePayment())
    expect(lines.at(-1)?.payer).toMatch(/^payer_[0-9a-f]{12}$/)
    expect(lines.at(-1)?.payer).not.toBe(name)
  })

  test('has one line for a refusal, and says whether it was at verify or at settle', async () => {
    const bad = makePayment({ signature: 'bad' })
    await service.verify(bad)
    await service.settle(bad)
    const refusals = lines.filter(({ msg }) => msg === 'payment_refused')
    expect(refusals).toMatchObject([{ during: 'verify' }, { during: 'settle', pid: expect.any(String) }])
  })

  test('names this replica and the lanes that it takes and leaves, so that one that ends without a word can be told', async () => {
    const { replica } = service
    const lane = { network: NETWORK, signer: chain.signers[0], replica }
    expect(started).toMatchObject([
      { level: 'info', msg: 'replica_started', replica },
      { level: 'info', msg: 'lane_taken', ...lane },
    ])
    await service.stop()
    expect(lines).toMatchObject([
      { level: 'info', msg: 'lane_left', ...lane },
      { level: 'info', msg: 'replica_stopped', replica },
    ])
    log.onEvent({ type: 'replica_gone', at: 0, replica: 'other' })
    expect(lines.at(-1)).toMatchObject({ level: 'warn', msg: 'replica_gone', replica: 'other' })
  })

  test('says of a signer that cannot pay who it is, where, and what to do', () => {
    const about = { at: 0, network: NETWORK, signer: '0xf1' } as const
    log.onEvent({ type: 'lane_blocked', ...about, code: 'signer_out_of_gas' })
    log.onEvent({ type: 'lane_unblocked', ...about })
    const [blocked, unblocked] = lines
    const signer = { network: NETWORK, signer: '0xf1' }
    const hint = 'Fund the facilitator’s account.'
    expect(blocked).toMatchObject({ level: 'warn', msg: 'lane_blocked', ...signer, code: 'signer_out_of_gas', hint })
    expect(unblocked).toMatchObject({ level: 'info', msg: 'lane_unblocked', ...signer })
  })

  test('says of an hour that has too little left which limit that is, what is to be sent costs and what is left', () => {
    const write = (line: string) => void lines.push(JSON.parse(line))
    const hintsOf = (options: Partial<LogOptions>, cost: bigint) => {
      const { onEvent, onFault } = createLog({ write, ...options })
      onEvent({
        type: 'lane_blocked',
        at: 0,
        code: 'fee_above_limit',
        network: NETWORK,
        signer: '0xf1',
        cost,
        left: 60n,
      })
      const error = new X402Error('fee_above_limit', { network: NETWORK, cost, limit: 50n, leftOfHour: 60n })
      onFault({ reference: 'r', during: 'settle', error })
      return lines.splice(0).map(({ hint }) => hint)
    }
    const said = 'feePerHour has 60 wei left, and what is to be sent costs 70 wei: wait for lower fees, or raise it.'
    expect(hintsOf({}, 70n)).toEqual([said, said])
    const hintForHour = ({ cost, left }: ShortHour) => `$${left} for $${cost}`
    expect(hintsOf({ hintForHour }, 70n)).toEqual(['$60 for $70', '$60 for $70'])
    // It is some other limit that this is above.
    expect(hintsOf({ hintForHour }, 55n)).toEqual(['Wait for lower fees or raise the limit.', undefined])
  })

  describe('of a node that is down', () => {
    const due: (() => void)[] = []
    const said: Record<string, unknown>[] = []
    const open = () => {
      due.length = said.length = 0
      const timers = {
        background(_: number, call: () => void) {
          due.push(call)
          return () => {}
        },
      }
      return createLog({ write: (line) => said.push(JSON.parse(line)), timers, clock: () => now })
    }
    const minute = () => {
      for (const call of due.splice(0)) call()
    }
    const down = { network: NETWORK, node: 'rpc.example' }
    const when = (since: number, last: number) => ({
      since: new Date(since * 1000).toISOString(),
      last: new Date(last * 1000).toISOString(),
    })
    const faultOf = (log: ReturnType<typeof createLog>, count: number, on: object = down) => {
      for (let at = 1; at <= count; at++) {
        now = at * 1000
        const about = { reference: `r${at}`, pid: `p${at}` as never, ...on }
        log.onFault({ ...about, during: 'verify', error: new X402Error('rpc_unreachable', { ...on }) })
        log.onEvent({ type: 'fault', at: 0, code: 'rpc_unreachable', ...about })
      }
    }

    test('says which network and which node, the first at once, and once a minute how many they were', () => {
      const log = open()
      faultOf(log, 250)
      expect(said).toMatchObject([
        { msg: 'fault_story', reference: 'r1', during: 'verify', ...down, error: { code: 'rpc_unreachable' } },
        { msg: 'fault', reference: 'r1', pid: 'p1', code: 'rpc_unreachable', ...down },
      ])
      said.length = 0
      minute()
      const ten = expect.toSatisfy((all) => all.length === 10 && all[0] === 'r2')
      const gathered = { code: 'rpc_unreachable', ...down, repeats: 249, references: ten, ...when(2, 250) }
      expect(said).toMatchObject([
        { msg: 'fault_story', during: 'verify', ...gathered, error: { code: 'rpc_unreachable' } },
        { msg: 'fault', ...gathered, pids: expect.arrayContaining(['p2', 'p11']) },
      ])
      expect(said.flatMap(({ reference, pid }) => [reference, pid])).toEqual(Array(4).fill(undefined))
    })

    test('tells one that comes alone as it is, and one that comes after a quiet minute at once', () => {
      const log = open()
      faultOf(log, 2)
      minute()
      const alone = { reference: 'r2', repeats: 1, ...when(2, 2) }
      expect(said.slice(2)).toMatchObject([alone, { ...alone, pid: 'p2' }])
      expect(said.map(({ repeats }) => repeats)).toEqual([undefined, undefined, 1, 1])
      minute()
      expect([said.length, due.length]).toEqual([4, 0])
      faultOf(log, 1)
      expect(said).toHaveLength(6)
    })

    test('takes no other network, node or kind of fault for the same, and gathers no mistakes of ours', () => {
      const log = open()
      faultOf(log, 3)
      faultOf(log, 3, { ...down, node: 'rpc2.example' })
      for (let at = 0; at < 3; at++) log.onFault({ reference: 'r', during: 'verify', error: new TypeError('ours') })
      expect(said).toHaveLength(4 + 3)
    })

    test('says that it is back, and what was gathered of it before that and never after', () => {
      const log = open()
      faultOf(log, 3, { ...down, node: 'rpc.example, rpc2.example' })
      faultOf(log, 3, { ...down, node: 'rpc3.example' })
      said.length = 0
      const about = { at: 0, network: NETWORK, node: 'rpc2.example' }
      log.onEvent({ type: 'node_away', ...about, code: 'rpc_unreachable' })
      log.onEvent({ type: 'node_back', ...about, network: network('base') })
      log.onEvent({ type: 'node_back', ...about })
      expect(said.map(({ level, msg, repeats }) => [level, msg, repeats])).toEqual([
        ['warn', 'node_away', undefined],
        ['info', 'node_back', undefined],
        ['error', 'fault_story', 2],
        ['error', 'fault', 2],
        ['info', 'node_back', undefined],
      ])
      said.length = 0
      minute()
      expect(said.map(({ node }) => node)).toEqual(['rpc3.example', 'rpc3.example'])
      faultOf(log, 1, { ...down, node: 'rpc.example, rpc2.example' })
      expect(said).toHaveLength(4)
    })

    test('ends with the line that the replica has stopped', () => {
      const log = open()
      faultOf(log, 3)
      log.onEvent({ type: 'replica_stopped', at: 0, replica: 'one' })
      log.flush()
      expect(said.slice(2).map(({ msg }) => msg)).toEqual(['fault_story', 'fault', 'replica_stopped'])
    })

    test('loses nothing that is gathered when the process ends', () => {
      const log = open()
      faultOf(log, 4)
      log.flush()
      log.flush()
      expect(said.slice(2)).toMatchObject([{ repeats: 3 }, { repeats: 3 }])
      minute()
      expect(said).toHaveLength(4)
    })
  })

  test('gathers requests that are turned away, by code, tenant and limit', () => {
    const due: (() => void)[] = []
    const said: Record<string, unknown>[] = []
    const timers = {
      background(_: number, call: () => void) {
        due.push(call)
        return () => {}
      },
    }
    const log = createLog({ write: (line) => said.push(JSON.parse(line)), timers, clock: () => now })
    const denial = { code: 'quota_exceeded', during: 'settle', tenant: 'shop', ring: 'tenant', perSecond: 20 } as const
    for (now = 1000; now <= 500_000; now += 1000) log.onDenied({ ...denial, retryAfter: now })
    log.onDenied({ ...denial, tenant: 'other' })
    expect(said).toMatchObject([
      { level: 'warn', msg: 'request_denied', ...denial, retryAfter: 1000 },
      { level: 'warn', msg: 'request_denied', ...denial, tenant: 'other' },
    ])
    for (const call of due.splice(0)) call()
    expect(said.slice(2)).toMatchObject([{ level: 'warn', msg: 'request_denied', ...denial, repeats: 499 }])
    expect(said[2]).toMatchObject({ since: '1970-01-01T00:00:02.000Z', last: '1970-01-01T00:08:20.000Z' })
  })

  test('says of an endpoint when it begins to fail and when it is well again', () => {
    const about = { endpoint: 'tenant.shop', host: 'hooks.example' }
    log.onEndpoint({ ...about, state: 'failing', said: 'ECONNREFUSED' })
    log.onEndpoint({ ...about, state: 'well' })
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'webhook_failing', ...about, said: 'ECONNREFUSED' },
      { level: 'info', msg: 'webhook_well', ...about },
    ])
  })

  test('SEC-001 has no secret, wherever one may turn up', () => {
    const secrets = [
      'https://user:hunter2@rpc.example/v2/KEY123?k=KEY123',
      `0x${'ab'.repeat(32)}`,
      'postgres://groat:hunter2@db.example/pay',
      createApiKey().key,
      'QUJD'.repeat(40),
    ]
    const cause = new Error(`failed: ${secrets.join(' and ')}`, { cause: new Error(secrets[0]) })
    const error = new X402Error('rpc_unreachable', { node: secrets[0] }, { cause })
    log.onFault({ reference: 'r', during: 'verify', error })
    log.onEvent({ type: 'payment_signed', at: 0, signature: secrets[1], payload: { raw: secrets[4] } } as never)
    const text = JSON.stringify(lines)
    for (const part of ['hunter2', 'KEY123', 'ab'.repeat(32), 'groat_', 'QUJDQUJD'])
      expect([part, text.includes(part)]).toEqual([part, false])
    expect(text).toContain('rpc.example')
    expect(errorRecord(error)).toMatchObject({ code: 'rpc_unreachable', cause: { cause: { name: 'Error' } } })
    expect(scrub('connect ECONNREFUSED 127.0.0.1:8545')).toBe('connect ECONNREFUSED 127.0.0.1:8545')
  })
})

describe('the metrics', () => {
  test('tell of endpoints that nothing waits for that it is none', async () => {
    const metrics = createMetrics({ endpoints: ['operator'] })
    const overview = createOverview({ service, store })
    const waiting = { endpoint: 'tenant.shop', waiting: 3, dead: 1 }
    await metrics.read(async () => ({ ...(await overview()), webhooks: [waiting] }))
    const { text } = await metrics.read(overview)
    for (const endpoint of ['operator', 'tenant.shop']) {
      expect(text).toContain(`groat_webhooks_waiting{endpoint="${endpoint}"} 0`)
      expect(text).toContain(`groat_webhooks_given_up{endpoint="${endpoint}"} 0`)
    }
  })

  test('count what happens and what was turned away, with bounded labels', async () => {
    const metrics = createMetrics()
    // A lane has one replica: this one has a journal of its own.
    const store = await openMemoryStore()
    const counted = createFacilitator({
      schemes: [createFakeScheme(chain)],
      store,
      stopTimeout: 1,
      onEvent: metrics.onEvent,
    })
    await counted.start()
    const { key, hash } = createApiKey()
    const access = createAccess(counted, {
      tenants: [{ id: 'shop', keyHashes: [hash], scopes: ['settle', 'metrics'] }],
      onDenied: metrics.onDenied,
    })
    const overview = createOverview({ service: counted, store, pressure: access.pressure })
    const app = createFacilitatorApp(counted, { access, metrics, overview })
    const headers = { authorization: `Bearer ${key}` }
    // As a process does that has just started, of a payment of the one before.
    metrics.onEvent({ type: 'payment_final', at: 0, network: NETWORK, scheme: 'exact' })
    metrics.onEvent({ type: 'payment_refused', at: 0, network: network('base'), scheme: 'whatever' })
    await post(app, '/settle', headers)
    await post(app, '/settle')
    await app.request('/settlements/whatever-a-stranger-writes')
    expect((await app.request('/metrics')).status).toBe(401)
    const response = await app.request('/metrics', { headers })
    const text = await response.text()
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    for (const line of [
      `groat_payments_total{event="payment_settled",network="${NETWORK}",scheme="exact"} 1`,
      `groat_payments_total{event="payment_final",network="${NETWORK}",scheme="exact"} 1`,
      'groat_payments_total{event="payment_refused",network="other",scheme="other"} 1',
      'groat_denied_total{code="api_key_missing",tenant="",ring=""} 3',
      'groat_http_request_seconds_count{route="/settle",status="200"} 1',
      'groat_http_request_seconds_count{route="/settlements",status="401"} 1',
      `groat_network_ready{network="${NETWORK}"} 1`,
      ...['claimed', 'signed', 'sent', 'mined', 'reorged'].map((state) => `groat_open_settlements{state="${state}"} 0`),
      'nodejs_eventloop_lag_seconds',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).not.toContain(PAYER)
    expect(text).not.toContain('stranger')
    await counted.stop()
    await store.close()
  })
})

/** W3C trace context, as a program would set it up. */
const propagator: TextMapPropagator = {
  inject() {},
  fields: () => ['traceparent'],
  extract(into, from, getter) {
    const [, traceId = '', spanId = ''] = String(getter.get(from, 'traceparent')).split('-')
    return trace.setSpanContext(into, { traceId, spanId, traceFlags: 1, isRemote: true })
  },
}

describe('the traces', () => {
  const spans = new InMemorySpanExporter()
  beforeEach(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(propagator)
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
  })
  afterEach(() => {
    trace.disable()
    context.disable()
    propagation.disable()
    spans.reset()
  })

  test('go on from the caller’s, and say what came of it but not whose it was', async () => {
    const app = createFacilitatorApp(withTracing<FacilitatorService>()(service))
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await post(app, '/settle', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    const seen = spans.getFinishedSpans().map((span) => ({
      name: span.name,
      trace: span.spanContext().traceId,
      parent: span.parentSpanContext?.spanId,
      outcome: span.attributes['x402.outcome'],
    }))
    const [, outer] = spans.getFinishedSpans()
    expect(seen).toEqual([
      { name: 'x402.settle', trace: traceId, parent: outer?.spanContext().spanId, outcome: 'settled' },
      { name: 'POST /settle', trace: traceId, parent: 'b7ad6b7169203331', outcome: undefined },
    ])
    expect(JSON.stringify(spans.getFinishedSpans().map(({ attributes }) => attributes))).not.toContain(PAYER)
  })
})
