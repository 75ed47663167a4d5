import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createPayer, type Payer } from '@groat/client'
import { paidSocket } from '@groat/client/websocket'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

// A shop in front of an API that knows nothing of payments, on a real chain.

let sandbox: Sandbox
let folder: string
let upstream: Server
let upstreamUrl: string
let asked: { readonly line: string; readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
const secret = 'a secret of 16 and more'

beforeAll(async () => {
  sandbox = await startSandbox({ demo: false, only: 'evm' })
  folder = await mkdtemp(join(tmpdir(), 'groat-serve-'))
  upstream = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { method, url = '/', headers } = request
    asked.push({ line: `${method} ${url}`, headers, body })
    if (url.startsWith('/base/broken')) response.writeHead(500).end('sorry')
    else if (url.startsWith('/base/slow')) return
    else if (url.startsWith('/base/feed')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      setTimeout(() => response.end('data: 2\n\n'), 20)
    } else if (url.startsWith('/base/moved')) response.writeHead(302, { location: '/elsewhere' }).end()
    else {
      response.writeHead(200, { 'PAYMENT-RESPONSE': 'forged', 'content-type': 'text/plain', 'set-cookie': 'a=1' })
      response.end(`${method} ${url} ${body}`)
    }
  })
  const sockets = new WebSocketServer({ noServer: true })
  sockets.on('headers', (headers) => headers.push('PAYMENT-RESPONSE: forged', 'set-cookie: a=1'))
  upstream.on('upgrade', (request, socket, head) => {
    const { method, url = '/', headers } = request
    asked.push({ line: `${method} ${url}`, headers, body: '' })
    if (refusesSockets) socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 5\r\nconnection: close\r\n\r\nsorry')
    else {
      sockets.handleUpgrade(request, socket, head, (ws) => {
        ws.send('hello')
        ws.on('message', (data) => ws.send(`echo ${String(data)}`))
      })
    }
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/base/`
})
afterAll(async () => {
  upstream?.closeAllConnections()
  upstream?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

let stop: (() => Promise<void>) | undefined
let count = 0
let refusesSockets = false
beforeEach(() => {
  asked = []
  refusesSockets = false
})
afterEach(async () => {
  await stop?.()
  stop = undefined
})

const routes = `
  GET /weather: $0.001
  POST /order: { price: $0.002, description: An order }
  GET /broken: $0.001
  GET /slow: $0.001
  GET /moved: $0.001
  GET /feed: { price: $0.001, mode: upfront, streams: true }
  GET /search: { price: $0.01, bundle: 3 }
  GET /health: free`

const configure = async (more = '', sold = routes, before?: string): Promise<string> => {
  const file = before ?? join(folder, `shop-${++count}.yaml`)
  await writeFile(
    file,
    `listen: 127.0.0.1:0
upstream: ${upstreamUrl}
upstream_timeout: 1
upstream_secret: "\${SECRET}"
facilitator: ${sandbox.ready.facilitator.url}
payTo: { base-sepolia: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C" }
store: ${basename(file, '.yaml')}.db
${more}
routes:${sold}
`,
  )
  return file
}

const open = async (
  file: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ url: string; io: ReturnType<typeof recordedIo> }> => {
  const io = recordedIo({ environment: { SECRET: secret, RECEIPT_KEY: `0x${'11'.repeat(32)}`, ...more } })
  const end = runCli(['serve', file], io)
  stop = async () => {
    io.stop()
    await end
  }
  return { url: JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())])).ready.url, io }
}

const payer = (): Payer =>
  createPayer({
    schemes: [exactEvm({ account: privateKeyAccount(keyOf('payer')) })],
    policy: { perPayment: '$0.05', networks: ['base-sepolia'] },
  })

const keyOf = (role: string): `0x${string}` => {
  const key = sandbox.ready.accounts.find((account) => account.role === role)?.evm?.privateKey
  if (key === undefined) throw new Error(`no ${role}`)
  return key as `0x${string}`
}

test.each(['listen', 'admin.listen'])('a port that is taken is said with its field, %s', async (field) => {
  const taken = new URL(sandbox.ready.facilitator.url).host
  const file = await configure(field === 'listen' ? '' : `admin: { listen: "${taken}" }`)
  if (field === 'listen') await writeFile(file, (await readFile(file, 'utf8')).replace('127.0.0.1:0', taken))
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', file], io)).toBe(3)
  expect(io.said()).toContain(`is taken\n  Stop what listens there, or write another as \`${field}\` in the file.\n`)
})

test('an API is sold as it is, and learns who paid', async () => {
  const { url } = await open(await configure())
  const unpaid = await fetch(`${url}/weather?city=Rome`)
  expect([unpaid.status, asked]).toEqual([402, []])
  const answer = await payer().fetch(`${url}/weather?city=Rome`, {
    headers: { 'groat-payment': 'forged', 'x-forwarded-for': '1.2.3.4' },
  })
  expect([answer.status, await answer.text()]).toEqual([200, 'GET /base/weather?city=Rome '])
  expect(answer.headers.get('PAYMENT-RESPONSE')).not.toBe('forged')
  expect(answer.headers.getSetCookie()).toEqual(['a=1'])
  const [only] = asked
  expect(asked).toHaveLength(1)
  expect(only?.headers['payment-signature']).toBeUndefined()
  expect(only?.headers['x-forwarded-for']).toBeUndefined()
  const [text = '', mark] = String(only?.headers['groat-payment']).split('.')
  expect(createHmac('sha256', secret).update(text).digest('hex')).toBe(mark)
  const evm = sandbox.ready.accounts.find(({ role }) => role === 'payer')?.evm
  expect(JSON.parse(Buffer.from(text, 'base64url').toString())).toMatchObject({
    payer: evm?.address.toLowerCase(),
    amount: '1000',
    method: 'GET',
    path: '/weather',
  })
})

test('a body goes through, and a redirect is not followed', async () => {
  const { url } = await open(await configure())
  const order = await payer().fetch(`${url}/order`, { method: 'POST', body: '{"a":1}' })
  expect([order.status, await order.text()]).toEqual([200, 'POST /base/order {"a":1}'])
  const moved = await payer().fetch(`${url}/moved`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([302, '/elsewhere'])
})

test('SRV-006 an API that fails, hangs or is down is not charged for', async () => {
  const { url } = await open(await configure())
  const broken = await payer().fetch(`${url}/broken`)
  expect([broken.status, await broken.text(), broken.headers.get('PAYMENT-RESPONSE')]).toEqual([500, 'sorry', null])
  const slow = await payer().fetch(`${url}/slow`)
  expect([slow.status, slow.headers.get('PAYMENT-RESPONSE')]).toEqual([504, null])
})

test('an event stream leaves as it comes, once it is paid for', async () => {
  const { url } = await open(await configure())
  const answer = await payer().fetch(`${url}/feed`)
  expect([answer.status, await answer.text()]).toEqual([200, 'data: 1\n\ndata: 2\n\n'])
})

test('a bundle is bought once', async () => {
  const { url } = await open(await configure())
  const first = await payer().fetch(`${url}/search`)
  const token = first.headers.get('PAYMENT-ENTITLEMENT') ?? ''
  expect([first.status, token.split('; ')[1]]).toEqual([200, 'left=2'])
  const second = await fetch(`${url}/search?q=2`, { headers: { 'PAYMENT-ENTITLEMENT': token } })
  expect([second.status, await second.text()]).toEqual([200, 'GET /base/search?q=2 '])
  expect(asked.at(-1)?.headers['payment-entitlement']).toBeUndefined()
})

test('what is free is free, and what is not listed is not there', async () => {
  const { url } = await open(await configure())
  expect(await (await fetch(`${url}/health`)).text()).toBe('GET /base/health ')
  expect((await fetch(`${url}/secret`)).status).toBe(404)
  expect((await fetch(`${url}/weather`, { method: 'POST' })).status).toBe(404)
  expect(asked.map(({ line }) => line)).toEqual(['GET /base/health'])
})

test('SEC-020 where the rest is free, no spelling of a paid path is', async () => {
  const { url } = await open(await configure('rest: free'))
  expect((await fetch(`${url}/about`)).status).toBe(200)
  expect((await fetch(`${url}/weather`, { method: 'POST' })).status).toBe(200)
  asked = []
  const { port } = new URL(url)
  const spellings = [
    '/weather/',
    '/WEATHER',
    '//weather',
    '/./weather',
    '/x/../weather',
    '/%77eather',
    '/%2577eather',
    '/weather%2F',
    '/weather%00',
    '/weather;a=1',
    '/weather.',
    '/weather%20',
    '/%2e/weather',
    '/x%2f..%2fweather',
    '/x\\..\\weather',
    '/%5cweather',
  ]
  for (const method of ['GET', 'HEAD']) {
    for (const target of spellings) {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('data', () => {})
      socket.write(
        `${method} ${target} HTTP/1.1\r\nHost: shop\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n`,
      )
      await once(socket, 'close')
    }
  }
  expect(asked.map(({ line }) => line)).toEqual([])
  await fetch(`${url}/about`, { headers: { 'X-HTTP-Method-Override': 'POST' } })
  expect(asked.at(-1)?.headers['x-http-method-override']).toBeUndefined()
})

test('a file that changes is read again, and one that is wrong is not taken', async () => {
  const file = await configure()
  const { url, io } = await open(file)
  const said = async (words: string): Promise<void> => {
    for (let i = 0; i < 500 && !io.said().includes(words); i++) await new Promise((done) => setTimeout(done, 20))
    expect(io.said()).toContain(words)
  }
  await writeFile(file, 'routes: {}')
  await said('was not taken')
  expect((await fetch(`${url}/weather`)).status).toBe(402)
  await configure('', '\n  GET /news: $0.003', file)
  await said('was read again')
  expect((await fetch(`${url}/news`)).status).toBe(402)
  expect((await fetch(`${url}/weather`)).status).toBe(404)
})

test.each([
  [
    'listen',
    (text: string) => text.replace('127.0.0.1:0', '127.0.0.1:1'),
    /:1: listen: changes only when groat serve is started again/,
  ],
  ['store', (text: string) => text.replace(/store: .*/, 'store: other.db'), /:\d+: store: changes only when/],
  ['admin', (text: string) => `${text}\nadmin: { listen: 127.0.0.1:0 }\n`, /:\d+: admin.listen: changes only when/],
])(
  'a change of %s is not taken while the shop runs, with its line, nor is anything else of that file',
  async (_, change, said) => {
    const file = await configure()
    const { url, io } = await open(file)
    const next = await readFile(file, 'utf8').then((text) =>
      text.replace(routes, '\n  GET /weather: $0.001\n  GET /news: $0.003'),
    )
    await writeFile(file, change(next))
    await expect.poll(() => io.said(), { timeout: 10_000 }).toMatch(said)
    expect(io.said()).toContain('changed and was not taken')
    const statuses = await Promise.all(['/weather', '/news'].map(async (path) => (await fetch(url + path)).status))
    expect(statuses).toEqual([402, 404])
    // Without it the file is taken.
    await writeFile(file, next)
    await expect.poll(() => io.said(), { timeout: 10_000 }).toContain('was read again')
    expect((await fetch(`${url}/news`)).status).toBe(402)
  },
)

test('what events are sent to changes with the file', async () => {
  const told: string[] = []
  const hook = createServer(async (request, response) => {
    for await (const part of request) told.push(String(part))
    response.end()
  })
  hook.listen(0, '127.0.0.1')
  await once(hook, 'listening')
  const file = await configure()
  const { url, io } = await open(file)
  const at = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`
  const webhook = `webhook: { url: "${at}", secret: sixteen characters, allow_private: true }\nsettlement_fee: $0.0001\n`
  await writeFile(file, `${await readFile(file, 'utf8')}\n${webhook}`)
  await expect.poll(() => io.said(), { timeout: 10_000 }).toContain('was read again')
  const paid = await payer().fetch(`${url}/weather`)
  expect(paid.status).toBe(200)
  await expect.poll(() => told.join('\n'), { timeout: 15_000 }).toContain('payment_settled')
  hook.closeAllConnections()
  hook.close()
})

test('a file whose facilitator takes its time does not take the place of a newer one', async () => {
  const file = await configure()
  const { url, io } = await open(file)
  const said = (words: string) => expect.poll(() => io.said(), { timeout: 10_000 }).toContain(words)
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let isAsked = false
  const slow = createServer(async (_, response) => {
    isAsked = true
    await released
    const answer = await fetch(`${sandbox.ready.facilitator.url}/supported`)
    response.setHeader('content-type', 'application/json').end(await answer.text())
  })
  slow.listen(0, '127.0.0.1')
  await once(slow, 'listening')
  const text = await readFile(await configure('', '\n  GET /old: $0.001'), 'utf8')
  const slowUrl = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
  const stale = text.replace(/store: .*/, `store: ${basename(file, '.yaml')}.db`)
  await writeFile(file, stale.replace(sandbox.ready.facilitator.url, slowUrl))
  await expect.poll(() => isAsked, { timeout: 10_000 }).toBe(true)
  await configure('', '\n  GET /news: $0.003', file)
  await said('was read again\n')
  release()
  await said('has changed since')
  expect((await fetch(`${url}/news`)).status).toBe(402)
  expect((await fetch(`${url}/old`)).status).toBe(404)
  slow.closeAllConnections()
  slow.close()
})

test.each([
  ['rest: maybe', routes, /shop-\d+\.yaml:\d+: rest/],
  ['', '\n  /weather: $1', /routes.\/weather: a route is a method and a path/],
  ['', '\n  GET /weather: { price: $1, bundel: 3 }', /:\d+: routes.GET \/weather/],
  ['', '\n  GET /weather: cheap', /invalid_price|not a price|price/i],
  ['', '\n  GET /weather: { price: $1, streams: true }', /strict|upfront/],
  ['lisen: x', routes, /lisen: unknown field/],
  ['admin: { listen: 0.0.0.0:0 }', routes, /admin.*a listener that others reach needs tokens/],
  [
    '',
    '\n  GET /a: { price: $1, builder-code: { a: app } }',
    /builder-code: unknown field; .*extensions: \{ builder-code: … \}/,
  ],
  ['', '\n  GET /a: { price: $1, extensions: { groat-compliance: { asks: [country] } } }', /:10: .*needs `seller:/],
  ['', '\n  GET /chat:\n    price: $1\n    times: [{ 2: "query_lenth > 1" }]', /:12: routes\.GET \/chat.*query_lenth/],
  ['', '\n  GET /live: { price: $1, websocket: true, mode: strict }', /:10: routes\.GET \/live.*mode/],
  ['', '\n  POST /live: { price: $1, websocket: true }', /:10: routes\.POST \/live.*GET/],
  [
    '',
    '\n  GET /live: { price: $1, mode: upfornt }',
    /:10: routes\.GET \/live\.mode: expected strict, upfront, accepted or optimistic/,
  ],
  ['', '\n  GET /a: { price: $1, mode: upfront, refund: on-failure }', /:10: routes\.GET \/a\.refund: .*`refunds`/],
  [
    '',
    `\n  GET /a: { price: $1, offers: [{ network: base-sepolia, pay_to: "0x70987970C51812dc3A010C7d01b50e0d17dc79C8" }] }`,
    /:10: routes\.GET \/a\.offers\.0\.pay_to: .*EIP-55/,
  ],
  ['settlement_fee: one', routes, /settlement_fee: expected a price/],
  ['refunds: { approve_above: one }', routes, /:\d+: refunds\.approve_above: expected a price/],
  ['fiat: { currency: USD, rates: { USDC: 1.0.0 } }', routes, /:\d+: fiat\.rates\.USDC: expected a number/],
  ['webhook: { url: "http://shop.example", secret: sixteen-and-more }', routes, /:\d+: webhook\.url: .*allow_private/],
  ['', '\n  GET /chat:\n    per_cycle: $0.1', /:11: routes\.GET \/chat.*up_to: what is charged by use needs a ceiling/],
  ['', '\n  GET /chat:\n    price: $1\n    free: { calls: 3, every: soon }', /:1[0-9]: routes\.GET \/chat/],
])('what is wrong in a file is said with its line or route: %s', async (more, sold, said) => {
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', '--check', await configure(more, sold)], io)).toBe(2)
  expect(io.said()).toMatch(said)
})

test('who is paid is said as everything else in the file, or as in the code, and not in both', async () => {
  const check = async (file: string) => {
    const io = recordedIo({ environment: { SECRET: secret } })
    return [await runCli(['serve', '--check', file], io), io.said()]
  }
  const file = await configure('', '\n  GET /weather: $0.001')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('payTo', 'pay_to'))
  expect(await check(file)).toEqual([0, expect.stringContaining('is valid')])
  await writeFile(file, text.replace('payTo:', 'pay_to: {}\npayTo:'))
  expect(await check(file)).toEqual([2, expect.stringContaining('payTo: is another word for `pay_to`')])
  await writeFile(file, text.replace(/payTo:.*/, ''))
  expect(await check(file)).toEqual([2, expect.stringContaining('pay_to: is missing')])
  await writeFile(
    file,
    text.replace(/payTo:.*/, 'pay_to: { base-sepolia: "0x70987970C51812dc3A010C7d01b50e0d17dc79C8" }'),
  )
  expect(await check(file)).toEqual([2, expect.stringMatching(/pay_to\.base-sepolia: .*EIP-55/)])
})

