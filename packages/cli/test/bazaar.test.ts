import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { type EvmChain, startEvmChain } from '@groat/sandbox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'

// A facilitator with a catalogue and a shop that says how it is called, both from files, on a real chain.

let chain: EvmChain
let folder: string
let upstream: Server
let facilitator: string
let shop: string
let shopFile: string
const stops: (() => Promise<unknown>)[] = []

async function start(command: string, file: string, environment: Record<string, string> = {}): Promise<string> {
  const io = recordedIo({ environment })
  const end = runCli([command, file], io)
  stops.push(async () => {
    io.stop()
    await end
  })
  return JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())])).ready.url
}

const run = async (...args: string[]) => {
  const io = recordedIo()
  const code = await runCli(args, io)
  return { code, out: io.written(), said: io.said() }
}

beforeAll(async () => {
  chain = await startEvmChain()
  folder = await mkdtemp(join(tmpdir(), 'groat-bazaar-'))
  upstream = createServer((_, response) => response.end('{"temperature":11}'))
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const file = join(folder, 'pay.yaml')
  await writeFile(
    file,
    `listen: 127.0.0.1:0
store: pay.db
networks:
  base-sepolia: { rpc: [${chain.rpcUrl}], signers: ["\${KEY}"] }
bazaar: { allow_private: true }
`,
  )
  facilitator = await start('facilitator', file, { KEY: chain.account('facilitator').privateKey })
  shopFile = join(folder, 'shop.yaml')
  await writeFile(
    shopFile,
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}/
facilitator: ${facilitator}
payTo: { base-sepolia: "${chain.account('seller').address}" }
store: shop.db
origin: https://shop.example
bazaar: true
describe: { title: Weather shop, description: Weather of cities, agent: https://shop.example/a2a }
routes:
  GET /weather/:city:
    price: $0.001
    description: Weather of a city
    tags: [weather]
    bazaar: { query: { type: object, properties: { max_days: { type: integer, minimum: 1 } } } }
  POST /order: { price: $0.002, bazaar: false }
  GET /live: { price: $0.003, websocket: true, description: What happens }
  GET /health: free
`,
  )
  shop = await start('serve', shopFile)
})
afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
  upstream?.close()
  await chain?.stop()
  await rm(folder, { recursive: true, force: true })
})

test('DESC-001 a shop serves what describes it, and groat describe writes the same', async () => {
  const openApi = await (await fetch(`${shop}/openapi.json`)).json()
  expect(Object.keys(openApi.paths)).toEqual(['/weather/{city}', '/order', '/live', '/health'])
  // A socket is a GET that is a handshake: it has no answer of 200.
  const live = openApi.paths['/live'].get
  expect([Object.keys(live.responses), live['x-websocket'], live['x-x402'].accepts[0].amount]).toEqual([
    ['101', '402', '426'],
    true,
    '3000',
  ])
  const manifest = await (await fetch(`${shop}/.well-known/x402`)).json()
  expect(manifest.resources).toContain('https://shop.example/live')
  expect(await (await fetch(`${shop}/llms.txt`)).text()).toContain(
    '- `GET /live` (WebSocket: pay at the handshake): What',
  )
  expect(openApi.paths['/weather/{city}'].get.parameters[1]).toEqual({
    name: 'max_days',
    in: 'query',
    required: false,
    schema: { type: 'integer', minimum: 1 },
  })
  expect(openApi.paths['/order'].post['x-x402'].extensions).toEqual([])
  const out = join(folder, 'site')
  expect((await run('describe', shopFile, '--out', out)).code).toBe(0)
  expect((await readdir(join(out, '.well-known'))).sort()).toEqual([
    'agent-card.json',
    'api-catalog',
    'x402',
    'x402.json',
  ])
  expect(JSON.parse(await readFile(join(out, 'openapi.json'), 'utf8'))).toEqual(openApi)
  expect(Object.keys(JSON.parse((await run('describe', shopFile)).out))).toContain('/llms.txt')
  const found = await run('find', 'city', '--site', shop, '--json')
  expect(JSON.parse(found.out)).toMatchObject({
    url: 'https://shop.example/weather/{city}',
    source: 'well-known',
    offers: [{ offer: { amount: '1000' } }],
  })
})

test('BAZAAR-050 a paid route is listed, found and explained; groat listed says why the others are not', async () => {
  // What the world knows by its name listens here.
  const reach = async (input: string | URL | Request, init?: RequestInit) => {
    const asked = new Request(input, init)
    const answer = await fetch(new Request(asked.url.replace('https://shop.example', shop), asked))
    return new Response(answer.body, answer)
  }
  const payer = createPayer({
    fetch: reach,
    schemes: [exactEvm({ account: privateKeyAccount(chain.account('payer').privateKey) })],
  })
  expect((await payer.fetch('https://shop.example/weather/oslo')).status).toBe(200)
  expect((await payer.fetch('https://shop.example/order', { method: 'POST', body: '{}' })).status).toBe(200)
  await expect
    .poll(async () => (await run('listed', 'https://shop.example/weather/rome', '--catalogue', facilitator)).code, {
      timeout: 20_000,
    })
    .toBe(0)
  const found = await run('find', 'weather', '--catalogue', facilitator, '--json')
  expect(JSON.parse(found.out)).toMatchObject({
    url: 'https://shop.example/weather/:city',
    source: 'bazaar',
    // Nobody has said what it is but whoever paid.
    description: '',
    offers: [],
  })
  const order = await run('listed', 'https://shop.example/order', '--catalogue', facilitator)
  expect([order.code, order.out]).toEqual([1, expect.stringContaining('no_declaration')])
  const never = await run('listed', 'https://shop.example/never', '--catalogue', facilitator, '--json')
  expect([never.code, JSON.parse(never.out)]).toMatchObject([
    1,
    { listed: false, checks: [{}, { name: 'settled', ok: false }] },
  ])
  expect((await run('listed', 'https://shop.example/', '--catalogue', 'http://127.0.0.1:1')).code).toBe(3)
  expect((await run('listed', 'https://shop.example/')).code).toBe(2)
})

test('BAZAAR-035 a shop on this machine is asked where private places are listed, and what it says itself is shown', async () => {
  const file = join(folder, 'near.yaml')
  const text = await readFile(shopFile, 'utf8')
  await writeFile(
    file,
    text
      .replace(/^origin: .*\n/m, '')
      .replace(/^describe: .*\n/m, '')
      .replace('shop.db', 'near.db'),
  )
  const near = await start('serve', file)
  const payer = createPayer({
    schemes: [exactEvm({ account: privateKeyAccount(chain.account('payer').privateKey) })],
  })
  expect((await payer.fetch(`${near}/weather/oslo`)).status).toBe(200)
  const why = async () => (await run('listed', `${near}/weather/oslo`, '--catalogue', facilitator)).out
  await expect.poll(why, { timeout: 20_000 }).toContain('yes  origin: Its own 402 asks for payments to that account')
  const found = await run('find', 'weather of a city', '--catalogue', facilitator, '--json')
  expect(
    found.out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  ).toContainEqual(
    expect.objectContaining({
      url: `${near}/weather/:city`,
      description: 'Weather of a city',
      offers: [expect.objectContaining({ offer: expect.objectContaining({ amount: '1000' }) })],
    }),
  )
})

test('BAZAAR-052 an operator takes a place off the catalogue, and puts it back, while the facilitator runs', async () => {
  const environment = { KEY: chain.account('facilitator').privateKey }
  const hide = async (...args: string[]) => {
    const io = recordedIo({ environment })
    const code = await runCli(['facilitator', 'hide', join(folder, 'pay.yaml'), ...args], io)
    return { code, out: io.written(), said: io.said() }
  }
  const place = 'https://shop.example/weather/:city'
  const isListed = async () =>
    (await run('listed', 'https://shop.example/weather/rome', '--catalogue', facilitator)).out
  expect(await hide(place, '--reason', 'a complaint', '--json')).toMatchObject({
    code: 0,
    out: `${JSON.stringify({ url: place, hidden: true, listings: 1 })}\n`,
  })
  expect(await isListed()).toContain('a complaint')
  expect((await hide(place, '--undo')).out).toBe(`${place} may be listed again: 1 listing put back\n`)
  expect(await isListed()).not.toContain('a complaint')
  expect((await hide(place, '--reason', 'a complaint')).out).toBe(`${place} is taken off: 1 listing taken off\n`)
  await hide(place, '--undo')
  expect((await hide('https://shop.example/later', '--reason', 'x')).out).toContain('nothing was listed there yet')
  expect((await hide(place)).code).toBe(2)
  expect((await hide(place, '--undo', '--reason', 'x')).code).toBe(2)
  expect((await hide('nowhere', '--reason', 'x')).code).toBe(2)
})
