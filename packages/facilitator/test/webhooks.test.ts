import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type FacilitatorRequest, network, type Pid, paymentId, requirementsId } from '@groat/core'
import { createWebhookSecret, createWebhookSender, openWebhook, type WebhookEvent } from '@groat/core/webhook'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'
import type { Delivery } from '../src/journal/deliveries.js'
import { createJournal, type Journal, type Written } from '../src/journal/journal.js'
import type { Claim, Evidence, SettlementRecord } from '../src/journal/record.js'
import { type Courier, type CourierTiming, createCourier, type EndpointTurn } from '../src/webhooks/courier.js'
import { createTelling, type WebhookEndpoint } from '../src/webhooks/endpoint.js'
import { until, useFacilitator } from './chain-kit.js'

// Real receivers on real sockets; journals in memory and on a real PostgreSQL.

const NETWORK = network('base-sepolia')
const secret = createWebhookSecret()

type Receiver = {
  readonly url: string
  /** What came, opened; a bad signature fails the test. */
  readonly got: WebhookEvent[]
  /** When each try came. */
  readonly tries: { readonly path: string; readonly id: string }[]
  /** Decides what is answered; 200 unless told. */
  answer: (request: IncomingMessage, response: ServerResponse) => void
}

const receivers: Server[] = []
const couriers: Courier[] = []
const closings: (() => Promise<unknown>)[] = []

afterEach(async () => {
  await Promise.all(couriers.splice(0).map((courier) => courier.stop()))
  for (const server of receivers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  for (const close of closings.splice(0)) await close()
})

async function startReceiver(): Promise<Receiver> {
  const receiver: Omit<Receiver, 'url'> = { got: [], tries: [], answer: (_, response) => void response.end() }
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    receiver.tries.push({ path: request.url ?? '', id: String(request.headers['webhook-id']) })
    const get = (name: string) => String(request.headers[name] ?? '')
    const opened = await openWebhook({ get }, body, { secrets: [secret] })
    if (!opened.ok) throw new Error(opened.code)
    response.on('finish', () => response.statusCode === 200 && receiver.got.push(opened.event))
    receiver.answer(request, response)
  })
  receivers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(receiver, { url: `http://127.0.0.1:${port}/hooks` })
}

type Made = {
  readonly journal: Journal
  readonly courier: Courier
  readonly givenUp: [Delivery, string][]
  readonly turns: EndpointTurn[]
  errors: unknown[]
}

async function make(
  store: Store,
  endpoints: readonly WebhookEndpoint[],
  { replica = 'r', ...timing }: CourierTiming & { replica?: string } = {},
): Promise<Made> {
  const courierOf = { nudge: () => {} } as { nudge: () => void }
  const telling = createTelling(endpoints, { allowPrivate: true })
  const journal = createJournal({
    store,
    clock: Date.now,
    replica,
    telling,
    publishes: true,
    onTold: () => courierOf.nudge(),
  })
  await journal.migrate()
  const givenUp: [Delivery, string][] = []
  const errors: unknown[] = []
  const turns: EndpointTurn[] = []
  const courier = createCourier({
    deliveries: journal.deliveries,
    endpoints,
    sender: createWebhookSender({ allowPrivate: true, timeoutMs: timing.timeout ?? 10_000 }),
    random: (bytes) => new Uint8Array(bytes).fill(128),
    onGivenUp: (delivery, said) => givenUp.push([delivery, said]),
    onError: (error) => errors.push(error),
    interval: 20,
    delay: (failures) => 20 * 2 ** failures,
    onEndpoint: (turn) => turns.push(turn),
    ...timing,
  })
  courierOf.nudge = courier.nudge
  couriers.push(courier)
  return { journal, courier, givenUp, turns, errors }
}