test('every way to price is said in the file in the words of the code', async () => {
  const sold = `
  GET /a: { price: $0.01, times: [{ 2: "query_length > 1000" }, { 1.5: 'header["x-render"] == "yes"' }] }
  GET /b: { price: $0.01, free: { calls: 3, every: 1d, by: 'header["x-api-key"]' } }
  GET /c: { price: $0.01, free: 3 }
  POST /d: { per_token: { input: $0.000002, output: $0.00001 }, up_to: $0.05 }
  GET /e: { per_minute: { price: $0.01, minimum: 2 }, up_to: $1 }
  GET /f: { per_millisecond: $0.0000001, up_to: $0.10, mode: optimistic, loss_budget: $5, streams: true }
  GET /g: { per_gigabyte: $0.10, up_to: $1 }
  GET /h: { price: $0.001, per_byte: $0.00000001, up_to: $1, prepaid: $5 }
  GET /i: { per_cycle: $0.0001, up_to: $0.01, offers: [{ network: base-sepolia, price: $0.02, scheme: upto }] }
  GET /j: { bundle: 10, price: $0.01 }
  GET /k: { pass: 1h, price: $0.50 }`
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', '--check', await configure('', sold)], io)).toBe(0)
  expect(io.said()).toContain('is valid: 11 routes')
})

