import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Facilitator } from '@groat/core'
import { createMemoryClaims } from '@groat/server'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readShopConfig } from '../config/shop-config.js'
import { type Served, serveOn } from '../sandbox/serve.js'
import { createShopApp, type ShopApp } from './shop-app.js'

// A shop whose facilitator refuses everything: what reaches the API is free, or it is a hole.

let folder: string
let api: Server
let shop: Served
let asked: string[] = []
let headers: string[] = []

const nobody: Facilitator = {
  supported: async () => ({ kinds: [], extensions: [], signers: {} }),
  verify: async () => ({ ok: false, code: 'invalid_payload' }),
  settle: async () => ({ status: 'refused', code: 'invalid_payload' }),
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-shop-'))
  api = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    headers = Object.keys(request.headers)
    response.end('served')
  })
  api.listen(0, '127.0.0.1')
  await once(api, 'listening')
  const app = await opened(
    await shopFile(
      'shop.yaml',
      `  GET /api/report: $1
  GET /api/cheap/:name: $0.001
  GET /api/books/:isbn/pages/:page: $0.5
  GET /api/*: free
  GET /public/:name: free`,
    ),
  )
  shop = await serveOn((request, env) => app.fetch(request, env), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await shop?.close()
  api?.closeAllConnections()
  api?.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => {
  asked = []
})

async function shopFile(name: string, routes: string): Promise<string> {
  const file = join(folder, name)
  const { port } = api.address() as AddressInfo
  const text = `upstream: http://127.0.0.1:${port}
facilitator: http://127.0.0.1:1
allow_http: true
payTo: { base-sepolia: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C" }
routes:
${routes}
`
  await writeFile(file, text)
  return file
}

async function opened(file: string): Promise<ShopApp> {
  const config = await readShopConfig(file, {})
  const claims = createMemoryClaims({ singleProcess: true })
  return createShopApp(config, { facilitator: nobody, claims, extensions: [], onEvent: () => {} })
}

/** The status of a request that is sent as it is written. */
async function raw(target: string, method = 'GET', more = ''): Promise<string> {
  const socket = connect(Number(new URL(shop.url).port), '127.0.0.1')
  socket.write(`${method} ${target} HTTP/1.1\r\nhost: shop.example\r\n${more}connection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text.slice(9, 12)
}

test('SEC-020 a free route that takes the requests of a paid one has to stand behind it', async () => {
  const file = await shopFile('shadow.yaml', '  GET /api/*: free\n  GET /api/report: $1')
  await expect(opened(file)).rejects.toThrow(/GET \/api\/\*, which is free/)
})

test('a method that no request can have is not sold by', async () => {
  const file = await shopFile('methods.yaml', '  GETT /api/report: $1')
  await expect(readShopConfig(file, {})).rejects.toThrow(/methods\.yaml:\d+: .*GETT is no method/)
})

test('a shop wants two ports for two listeners, and a database that is opened', async () => {
  const file = await shopFile('places.yaml', '  GET /api/report: $1')
  const text = await readFile(file, 'utf8')
  for (const [more, said] of [
    ['admin: { listen: 127.0.0.1:8402 }', /places\.yaml:1: admin\.listen: 127\.0\.0\.1:8402 is taken by `listen`/],
    ['store: mysql://127.0.0.1/shop', /places\.yaml:1: store: no store of ours is mysql/],
  ] as const) {
    await writeFile(file, `${more}\n${text}`)
    await expect(readShopConfig(file, {})).rejects.toThrow(said)
  }
})

test('what is not sold is not there, in the words of every other refusal', async () => {
  const answer = await fetch(`${shop.url}/nothing`)
  expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
    404,
    'application/problem+json',
    expect.objectContaining({ code: 'not_found', status: 404 }),
  ])
})

test.each([
  '/api/x/../report',
  '/public/../api/report',
  '/public/%2e%2e/api/report',
  '/api/./report',
  'http://shop.example/api/x/../report',
])('SEC-020 dots lead to the path that they lead to: %s', async (target) => {
  expect([await raw(target), asked]).toEqual(['402', []])
})

test.each([
  '/api/report/',
  '/api/Report',
  '/api//report',
  '/api/report;x=1',
  '/api/%72eport%2f',
  '/api/cheap/..%2freport',
  '/public/..%2fapi%2freport',
  '/public/..%252fapi%252freport',
  '/api/books/1/pages/2/',
])('SEC-020 no free or cheaper route takes another spelling of a paid path: %s', async (target) => {
  expect([await raw(target), asked]).toEqual(['404', []])
})

test('SEC-020 what is free and what is paid stay what they are', async () => {
  expect(await raw('/api/report')).toBe('402')
  expect(await raw('/api/cheap/Report')).toBe('402')
  expect(await raw('/api/Books/1')).toBe('200')
  expect(await raw('/api/a%2fb/')).toBe('200')
  expect(await raw('/public/Some%20File.TXT')).toBe('200')
  expect(await raw('/api/books/1/pages/Last')).toBe('402')
  expect(asked).toEqual(['GET /api/Books/1', 'GET /api/a%2fb/', 'GET /public/Some%20File.TXT'])
})

test('no header that speaks in the name of the shop goes through, however its name is spelled', async () => {
  const forged = ['Groat_Payment', 'GROAT-PAYMENT', 'X_Forwarded_For', 'x-http_method-override', 'X_Original_URL']
  const lines = [...forged, 'x_mine'].map((name) => `${name}: forged\r\n`).join('')
  expect(await raw('/public/file', 'GET', lines)).toBe('200')
  expect(headers).toContain('x_mine')
  expect(headers.map((name) => name.replaceAll('_', '-'))).not.toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^(groat-payment|x-forwarded-for|x-http-method-override|x-original-url)$/),
    ]),
  )
})