function claimOf(nonce: string, tenant?: string): Claim {
  const requirements = {
    ...{ scheme: 'exact', network: NETWORK, amount: 1000n, asset: '0x01', payTo: '0x02', maxTimeoutSeconds: 60 },
    extra: {},
  }
  const payment = { x402Version: 2, scheme: 'exact', network: NETWORK, payload: { nonce } } as const
  const request: FacilitatorRequest = { payment, requirements }
  return {
    ...{ pid: paymentId([NETWORK, nonce]), rid: requirementsId(requirements), payer: '0x03', expiresAt: 2 ** 40 },
    ...{ request, requestText: JSON.stringify(payment) },
    ...(tenant === undefined ? {} : { tenant }),
  }
}

const written = (outcome: Written | 'credited'): SettlementRecord => {
  if (typeof outcome === 'string') throw new Error(outcome)
  return outcome
}

const evidenceOf = (nonce: string): Evidence => ({
  ...{ transaction: `0x${nonce}`, logIndex: 2, blockNumber: 7n, blockHash: 'b', amount: 1000n },
})

async function settle(journal: Journal, nonce: string, tenant?: string): Promise<SettlementRecord> {
  const claim = await journal.claim(claimOf(nonce, tenant), journal.replica)
  if (claim.status !== 'won') throw new Error(claim.status)
  return written(await journal.settled(claim.record, evidenceOf(nonce)))
}

let server: EmbeddedPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.remove())

async function kept(store: Store): Promise<Store> {
  closings.push(() => store.close())
  return store
}