test('a file with one route has one route', async () => {
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', '--check', await configure('', '\n  GET /weather: $0.001')], io)).toBe(0)
  expect(io.said()).toMatch(/is valid: 1 route$/m)
})

test('the first calls are free, and a condition multiplies', async () => {
  const sold = `
  GET /weather: { price: $0.001, free: 2, times: [{ 3: query_length > 10 }] }`
  const { url } = await open(await configure('', sold))
  const statuses = []
  for (let i = 0; i < 3; i++) statuses.push((await fetch(`${url}/weather`)).status)
  expect(statuses).toEqual([200, 200, 402])
  const asked = await fetch(`${url}/weather?where=everywhere`)
  const [offer] = JSON.parse(await asked.text()).accepts
  expect(offer.maxAmountRequired).toBe('3000')
})

test('a good file is said to be good without asking anybody, and has a schema for editors', async () => {
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', '--check', await configure()], io)).toBe(0)
  expect(io.said()).toContain('is valid: 8 routes')
  const schema = recordedIo()
  expect(await runCli(['serve', '--schema'], schema)).toBe(0)
  expect(JSON.parse(schema.written())).toMatchObject({
    type: 'object',
    required: expect.arrayContaining(['upstream', 'routes']),
  })
})

test('EXT-SIGN-001, EXT-OFFER-001 sign-ins and signed offers are words of the file', async () => {
  const more = `origin: https://shop.example
receipts: { evm_key: "\${RECEIPT_KEY}" }`
  const sold = `
  GET /search: { price: $0.01, bundle: 3, extensions: { sign-in-with-x: { statement: Use it }, offer-receipt: { transaction: true } } }`
  const { url } = await open(await configure(more, sold))
  const challenge = await fetch(`${url}/search`)
  expect(JSON.parse(atob(challenge.headers.get('payment-required') ?? '')).extensions).toMatchObject({
    'sign-in-with-x': { info: { domain: 'shop.example', statement: 'Use it' } },
    'offer-receipt': {
      info: { offers: [{ format: 'eip712', payload: { resourceUrl: 'https://shop.example/search' } }] },
    },
  })
})

