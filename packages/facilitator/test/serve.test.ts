import { connect } from 'node:net'
import { encodeFacilitatorRequest, X402Error } from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serveApp } from '../src/http/serve.js'
import {
  createFacilitator,
  createFacilitatorApp,
  type FacilitatorService,
  type Fault,
  type ServedFacilitator,
  serveFacilitator,
} from '../src/index.js'
import { createMetrics } from '../src/observe.js'
import { createFakeScheme, FakeChain, makePayment } from './fake-chain.js'

// What only a socket can show; the rest is in http.test.ts.

let store: Store
let service: FacilitatorService
let served: ServedFacilitator
let faults: Fault[]
let chain: FakeChain

beforeEach(async () => {
  chain = new FakeChain()
  store = await openMemoryStore()
  faults = []
  const onFault = (fault: Fault) => faults.push(fault)
  service = createFacilitator({ schemes: [createFakeScheme(chain)], store, onFault })
  served = await serveFacilitator(service, { port: 0, onFault })
  await service.start()
})
afterEach(async () => {
  await served.close()
  await store.close()
})

/** Says this on a connection and answers with what came back. */
function raw(text: string, { hangsUp = true, port = served.port } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => (hangsUp ? socket.end(text) : socket.write(text)))
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer)).on('error', reject)
  })
}

function request(body: string, ...headers: string[]): string {
  return ['POST /settle HTTP/1.1', 'host: x', 'content-type: application/json', ...headers, '', body].join('\r\n')
}

test.each(['/verify', '/settle'])(
  'what is written to the socket of %s is what the app answers elsewhere',
  async (path) => {
    const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
    const ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const written = await fetch(served.url + path, ask)
    const app = createFacilitatorApp(service)
    // Who puts the app behind something else may change the answer on its way.
    const outer = new Hono().use(async (c, next) => {
      await next()
      c.header('x-mine', 'yes')
    })
    const elsewhere = await serveApp(outer.route('/', app).fetch, { host: '127.0.0.1', port: 0 })
    const answered = await fetch(elsewhere.url + path, ask)
    await elsewhere.close()
    expect(answered.headers.get('x-mine')).toBe('yes')
    const told = (response: Response) =>
      ['cache-control', 'content-type', 'content-length'].map((name) => response.headers.get(name))
    expect(told(written)).toEqual(told(answered))
    expect(await written.json()).toEqual(await answered.json())
  },
)

test('answers on one connection come in the order of what was asked', async () => {
  const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
  const asked = request(body, `content-length: ${Buffer.byteLength(body)}`)
  const last = request(body, 'connection: close', `content-length: ${Buffer.byteLength(body)}`)
  const unknown = request('{}', 'content-length: 2').replace('/settle', '/verify')
  const answer = await raw(asked + unknown + last, { hangsUp: false })
  expect(answer.match(/HTTP\/1.1 \d+|"success":\w+|"isValid":\w+/g)).toEqual([
    'HTTP/1.1 200',
    '"success":true',
    'HTTP/1.1 400',
    '"isValid":false',
    'HTTP/1.1 200',
    '"success":true',
  ])
})

test('what fails after an answer went out is a fault, and costs nobody on that connection an answer', async () => {
  const metrics = {
    ...createMetrics(),
    answered() {
      throw new Error('counts no more')
    },
  }
  const broken = await serveFacilitator(service, { port: 0, onFault: (fault) => faults.push(fault), metrics })
  const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
  const asked = request(body, `content-length: ${Buffer.byteLength(body)}`)
  const last = request(body, 'connection: close', `content-length: ${Buffer.byteLength(body)}`)
  const answer = await raw(asked + last, { hangsUp: false, port: broken.port })
  await broken.close()
  expect(answer.match(/HTTP\/1.1 \d+|"success":\w+/g)).toEqual([
    'HTTP/1.1 200',
    '"success":true',
    'HTTP/1.1 200',
    '"success":true',
  ])
  expect(faults).toMatchObject([{ during: 'http' }, { during: 'http' }])
})

test('a payment settles over a socket, and the listener can be asked while it starts', async () => {
  const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${served.url}/settle`, { method: 'POST', headers, body })
  expect([response.status, await response.json()]).toMatchObject([200, { success: true }])
  const early = createFacilitator({ schemes: [createFakeScheme(chain)], store })
  const listening = await serveFacilitator(early, { port: 0 })
  expect((await fetch(`${listening.url}/readyz`)).status).toBe(503)
  expect((await fetch(`${listening.url}/verify`, { method: 'POST', headers, body })).status).toBe(503)
  expect((await fetch(`${listening.url}/livez`)).status).toBe(200)
  await listening.close()
})

test('H13 a body that is too large is refused, in one piece or in many', async () => {
  const large = 'x'.repeat(70_000)
  expect(await raw(request(large, 'connection: close', `content-length: ${large.length}`))).toContain('HTTP/1.1 413')
  const chunk = 'x'.repeat(8000)
  const chunked = `${Array.from({ length: 10 }, () => `1f40\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
  expect(await raw(request(chunked, 'connection: close', 'transfer-encoding: chunked'))).toContain('HTTP/1.1 413')
})

test('a body that comes in pieces is read to its end', async () => {
  const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
  const asked = request(body, 'connection: close', `content-length: ${Buffer.byteLength(body)}`)
  const answer = await new Promise<string>((resolve, reject) => {
    let text = ''
    const socket = connect(served.port, '127.0.0.1', async () => {
      for (const piece of asked.match(/[\s\S]{1,200}/g) ?? []) {
        socket.write(piece)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })
    socket.setNoDelay().on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(text)).on('error', reject)
  })
  expect(answer).toContain('"success":true')
  expect(faults).toEqual([])
})

test('a caller that hangs up in the middle is nobody’s fault', async () => {
  await raw(request('{"paymentPayload":', 'content-length: 500'))
  expect((await fetch(`${served.url}/livez`)).status).toBe(200)
  expect(faults).toEqual([])
})

test.each([
  ['head', 'POST /settle HTTP/1.1\r\nhost: x'],
  ['body', request('{', 'content-length: 60000')],
])('SEC-004 a %s that does not come to its end is not waited for, however it trickles', async (_, begun) => {
  const hasty = await serveFacilitator(service, { port: 0, requestTimeout: 200 })
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(hasty.port, '127.0.0.1', () => socket.write(begun))
    const trickle = setInterval(() => socket.write('x'), 50)
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    // Where it is closed while it still says something, the connection is reset.
    socket
      .on('error', () => undefined)
      .on('close', () => {
        clearInterval(trickle)
        resolve(text)
      })
    setTimeout(() => reject(new Error('still open')), 10_000).unref()
  })
  expect(answer).toMatch(/^(HTTP\/1\.1 408|$)/)
  await hasty.close()
  expect(faults).toEqual([])
})

test('a port that is taken is a configuration that cannot be', async () => {
  const taken = serveFacilitator(service, { port: served.port })
  await expect(taken).rejects.toSatisfy((error) => X402Error.is(error) && error.code === 'invalid_config')
})

test('LIV-5 closing answers who waits, refuses who comes, and leaves nothing open', async () => {
  chain.automine = false
  const headers = { 'content-type': 'application/json' }
  const settle = () => {
    const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
    return fetch(`${served.url}/settle`, { method: 'POST', headers, body })
  }
  const waiting = settle()
  while (chain.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  const closing = served.close()
  await expect(settle()).rejects.toThrow('fetch failed')
  chain.mine()
  expect(await (await waiting).json()).toMatchObject({ success: true })
  await closing
})
