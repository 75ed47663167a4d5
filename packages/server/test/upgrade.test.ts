import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { decodeChallenge, decodeReceipt, type PaymentRequirements, X402Error, type X402Event } from '@groat/core'
import {
  type ClaimStore,
  createFacilitatorClient,
  createMemoryClaims,
  type PaywallOptions,
  type RouteInput,
  type VerifiedPayment,
} from '@groat/server'
import { paywall } from '@groat/server/node'
import { createPricing } from '@groat/server/pricing'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer, type WebSocket as WsSocket } from 'ws'
import {
  type FacilitatorStub,
  json,
  receipt,
  refusedSettle,
  refusedVerify,
  startFacilitator,
} from './facilitator-stub.js'
import { listen } from './listen.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

// WebSockets that are sold by the handshake, between a real client and a real server.

type Handshake =
  | { readonly status: 101; readonly socket: WebSocket; readonly response: IncomingMessage }
  | { readonly status: number; readonly socket?: undefined; readonly response: IncomingMessage; readonly text: string }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

type Opened = (socket: WsSocket, payment: VerifiedPayment) => void

async function openShop(
  input: RouteInput,
  {
    onOpen = () => {},
    handle,
    ...options
  }: Partial<PaywallOptions> & { onOpen?: Opened; handle?: 'refuses' | 'throws' } = {},
) {
  const stub: FacilitatorStub = await startFacilitator()
  closers.push(() => stub.close())
  const sockets = new WebSocketServer({ noServer: true })
  sockets.on('headers', (headers) => headers.push('PAYMENT-RESPONSE: forged', 'x-own: kept'))
  const events: X402Event[] = []
  const opened: VerifiedPayment[] = []
  let runs = 0
  let does = handle
  const paid = paywall({
    facilitator: createFacilitatorClient(stub.url),
    payTo: { 'base-sepolia': payTo },
    schemes: [testScheme],
    store: createMemoryClaims({ singleProcess: true }),
    onEvent: (event) => events.push(event),
    ...options,
  })
  const server = createServer((_, response) => response.writeHead(426).end())
  server.on(
    'upgrade',
    paid.upgrade(input, (req, socket, head, payment) => {
      runs += 1
      if (does === 'throws') throw new Error('boom')
      if (does === 'refuses') {
        socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
        return
      }
      sockets.handleUpgrade(req, socket, head, (ws) => {
        opened.push(payment)
        onOpen(ws, payment)
      })
    }),
  )
  const { url, port, close } = await listen(server)
  closers.push(close, async () => {
    for (const each of sockets.clients) each.terminate()
    sockets.close()
  })
  const open = (headers: Record<string, string> = {}): Promise<Handshake> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/feed?x=1`, { headers })
      let response: IncomingMessage
      socket.once('upgrade', (given) => {
        response = given
      })
      socket.once('open', () => {
        closers.push(async () => socket.terminate())
        resolve({ status: 101, socket, response })
      })
      socket.once('error', reject)
      socket.once('unexpected-response', async (_, given: IncomingMessage) => {
        let text = ''
        for await (const chunk of given) text += String(chunk)
        resolve({ status: given.statusCode ?? 0, response: given, text })
      })
    })
  const sign = async (): Promise<Record<string, string>> => headersOf(paymentFor(offerOf(await open())))
  return {
    ...{ stub, events, opened, open, sign, port },
    runs: () => runs,
    mend: () => {
      does = undefined
    },
  }
}

function challengeOf({ response: { headers } }: Handshake) {
  const challenge = decodeChallenge((name) => headers[name.toLowerCase()]?.toString())
  if (challenge?.ok !== true) throw new Error('no challenge')
  return challenge.value
}

function offerOf(handshake: Handshake): PaymentRequirements {
  const [offer] = challengeOf(handshake).accepts
  if (offer === undefined) throw new Error('no offer')
  return offer
}

function receiptIn({ response: { headers } }: Handshake) {
  const found = decodeReceipt((name) => headers[name.toLowerCase()]?.toString())
  return found?.ok ? found.value : undefined
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(holds()).toBe(true)
}

test('SRV-040 a handshake without a payment gets the 402, and nothing of the handler runs', async () => {
  const { open, stub, runs } = await openShop('$0.001')
  const answer = await open()
  expect(answer.status).toBe(402)
  expect(challengeOf(answer)).toMatchObject({ error: 'payment_required', accepts: [{ amount: 1000n }] })
  expect(answer.response.headers).toMatchObject({ 'cache-control': 'no-store', connection: 'close' })
  expect([runs(), stub.calls.verify, stub.calls.settle]).toEqual([0, [], []])
})

test.each(['upfront', 'accepted'] as const)(
  'SRV-040 %s: a paid handshake is settled, then opened, with the receipt in its head, and talks both ways',
  async (mode) => {
    const { open, sign, stub, opened } = await openShop(
      { price: '$0.001', mode },
      {
        onOpen: (ws) => {
          expect(stub.calls.settle).toHaveLength(1)
          ws.send('first')
          ws.on('message', (data) => ws.send(`echo ${String(data)}`))
        },
      },
    )
    const answer = await open(await sign())
    expect(answer.status).toBe(101)
    expect(receiptIn(answer)).toMatchObject({ status: 'settled', receipt: { payer } })
    expect(answer.response.headers['cache-control']).toMatch(/^private/)
    const heard: string[] = []
    answer.socket?.on('message', (data) => heard.push(String(data)))
    answer.socket?.send('hello')
    await until(() => heard.includes('echo hello'))
    expect(opened).toMatchObject([{ payer, amount: 1000n }])
  },
)

test('SRV-041 one payment opens one socket: presented again, while it is open and after, it is refused', async () => {
  const { open, sign, stub, runs } = await openShop('$0.001')
  const headers = await sign()
  const first = await open(headers)
  expect(first.status).toBe(101)
  expect(challengeOf(await open(headers)).error).toBe('payment_already_used')
  first.socket?.close()
  await once(first.socket as WebSocket, 'close')
  expect(challengeOf(await open(headers)).error).toBe('payment_already_used')
  expect([runs(), stub.calls.settle.length]).toEqual([1, 1])
})

test('SRV-041 SRV-004 of 10 copies of a handshake at once one opens', async () => {
  const { open, sign, stub, runs } = await openShop('$0.001')
  const headers = await sign()
  const statuses = (await Promise.all(Array.from({ length: 10 }, () => open(headers)))).map(({ status }) => status)
  expect(statuses.filter((status) => status === 101)).toHaveLength(1)
  expect(statuses.filter((status) => status !== 101).every((status) => status === 402 || status === 409)).toBe(true)
  expect([runs(), stub.calls.settle.length]).toEqual([1, 1])
})

test('SRV-041 a store that cannot write that the socket opens opens none, and the payment stays good', async () => {
  const memory = createMemoryClaims({ singleProcess: true })
  let down = true
  const store: ClaimStore = {
    ...memory,
    delivered: async (...args) => {
      if (down) throw new X402Error('store_unavailable', {})
      return memory.delivered(...args)
    },
  }
  const { open, sign, stub } = await openShop('$0.001', { store })
  const headers = await sign()
  expect((await open(headers)).status).toBe(503)
  down = false
  expect((await open(headers)).status).toBe(101)
  expect(stub.calls.settle).toHaveLength(1)
})

test.each(['refuses', 'throws'] as const)(
  'SRV-041 SRV-025 a handler that %s has delivered nothing: the payment stays owed and costs nothing more',
  async (handle) => {
    const { open, sign, stub, mend } = await openShop('$0.001', { handle })
    const headers = await sign()
    expect((await open(headers)).status).toBe(handle === 'refuses' ? 400 : 500)
    mend()
    let again = await open(headers)
    // The line of the first may not be closed yet.
    for (let i = 0; i < 200 && again.status === 409; i++) again = await open(headers)
    expect(again.status).toBe(101)
    expect(stub.calls.settle).toHaveLength(1)
  },
)

test('SRV-040 a payment that is refused, or whose end is not known, opens nothing', async () => {
  const { open, sign, stub, runs } = await openShop('$0.001')
  stub.does.verify = [refusedVerify()]
  expect(challengeOf(await open(await sign())).error).toBe('invalid_exact_evm_insufficient_balance')
  stub.does.verify = [json(200, { isValid: true, payer })]
  stub.does.settle = [refusedSettle()]
  expect(challengeOf(await open(await sign())).error).toBe('invalid_exact_evm_insufficient_balance')
  stub.does.settle = [json(502, {})]
  expect((await open(await sign())).status).toBe(503)
  expect(runs()).toBe(0)
})

test('SRV-040 accepted: a transaction that was sent opens the socket, which is settled meanwhile, once', async () => {
  const { open, sign, stub, events } = await openShop({ price: '$0.001', mode: 'accepted' })
  const transaction = `0x${'1'.padStart(64, '0')}`
  const sent = { success: false, errorReason: 'settlement_pending', transaction, network: 'eip155:84532' }
  stub.does.settle = [json(200, sent), receipt(transaction)]
  const headers = await sign()
  expect((await open(headers)).status).toBe(101)
  await until(() => events.some(({ type }) => type === 'delivery_released'))
  expect(challengeOf(await open(headers)).error).toBe('payment_already_used')
})

test('SRV-017 what a handler says in the protocol’s headers stays behind, and a handshake that breaks off leaves the server open', async () => {
  const { open, sign, port } = await openShop('$0.001')
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /feed HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
  socket.resetAndDestroy()
  const answer = await open(await sign())
  expect(receiptIn(answer)).toMatchObject({ status: 'settled' })
  expect([answer.response.headers['x-own'], answer.response.headers['payment-response']]).toEqual([
    'kept',
    expect.not.stringContaining('forged'),
  ])
})

test('SRV-035 SRV-033 what is counted ends the socket at the ceiling, between two frames, and charges what left', async () => {
  const settled: bigint[] = []
  const metered = { ...testScheme, metered: true }
  const { open, sign } = await openShop(
    { perByte: '$0.000001', upTo: '$0.0001', mode: 'optimistic', lossBudget: '$1' },
    {
      schemes: [metered],
      pricing: createPricing(),
      facilitator: {
        verify: async () => ({ ok: true, payer }),
        settle: async ({ requirements: { network, amount } }) => {
          settled.push(amount)
          return { status: 'settled', receipt: { payer, network, transaction: '0x1', amount } }
        },
        supported: async () => ({ kinds: [], extensions: [], signers: {} }),
      },
      // 30 bytes and a head of 2 each: the fourth is above 100.
      onOpen: (ws) => {
        for (let i = 0; i < 10; i++) ws.send('x'.repeat(30))
      },
    },
  )
  const headers = await sign()
  const answer = await open(headers)
  const heard: string[] = []
  answer.socket?.on('message', (data) => heard.push(String(data)))
  const [code, reason] = await once(answer.socket as WebSocket, 'close')
  expect([code, String(reason)]).toEqual([1008, 'payment-limit'])
  expect(heard.length).toBeLessThanOrEqual(3)
  await until(() => settled.length === 1)
  expect(settled[0]).toBeLessThanOrEqual(100n)
  expect(settled[0]).toBeGreaterThan(0n)
  expect(challengeOf(await open(headers)).error).toBe('payment_already_used')
})

test('SRV-029 a bundle opens as many sockets as were paid for', async () => {
  const { open, sign, stub } = await openShop({ price: '$0.001', bundle: 2 })
  const first = await open(await sign())
  const token = first.response.headers['payment-entitlement']?.toString().split(';')[0] ?? ''
  expect([first.status, token]).toEqual([101, expect.stringMatching(/./)])
  expect((await open({ 'payment-entitlement': token })).status).toBe(101)
  expect(challengeOf(await open({ 'payment-entitlement': token })).error).toBe('entitlement_used_up')
  expect(stub.calls.settle).toHaveLength(1)
})

test('SRV-040 a socket cannot be sold strictly', async () => {
  await expect(openShop({ price: '$0.001', mode: 'strict' })).rejects.toMatchObject({ code: 'invalid_config' })
})