test('EXT-OFFER-001 EXT-BIND-001 EXT-COMPLY-001 EXT-REFUND-001 keys under a DID, bindings, fields of payers and refunds are words of the file', async () => {
  const jwk = {
    kty: 'OKP',
    crv: 'Ed25519',
    d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  }
  const more = `origin: https://shop.example
receipts: { kid: "did:web:shop.example#key-1", alg: EdDSA, jwk: "\${RECEIPT_JWK}" }
seller: { name: Weather Ltd, country: IE }
refunds: { evm_key: "\${RECEIPT_KEY}", requests: { window_days: 7, partial: false } }`
  const sold = `
  GET /search: { price: $0.01, extensions: { offer-receipt: true, groat-request-binding: { headers: [Content-Type] }, groat-compliance: { asks: [country] }, groat-refund: true } }`
  const { url } = await open(await configure(more, sold), { RECEIPT_JWK: JSON.stringify(jwk) })
  const challenge = await fetch(`${url}/search`)
  const { extensions } = JSON.parse(atob(challenge.headers.get('payment-required') ?? ''))
  expect(extensions).toMatchObject({
    'groat-request-binding': { info: { required: true, headers: ['content-type'] } },
    'groat-compliance': { info: { asks: ['country'], seller: { name: 'Weather Ltd', country: 'IE' } } },
    'groat-refund': { info: { windowSeconds: 7 * 86_400, partial: false } },
    'offer-receipt': { info: { offers: [{ format: 'jws' }] } },
  })
  const [header = ''] = extensions['offer-receipt'].info.offers[0].signature.split('.')
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
    alg: 'EdDSA',
    kid: 'did:web:shop.example#key-1',
  })
  const asked = await fetch(`${url}/.well-known/x402-refund`, { method: 'POST', body: '{}' })
  expect([asked.status, await asked.json()]).toMatchObject([400, { status: 'denied', code: 'refund_request_invalid' }])
})