describe.each([
  ['sqlite', () => openMemoryStore()],
  ['postgres', async () => openStore(await server.database())],
])('%s', (kind, openFresh) => {
  // What the database decides is tried on both; the rest is the courier's.
  const testOnce = kind === 'sqlite' ? test : () => undefined
  let store: Store
  let receiver: Receiver
  let shop: WebhookEndpoint
  beforeEach(async () => {
    store = await kept(await openFresh())
    receiver = await startReceiver()
    shop = { id: 'shop', url: receiver.url, secrets: [secret] }
  })

  test('FAC-106 what happens to a payment is told, in its order, and then nothing is left to tell', async () => {
    const { journal, courier } = await make(store, [shop])
    courier.start()
    const settled = await settle(journal, '1')
    await until(() => receiver.got.length === 1)
    const reorged = written(await journal.reorged(settled))
    const again = written(await journal.settled(reorged, evidenceOf('1b')))
    await journal.final(again)
    await until(() => receiver.got.length === 4)
    expect(receiver.got.map(({ type, sequence }) => [type, sequence])).toEqual([
      ['payment.settled', 0],
      ['payment.reorged', 1],
      ['payment.settled', 2],
      ['payment.final', 3],
    ])
    const { id, at, ...rest } = receiver.got[0] as WebhookEvent
    expect(rest).toEqual({
      ...{ type: 'payment.settled', sequence: 0, pid: settled.pid, network: NETWORK, scheme: 'exact' },
      ...{ payer: '0x03', payTo: '0x02', asset: '0x01', amount: 1000n, transaction: '0x1', logIndex: 2 },
    })
    expect([id.startsWith(settled.pid), Math.abs(Date.now() - at) < 60_000]).toEqual([true, true])
    await until(async () => (await journal.deliveries.standing()).length === 0)
    expect(await journal.outbox.take(10)).toEqual([])
  })

  testOnce('FAC-106 one that fails comes again, and nothing of the same payment passes it', async () => {
    let failures = 3
    receiver.answer = (_, response) => {
      response.statusCode = failures-- > 0 ? 503 : 200
      response.end('x'.repeat(100_000))
    }
    const { journal, courier, turns } = await make(store, [shop])
    await journal.final(await settle(journal, '1'))
    courier.start()
    const next = { tries: expect.any(Number), said: '503', at: expect.any(Number) }
    await until(async () => (await journal.deliveries.standing())[0]?.next !== undefined)
    expect(await journal.deliveries.standing()).toEqual([{ endpoint: 'shop', waiting: 2, dead: 0, next }])
    await until(() => receiver.got.length === 2)
    const about = { endpoint: 'shop', host: new URL(receiver.url).host }
    expect(turns).toEqual([
      { ...about, state: 'failing', said: '503' },
      { ...about, state: 'well' },
    ])
    expect(receiver.got.map(({ type }) => type)).toEqual(['payment.settled', 'payment.final'])
    expect(new Set(receiver.tries.slice(0, 4).map(({ id }) => id)).size).toBe(1)
    expect(receiver.tries).toHaveLength(5)
  })

  testOnce(
    'FAC-106 a receiver that hangs, and one that is not there, are asked again; a redirect is not followed',
    async () => {
      const ways: Receiver['answer'][] = [
        () => {},
        (request) => void request.socket.destroy(),
        (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
      ]
      receiver.answer = (request, response) => {
        const way = ways.shift()
        if (way === undefined) response.end()
        else way(request, response)
      }
      const { journal, courier, errors } = await make(store, [shop], { timeout: 200 })
      courier.start()
      await settle(journal, '1')
      await until(() => receiver.got.length === 1)
      expect(receiver.tries.map(({ path }) => path)).toEqual(Array(4).fill('/hooks'))
      expect(errors).toEqual([])
    },
  )

  testOnce(
    'FAC-106 what the receiver never wants is given up, what follows is told, and all of it can be sent again',
    async () => {
      receiver.answer = (_, response) => {
        response.statusCode = receiver.tries.length === 1 ? 410 : 200
        response.end()
      }
      const { journal, courier, givenUp } = await make(store, [shop])
      courier.start()
      await journal.final(await settle(journal, '1'))
      await until(() => receiver.got.length === 1)
      expect(receiver.got).toMatchObject([{ type: 'payment.final', sequence: 1 }])
      expect(givenUp).toMatchObject([[{ topic: 'settled' }, '410']])
      expect(await journal.deliveries.dead(10)).toMatchObject([
        { endpoint: 'shop', topic: 'settled', tries: 1, said: '410' },
      ])
      await until(async () => (await journal.deliveries.standing())[0]?.waiting === 0)
      expect(await journal.deliveries.standing()).toEqual([{ endpoint: 'shop', waiting: 0, dead: 1 }])
      expect(await journal.deliveries.revive('other')).toBe(0)
      expect(await journal.deliveries.revive('shop')).toBe(1)
      await until(() => receiver.got.length === 2)
    },
  )

  testOnce('what fails for too long is given up', async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end()
    const delay = (failures: number) => (failures < 3 ? 10 : undefined)
    const { journal, courier, givenUp } = await make(store, [shop], { delay })
    courier.start()
    await settle(journal, '1')
    await until(() => givenUp.length === 1)
    expect(givenUp).toMatchObject([[{ endpoint: 'shop', tries: 2 }, '500']])
    expect(receiver.tries).toHaveLength(3)
  })

  testOnce('everybody is told what is theirs', async () => {
    const [operator, other] = [await startReceiver(), await startReceiver()]
    const { journal, courier } = await make(store, [
      { ...shop, tenant: 'shop', topics: ['final'] },
      { ...shop, id: 'other', url: other.url, tenant: 'other' },
      { ...shop, id: 'operator', url: operator.url },
    ])
    courier.start()
    await journal.final(await settle(journal, '1', 'shop'))
    await settle(journal, '2', 'other')
    await settle(journal, '3')
    await until(() => operator.got.length === 4 && other.got.length === 1 && receiver.got.length === 1)
    expect(receiver.got).toMatchObject([{ type: 'payment.final', sequence: 1 }])
    expect(other.got).toMatchObject([{ pid: paymentId([NETWORK, '2']) }])
  })

  testOnce('one receiver that hangs holds up no other, and a payment that waits holds up no other', async () => {
    const slow = await startReceiver()
    slow.answer = () => {}
    receiver.answer = (request, response) => {
      response.statusCode = receiver.tries[0]?.id === request.headers['webhook-id'] ? 500 : 200
      response.end()
    }
    const { journal, courier } = await make(store, [shop, { ...shop, id: 'slow', url: slow.url }], { timeout: 200 })
    courier.start()
    await settle(journal, '1')
    await until(() => receiver.tries.length > 0)
    for (const nonce of ['2', '3', '4']) await settle(journal, nonce)
    await until(() => receiver.got.length === 3)
  })

  test('C09 two replicas on one journal: nothing twice while nothing fails, and what a dead one had is told by the other', async () => {
    const a = await make(store, [shop], { replica: 'a' })
    const b = await make(store, [shop], { replica: 'b' })
    a.courier.start()
    b.courier.start()
    await Promise.all(Array.from({ length: 12 }, (_, n) => settle(n % 2 ? a.journal : b.journal, `n${n}`)))
    await until(() => receiver.got.length === 12)
    expect(new Set(receiver.tries.map(({ id }) => id)).size).toBe(12)
    expect(receiver.tries).toHaveLength(12)
    await Promise.all([a, b].map(({ courier }) => courier.stop()))

    const c = await make(store, [shop], { replica: 'c' })
    await settle(c.journal, 'last')
    // Taken by one that dies with it: it comes when the lease is over.
    const dead = createJournal({ store, clock: Date.now, replica: 'dead' })
    expect(await dead.deliveries.take('shop', 8, 300)).toHaveLength(1)
    expect(await c.journal.deliveries.take('shop', 8, 300)).toEqual([])
    c.courier.start()
    await until(() => receiver.got.length === 13)
  })
})

