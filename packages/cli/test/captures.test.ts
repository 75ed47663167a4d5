import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createApiKey } from '@groat/facilitator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runJson, useShop } from './shop-kit.js'

// Money that a shop from a file holds in escrow, through a facilitator from a file, and what its people then do with it.

const on = useShop()
const { account, balance, send, serve } = on
let api: Server
let shop: { readonly url: string; readonly admin: string }
const ann = createApiKey()
const COLLECTOR = '0x7a03443724d14798c4AB4622F1DAAcA761Fea486'

beforeAll(async () => {
  api = createServer((_, response) => response.end('{"ordered":1}')).listen(0, '127.0.0.1')
  const operator = account('facilitator2')
  // What it gives back is its own, and the escrow has to be let take it.
  await send(account('payer3').address, calldata('a9059cbb', operator.address, 1_000_000n))
  await send(operator.address, calldata('095ea7b3', COLLECTOR, 1_000_000n))
  const environment = { KEY: operator.privateKey, AUTHORIZER: account('payer4').privateKey }
  const facilitator = await serve(
    'facilitator',
    `listen: 127.0.0.1:0
store: pay.db
networks:
  base-sepolia:
    rpc: ["${on.sandbox.ready.evm?.rpcUrl}"]
    signers: ["\${KEY}"]
    schemes: [exact, auth-capture]
    auth_capture: { refunds_for: ["${account('seller').address}"] }
`,
    environment,
  )
  shop = await serve(
    'serve',
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(api.address() as AddressInfo).port}/
facilitator: ${facilitator.url}
payTo: { base-sepolia: "${account('seller').address}" }
auth_capture: { key: "\${AUTHORIZER}", capture_seconds: 86400 }
admin: { listen: 127.0.0.1:0, tokens: { ann: "${ann.hash}" } }
routes:
  GET /order: { price: $0.05, mode: upfront, offers: [{ network: base-sepolia, scheme: auth-capture }] }
`,
    environment,
  )
}, 60_000)
afterAll(async () => {
  api?.close()
})

const calldata = (selector: string, to: string, amount: bigint) =>
  `0x${selector}${to.slice(2).toLowerCase().padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`

const purses = async () => ({
  buyer: await balance('payer'),
  seller: await balance('seller'),
  operator: await balance('facilitator2'),
})

const run = (args: readonly string[], environment: Record<string, string> = { GROAT_ADMIN_TOKEN: ann.key }) =>
  runJson(args, environment)
const captures = (...args: string[]) => run(['captures', ...args, '--admin', shop.admin])

/** What the shop has taken and given back, as its page says it. */
async function usage() {
  const response = await fetch(`${shop.admin}/api/usage`, { headers: { authorization: `Bearer ${ann.key}` } })
  const { routes } = (await response.json()) as { routes: readonly { revenue: string; refunded: string }[] }
  return routes.map(({ revenue, refunded }) => [revenue, refunded])
}

test('SRV-063 what a buyer pays is held; people have a part paid out, let the rest go, and give back what was paid out', async () => {
  const before = await purses()
  const paid = await run(
    ['pay', `${shop.url}/order`, '--scheme', 'auth-capture', '--store', join(on.folder, 'purse.db'), '--yes'],
    { GROAT_EVM_KEY: account('payer').privateKey },
  )
  expect([paid.exitCode, paid.json[0]]).toMatchObject([
    0,
    { payment: 'settled', scheme: 'auth-capture', body: { ordered: 1 } },
  ])
  const held = await captures('list')
  expect(held.json).toMatchObject([
    { state: 'collected', on: 'base-sepolia', amount: '0.05 USDC', capturable: '0.05 USDC', refundable: '0 USDC' },
  ])
  const pid = String(held.json[0].pid)
  // Nothing is earned yet.
  expect(await usage()).toEqual([])
  const captured = await captures('capture', pid, '--amount', '0.03')
  expect(captured).toMatchObject({
    exitCode: 0,
    json: [{ answer: 'settled', capturable: '0.02 USDC', refundable: '0.03 USDC' }],
  })
  expect(await captures('capture', pid, '--amount', '0.021')).toMatchObject({
    exitCode: 1,
    json: [{ code: 'invalid_auth_capture_evm_insufficient_authorization' }],
  })
  expect(await captures('void', pid)).toMatchObject({ exitCode: 0, json: [{ capturable: '0 USDC' }] })
  expect((await captures('list')).json).toEqual([])
  expect(await captures('refund', pid, '--amount', '0.01')).toMatchObject({
    exitCode: 0,
    json: [{ answer: 'settled', refundable: '0.02 USDC' }],
  })
  expect(await usage()).toEqual([['0.03 USDC', '0.01 USDC']])
  const after = await purses()
  expect({
    buyer: after.buyer - before.buyer,
    seller: after.seller - before.seller,
    operator: after.operator - before.operator,
  }).toEqual({ buyer: -20_000n, seller: 30_000n, operator: -10_000n })
})

test('what is not held, an amount that is none and a stranger move nothing', async () => {
  const before = await purses()
  const nobodys = 'a'.repeat(64)
  expect(await captures('capture', nobodys)).toMatchObject({ exitCode: 1 })
  expect(await captures('capture', 'order-7')).toMatchObject({ exitCode: 1 })
  expect(await captures('void', nobodys)).toMatchObject({ exitCode: 1 })
  const stranger = await run(['captures', 'list', '--admin', shop.admin], { GROAT_ADMIN_TOKEN: 'guess' })
  expect([stranger.exitCode, stranger.json]).toEqual([1, []])
  expect(await purses()).toEqual(before)
})