test('EXT-ID-014 a retry that is signed anew is charged once, by the shop’s own database', async () => {
  const sold = `
  POST /order: { price: $0.002, extensions: { payment-identifier: { required: true }, builder-code: { a: shop_app } } }`
  const { url } = await open(await configure('', sold))
  const account = privateKeyAccount(keyOf('payer'))
  const policy = { perPayment: '$0.05', networks: ['base-sepolia'] }
  const buy = async (body: string) => {
    // Each time a payer that knows nothing of the others, as after a crash without a disk.
    const named = createPayer({ schemes: [exactEvm({ account })], policy, extensions: [identifiedPayments()] })
    return named.fetch(`${url}/order`, { method: 'POST', body, idempotencyKey: 'order-7' })
  }
  const answers = [await buy('one'), await buy('one'), await buy('two')]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 409])
  expect(asked.map(({ body }) => body)).toEqual(['one'])
})

test('a file that declares receipts without a key does not start, and says where', async () => {
  const file = await configure(
    'origin: https://shop.example',
    `\n  GET /a: { price: $0.01, extensions: { offer-receipt: true } }`,
  )
  const io = recordedIo({ environment: { SECRET: secret } })
  expect(await runCli(['serve', '--check', file], io)).not.toBe(0)
})

const openSocket = (url: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; text: string; headers: IncomingHttpHeaders; socket?: WebSocket; heard: string[] }>(
    (resolve, reject) => {
      const socket = new WebSocket(url.replace('http', 'ws'), { headers })
      const heard: string[] = []
      let given: IncomingHttpHeaders = {}
      socket.on('message', (data) => heard.push(String(data)))
      socket.once('upgrade', (response) => {
        given = response.headers
      })
      socket.once('open', () => resolve({ status: 101, text: '', headers: given, socket, heard }))
      socket.once('error', reject)
      socket.once('unexpected-response', async (_, response) => {
        let text = ''
        for await (const chunk of response) text += String(chunk)
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers, heard })
      })
    },
  )