test('FAC-108 nothing is told to a private address unless that is allowed', async () => {
  const receiver = await startReceiver()
  const sender = createWebhookSender({ clock: Date.now })
  const message = { id: '1', body: '{}' }
  const { port } = new URL(receiver.url)
  expect(await sender.post({ url: `https://127.0.0.1:${port}/`, secrets: [secret] }, message)).toEqual({
    outcome: 'failed',
    said: 'EHOSTUNREACH',
  })
  expect(receiver.tries).toEqual([])
})

test('FAC-108 endpoints are checked when a facilitator is made', () => {
  const shop: WebhookEndpoint = { id: 'shop', url: 'https://shop.example/hooks', secrets: [secret] }
  createTelling([shop, { ...shop, id: 'tenant.shop' }])
  for (const wrong of [
    [shop, shop],
    [{ ...shop, id: 'A' }],
    [{ ...shop, secrets: ['hunter2'] }],
    [{ ...shop, url: 'http://shop.example' }],
    [{ ...shop, url: 'https://u:p@shop.example' }],
    [{ ...shop, url: 'nowhere' }],
  ] as WebhookEndpoint[][]) {
    expect(() => createTelling(wrong)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  }
})

describe('a whole facilitator', () => {
  const on = useFacilitator()

  test('FAC-106 a tenant is told of its payment; stopped before the receiver takes it, the next process tells', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => void response.writeHead(503).end()
    const endpoints: WebhookEndpoint[] = [{ id: 'shop', tenant: 'shop', url: receiver.url, secrets: [secret] }]
    const webhooks = { endpoints, allowPrivate: true, interval: 50, delay: () => 50 }
    const first = await on.serve({ webhooks })
    const request = await on.pay()
    const settlement = await first.settle(request, { claim: { tenant: 'shop' } })
    expect(settlement.status).toBe('settled')
    await first.settle(await on.pay(), {})
    await until(() => receiver.tries.length > 1)
    await first.stop()
    receiver.answer = (_, response) => void response.end()
    const second = await on.serve({ webhooks })
    await until(() => receiver.got.length >= 1)
    const inspected = second.inspect(request)
    if (!inspected.ok) throw new Error(inspected.code)
    const transaction = settlement.status === 'settled' ? settlement.receipt.transaction : ''
    expect(receiver.got[0]).toMatchObject({
      type: 'payment.settled',
      pid: inspected.pid as Pid,
      amount: 1000n,
      transaction,
    })
    await until(async () => (await second.webhooks()).every(({ waiting }) => waiting === 0))
    expect(new Set(receiver.got.map(({ pid }) => pid))).toEqual(new Set([inspected.pid]))
    await on.expectMoved(2)
  })
})

test('the README checks a signature by hand as others do', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, program = '', printed] = /```js\n(.*createHmac.*)\/\/ (v1,.*)\n```/s.exec(readme) ?? []
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(said).toBe(`${printed}\n`)
})
