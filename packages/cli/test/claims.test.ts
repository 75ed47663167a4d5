import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createApiKey } from '@groat/facilitator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'
import { runJson, useShop } from './shop-kit.js'

// A shop from a file that sells out of channels, through a facilitator from a file, and claims what they owe by itself.

const on = useShop()
const { account, balance, serve } = on
let api: Server
let shop: Awaited<ReturnType<typeof serve>>
const ann = createApiKey()

beforeAll(async () => {
  api = createServer((_, response) => response.end('{"fed":1}')).listen(0, '127.0.0.1')
  const environment = {
    KEY: account('facilitator2').privateKey,
    AUTHORIZER: account('payer4').privateKey,
    GAS: account('facilitator3').privateKey,
  }
  const facilitator = await serve(
    'facilitator',
    `listen: 127.0.0.1:0
store: pay.db
networks:
  base-sepolia:
    rpc: ["${on.sandbox.ready.evm?.rpcUrl}"]
    signers: ["\${KEY}"]
    schemes: [exact, batch-settlement]
`,
    environment,
  )
  shop = await serve(
    'serve',
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(api.address() as AddressInfo).port}/
facilitator: ${facilitator.url}
payTo: { base-sepolia: "${account('seller').address}" }
rpc: { base-sepolia: "${on.sandbox.ready.evm?.rpcUrl}" }
batch_settlement: { key: "\${AUTHORIZER}", gas_key: "\${GAS}" }
admin: { listen: 127.0.0.1:0, tokens: { ann: "${ann.hash}" } }
routes:
  GET /feed: { price: $0.001, offers: [{ network: base-sepolia, scheme: batch-settlement }] }
  GET /words: { per_byte: $0.0001, up_to: $0.002, offers: [{ network: base-sepolia, scheme: batch-settlement }] }
  GET /weather: $0.002
`,
    environment,
  )
}, 60_000)
afterAll(async () => {
  api?.close()
})

const run = (args: readonly string[], environment: Record<string, string> = { GROAT_ADMIN_TOKEN: ann.key }) =>
  runJson(args, environment)
const claims = (...args: string[]) => run(['claims', ...args, '--admin', shop.admin])
const pay = async (path: string, ...args: string[]) => {
  const purse = ['--store', join(on.folder, 'purse.db')]
  const paid = await run(['pay', `${shop.url}${path}`, ...purse, '--yes', ...args], {
    GROAT_EVM_KEY: account('payer').privateKey,
  })
  expect([paid.exitCode, paid.json[0], paid.said]).toMatchObject([
    0,
    { payment: 'settled', body: { fed: 1 } },
    expect.any(String),
  ])
  return paid.json[0]
}

test('EVM-BATCH-070 vouchers of a shop from a file are counted, claimed in one transaction, and its books say what the chain says', async () => {
  const before = await balance('seller')
  await pay('/weather', '--scheme', 'exact')
  const first = await pay('/feed', '--scheme', 'batch-settlement')
  for (let more = 0; more < 2; more++) expect(await pay('/feed')).toMatchObject({ transaction: '' })
  // Nine bytes at a hundredth of a cent.
  await pay('/words')
  expect(first.transaction).toMatch(/^0x/)
  const listed = await claims('list')
  expect(listed.json).toMatchObject([
    { on: 'base-sepolia', owed: '0.0039 USDC', charged: '0.0039 USDC', balance: '0.005 USDC', leaving: false },
  ])
  expect(await balance('seller')).toBe(before + 2_000n)

  const claimed = await claims('run')
  expect(claimed).toMatchObject({ exitCode: 0, json: [{ claimed: [listed.json[0].channelId], refused: [] }] })
  expect(claimed.json[0].transactions).toHaveLength(1)
  expect(await balance('seller')).toBe(before + 5_900n)
  expect((await claims('run')).json).toEqual([{ claimed: [], refused: [], transactions: [] }])

  const books = await run(['ledger', 'reconcile', shop.file], {
    AUTHORIZER: account('payer4').privateKey,
    GAS: account('facilitator3').privateKey,
  })
  expect([books.exitCode, books.json[0]]).toMatchObject([
    0,
    { equal: true, sums: [{ ledger: '5900', chain: '5900' }], differences: [] },
  ])
}, 60_000)

test('EVM-BATCH-083 what a payer has not spent is given back by the people of the shop, and by nobody else', async () => {
  const [channel] = (await claims('list')).json
  const before = await balance('payer')
  const stranger = await run(['claims', 'run', '--admin', shop.admin], { GROAT_ADMIN_TOKEN: 'guess' })
  expect([stranger.exitCode, stranger.json]).toEqual([1, []])
  expect(await claims('refund', '0x1234567890')).toMatchObject({ exitCode: 1 })
  expect(await claims('refund', channel.channelId.slice(0, 14), '--amount', '0.001')).toMatchObject({
    exitCode: 0,
    json: [{ answer: 'settled', balance: '0.004 USDC' }],
  })
  expect(await balance('payer')).toBe(before + 1_000n)
}, 120_000)

test('EVM-BATCH-054 EVM-BATCH-072 a payer to whom the shop gave money back fills the channel again; a shop that is told to stop claims once more, for a payer could leave while nobody watches', async () => {
  const before = await balance('seller')
  await pay('/feed')
  expect(await balance('seller')).toBe(before)
  await shop.close()
  expect(await balance('seller')).toBe(before + 1_000n)
}, 120_000)

test('a file that sells out of channels, or by holds, says what it lacks with its line', async () => {
  const file = join(on.folder, 'lacking.yaml')
  const check = async (...lines: string[]) => {
    const route = (scheme: string) =>
      `routes: { GET /a: { price: $1, offers: [{ network: base, scheme: ${scheme} }] } }`
    const [scheme = '', ...more] = lines
    const shop = [
      'upstream: http://127.0.0.1:1/',
      'facilitator: https://pay.example',
      'payTo: { base: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C" }',
    ]
    await writeFile(file, [...shop, route(scheme), ...more, ''].join('\n'))
    const io = recordedIo({ environment: { AUTHORIZER: account('payer4').privateKey } })
    const exitCode = await runCli(['serve', file, '--check'], io)
    return [exitCode, io.said().trim()]
  }
  const key = `batch_settlement: { key: "\${AUTHORIZER}" }`
  expect(await check('auth-capture')).toEqual([
    2,
    expect.stringContaining(':4: routes.GET /a.offers: money that is held needs a key'),
  ])
  expect(await check('batch-settlement')).toEqual([2, expect.stringContaining('payments out of channels need a key')])
  expect(await check('batch-settlement', key)).toEqual([2, expect.stringContaining('name one for base under `rpc`')])
  expect(await check('batch-settlement', key, 'rpc: { eip155:8453: "https://base.example" }')).toEqual([
    0,
    expect.any(String),
  ])
})