/** Headers with a payment for what a handshake was asked to pay. */
const payFor = async ({ status, headers, text }: Awaited<ReturnType<typeof openSocket>>, url: string) => {
  let sent: Headers | undefined
  const buyer = createPayer({
    schemes: [exactEvm({ account: privateKeyAccount(keyOf('payer')) })],
    policy: { perPayment: '$0.05', networks: ['base-sepolia'] },
    fetch: async (input, init) => {
      const request = new Request(input, init)
      if (!request.headers.has('PAYMENT-SIGNATURE'))
        return new Response(text, { status, headers: { 'PAYMENT-REQUIRED': String(headers['payment-required']) } })
      sent = request.headers
      return new Response('sent')
    },
  })
  await buyer.fetch(url).catch(() => {})
  return { 'PAYMENT-SIGNATURE': sent?.get('PAYMENT-SIGNATURE') ?? '' }
}

test('SRV-040 SRV-041 a socket of the API is sold by its handshake: once for one payment, and owed until the API opens it', async () => {
  const { url } = await open(await configure('', `${routes}\n  GET /live/:name: { price: $0.002, websocket: true }`))
  const live = `${url}/live/a?x=1`
  const unpaid = await openSocket(live)
  expect([unpaid.status, asked]).toEqual([402, []])
  const headers = await payFor(unpaid, live)
  refusesSockets = true
  expect(await openSocket(live, headers)).toMatchObject({ status: 403, text: 'sorry' })
  refusesSockets = false
  let opened = await openSocket(live, headers)
  for (let i = 0; i < 200 && opened.status === 409; i++) opened = await openSocket(live, headers)
  expect(opened.status).toBe(101)
  expect(JSON.parse(atob(String(opened.headers['payment-response'])))).toMatchObject({ success: true })
  expect(opened.headers['set-cookie']).toEqual(['a=1'])
  opened.socket?.send('one')
  for (let i = 0; i < 500 && opened.heard.length < 2; i++) await new Promise((done) => setTimeout(done, 10))
  expect(opened.heard).toEqual(['hello', 'echo one'])
  expect(asked.at(-1)?.line).toBe('GET /base/live/a?x=1')
  expect(asked.at(-1)?.headers['payment-signature']).toBeUndefined()
  const [text = ''] = String(asked.at(-1)?.headers['groat-payment']).split('.')
  expect(JSON.parse(Buffer.from(text, 'base64url').toString())).toMatchObject({ amount: '2000', path: '/live/a' })
  expect((await openSocket(live, headers)).status).toBe(402)
  opened.socket?.close()
  await once(opened.socket as WebSocket, 'close')
  expect((await openSocket(live, headers)).status).toBe(402)
  expect(asked).toHaveLength(2)
})

