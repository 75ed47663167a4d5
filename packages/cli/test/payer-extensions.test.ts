import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { recordedIo } from './io.js'
import { useShop } from './shop-kit.js'

// What a shop's file lets sellers ask of payers, and what `groat pay` answers.

const on = useShop()
let upstream: Server
let shop: string
let count = 0

beforeAll(async () => {
  upstream = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`did ${request.url}`)
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  // Who signs in signs for an origin, which is known before it serves.
  const port = await freePort()
  const { url } = await on.serve(
    'serve',
    `listen: 127.0.0.1:${port}
origin: http://127.0.0.1:${port}
upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}
facilitator: ${on.sandbox.ready.facilitator.url}
payTo: { base-sepolia: "${on.account('seller').address}" }
store: shop.db
seller: { name: Weather Ltd, country: IE }
refunds: { evm_key: "\${REFUND_KEY}", approve_above: $0.05, requests: { window_days: 7, partial: true } }
routes:
  GET /known: { price: $0.01, extensions: { groat-compliance: { asks: [country, kind] } } }
  GET /again: { price: $0.01, bundle: 3, extensions: { sign-in-with-x: { statement: Use what you bought } } }
  GET /defect: { price: $0.01, extensions: { groat-refund: true } }
`,
    { REFUND_KEY: on.account('payer2').privateKey },
  )
  shop = url
}, 60_000)
afterAll(() => {
  upstream?.closeAllConnections()
  upstream?.close()
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A home of its own, with a policy where one is told. */
async function payer(policy?: string) {
  const home = join(on.folder, `home-${++count}`)
  await mkdir(home)
  if (policy !== undefined) await writeFile(join(home, 'policy.yaml'), policy)
  const environment = { GROAT_HOME: home, GROAT_EVM_KEY: on.account('payer').privateKey }
  return async (...args: readonly string[]) => {
    const io = recordedIo({ environment })
    const exitCode = await runCli(args, io)
    return { exitCode, out: io.written(), said: io.said() }
  }
}

test('EXT-COMPLY-009 nothing is signed for a seller that requires fields which were not given, and they are named', async () => {
  const groat = await payer()
  const { exitCode, said } = await groat('pay', `${shop}/known`, '--field', 'country=PL')
  expect([exitCode, said]).toEqual([
    1,
    expect.stringMatching(/not paid.*compliance_required[\s\S]*the seller requires kind [\s\S]*--field name=value/),
  ])
  expect((await groat('receipts', 'list')).out).toBe('')
  const explained = await groat('policy', 'explain', `${shop}/known`)
  expect([explained.exitCode, explained.out]).toEqual([
    1,
    expect.stringMatching(
      /no +groat-compliance +country, kind \(compliance_required\)[\s\S]*decided by groat-compliance/,
    ),
  ])
  expect(explained.said).toContain('--field')
})

test('EXT-COMPLY-002 the fields of the policy and of --field are told to a seller that asks, and only those that it asks for', async () => {
  const groat = await payer('fields: { country: DE, kind: business, purpose: research }\n')
  const { exitCode, out, said } = await groat('pay', `${shop}/known`, '--field', 'country=PL', '--json')
  expect([exitCode, JSON.parse(out)], said).toMatchObject([0, { payment: 'settled', body: 'did /known' }])
  const [record] = (await groat('receipts', 'list', '--json')).out.trim().split('\n')
  const { payment } = JSON.parse(String(record))
  const { extensions } = JSON.parse(atob(payment.value))
  expect(extensions['groat-compliance'].info.payer).toEqual({ country: 'PL', kind: 'business' })
  expect((await groat('policy', 'explain', `${shop}/known`)).exitCode).toBe(0)
})

test.each([
  [['--field', 'country=Poland'], /country=Poland.*\n.*two capital letters/],
  [['--field', 'passport=1'], /passport=1 is none/],
  [['--field', 'country'], /country is none/],
])('a field that is none is a mistake of the command line: %j', async (args, why) => {
  const { exitCode, said } = await (await payer())('pay', `${shop}/known`, ...args)
  expect([exitCode, said]).toEqual([2, expect.stringMatching(why)])
})

test('--sign-in opens what the same key has bought, and pays only where that opens nothing', async () => {
  const balance = () => on.balance('payer')
  const before = await balance()
  const bought = await (await payer())('pay', `${shop}/again`, '--sign-in', '--json')
  expect([bought.exitCode, JSON.parse(bought.out).payment], bought.said).toEqual([0, 'settled'])
  expect(bought.said).toContain('signed in, and nothing that was bought before opens it')
  expect(before - (await balance())).toBe(10_000n)

  // Another machine, with nothing but the key.
  const back = await (await payer())('pay', `${shop}/again`, '--sign-in', '--json')
  expect([back.exitCode, JSON.parse(back.out)], back.said).toMatchObject([0, { payment: 'owned', body: 'did /again' }])
  const byPolicy = await payer(`sign_in: ['${shop}']\n`)
  expect(await byPolicy('pay', `${shop}/again`)).toMatchObject({
    exitCode: 0,
    said: expect.stringContaining('not paid again'),
  })
  expect(before - (await balance())).toBe(10_000n)

  // Nobody is told who comes unless the user wants that.
  const looked = await (await payer())('pay', `${shop}/again`, '--dry-run')
  expect(looked.said).toContain('--sign-in')
  expect((await (await payer())('pay', `${shop}/again`, '--json')).said).toContain('bought before with this key?')
  expect(before - (await balance())).toBe(20_000n)
}, 60_000)

test('a policy names the origins to sign in at', async () => {
  const { exitCode, said } = await (await payer('sign_in: [shop]\n'))('pay', `${shop}/again`)
  expect([exitCode, said]).toEqual([2, expect.stringContaining('is not an origin')])
})

test('EXT-REFUND-002 EXT-REFUND-009 receipts refund asks the seller for the money back, once', async () => {
  const groat = await payer()
  const bought = await groat('pay', `${shop}/defect`, '--json')
  expect(bought.exitCode, bought.said).toBe(0)
  const before = await on.balance('payer')
  const { id } = JSON.parse((await groat('receipts', 'list', '--json')).out)
  const ask = (...more: string[]) =>
    groat('receipts', 'refund', id.slice(0, 10), '--reason', 'service_defective', ...more)
  const asked = await ask('--json')
  expect([asked.exitCode, asked.said]).toEqual([0, ''])
  expect(JSON.parse(asked.out).status).toMatch(/^(pending|executed)$/)
  await expect.poll(async () => (await on.balance('payer')) - before, { timeout: 30_000 }).toBe(10_000n)
  // The seller knows of it a moment after the chain does.
  const given = expect.stringMatching(/^given back {2}0\.01 USDC {2}0x[0-9a-f]{64}\n$/)
  await expect.poll(() => ask().then(({ exitCode, out }) => [exitCode, out]), { timeout: 30_000 }).toEqual([0, given])
  expect((await on.balance('payer')) - before).toBe(10_000n)

  // What was sold without such terms, and what another key has paid.
  expect((await groat('receipts', 'refund', id, '--reason', 'because')).exitCode).toBe(2)
  const other = ['receipts', 'refund', id, '--reason', 'other', '--key-file', join(on.folder, 'other-key')]
  await writeFile(join(on.folder, 'other-key'), on.account('payer3').privateKey, { mode: 0o600 })
  const denied = await groat(...other)
  expect([denied.exitCode, denied.said]).toEqual([2, expect.stringContaining('only who paid can ask')])
  await groat('pay', `${shop}/known`, '--field', 'country=PL', '--field', 'kind=person')
  const [plainSale] = (await groat('receipts', 'list', '--json')).out.trim().split('\n')
  const nothing = await groat('receipts', 'refund', JSON.parse(String(plainSale)).id, '--reason', 'other')
  expect([nothing.exitCode, nothing.said]).toEqual([1, expect.stringContaining('says nothing of refunds')])
}, 90_000)