test('SRV-040 a buyer opens a socket and pays at the handshake, once; what is said at once is heard', async () => {
  const { url } = await open(await configure('', `${routes}\n  GET /live: { price: $0.002, websocket: true }`))
  const live = `${url.replace('http', 'ws')}/live`
  const payerUpTo = (perPayment: string) =>
    createPayer({
      schemes: [exactEvm({ account: privateKeyAccount(keyOf('payer')) })],
      policy: { perPayment, networks: ['base-sepolia'] },
    })
  const dial = (to: string, headers: Readonly<Record<string, string>>) => new WebSocket(to, { headers })

  const poor = payerUpTo('$0.001')
  const refused = await paidSocket(poor, live, dial)
  expect([refused.socket, refused.response.status, poor.outcome(refused.response)]).toMatchObject([
    undefined,
    402,
    { status: 'unpaid' },
  ])
  expect(asked).toEqual([])

  const payer = payerUpTo('$0.05')
  const { socket, response } = await paidSocket(payer, live, dial)
  const heard: string[] = []
  socket?.on('message', (data) => heard.push(String(data)))
  expect([response.status, payer.receipt(response)]).toMatchObject([200, { amount: 2_000n }])
  socket?.send('one')
  for (let i = 0; i < 500 && heard.length < 2; i++) await new Promise((done) => setTimeout(done, 10))
  expect(heard).toEqual(['hello', 'echo one'])
  socket?.close()
  await once(socket as WebSocket, 'close')

  refusesSockets = true
  const sorry = await paidSocket(payer, live, dial)
  expect([sorry.socket, sorry.response.status, await sorry.response.text()]).toEqual([undefined, 403, 'sorry'])
  refusesSockets = false
  // Nobody listens there, so nothing is asked for and nothing is paid.
  await expect(paidSocket(payer, 'ws://127.0.0.1:1/', dial)).rejects.toThrow('ECONNREFUSED')
  await expect(paidSocket(payer, `${url}/live`, dial)).rejects.toThrow('invalid_config')
  const stopped = AbortSignal.abort(new Error('changed my mind'))
  await expect(paidSocket(payer, live, dial, { signal: stopped })).rejects.toThrow('changed my mind')
})

test('SRV-040 no other route lets an upgrade through, and a request that asks for one is the request that it is', async () => {
  const { url } = await open(await configure('', `${routes}\n  GET /live: { price: $0.002, websocket: true }`))
  expect((await fetch(`${url}/live`)).status).toBe(426)
  const statuses = { '/weather': 402, '/secret': 404, '/LIVE': 404, '/%6cive': 426, '//live': 404 }
  for (const [path, status] of Object.entries(statuses)) {
    expect([path, (await openSocket(url + path)).status]).toEqual([path, status])
  }
  expect(asked).toEqual([])
  expect(await openSocket(`${url}/health`)).toMatchObject({ status: 200, text: 'GET /base/health ' })
  expect(asked.at(-1)?.headers.upgrade).toBeUndefined()
})
