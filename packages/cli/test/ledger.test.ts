import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { network, systemRandom } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { createFacilitatorClient } from '@groat/server'
import { openStore } from '@groat/store'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

// The books of a shop that is paid on both chains, beside what the chains say.

let sandbox: Sandbox
let folder: string
let file: string
let upstream: Server
let shop: { readonly url: string; stop(): Promise<void> }

beforeAll(async () => {
  sandbox = await startSandbox({ demo: false })
  folder = await mkdtemp(join(tmpdir(), 'groat-ledger-'))
  upstream = createServer((request, response) => {
    response.writeHead(request.url === '/broken' ? 500 : 200).end('fine')
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  file = join(folder, 'shop.yaml')
  const { evm, svm } = sandbox.ready
  await writeFile(
    file,
    `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(upstream.address() as AddressInfo).port}/
facilitator: ${sandbox.ready.facilitator.url}
payTo: { base-sepolia: "${account('seller').evm}", solana-devnet: "${account('seller').svm}" }
rpc: { base-sepolia: "${evm?.rpcUrl}", solana-devnet: "${svm?.rpcUrl}" }
fiat: { currency: USD, rates: { USDC: 1 } }
settlement_fee: $0.0001
routes:
  GET /weather: { price: $0.001, group: forecasts }
  GET /feed: { price: $0.002, mode: upfront }
  GET /search: { price: $0.01, bundle: 3 }
`,
  )
  const io = recordedIo()
  const end = runCli(['serve', file], io)
  const url = JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())])).ready.url
  shop = {
    url,
    stop: async () => {
      io.stop()
      await end
    },
  }
}, 60_000)
afterAll(async () => {
  await shop?.stop()
  upstream?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

function account(role: string) {
  const found = sandbox.ready.accounts.find((each) => each.role === role)
  return {
    evm: found?.evm?.address,
    svm: found?.svm?.address,
    evmKey: found?.evm?.privateKey ?? '',
    svmKey: found?.svm?.secretKey ?? '',
  }
}

const schemes = () => [
  exactEvm({ account: privateKeyAccount(account('payer').evmKey) }),
  exactSvm({ account: secretKeyAccount(account('payer').svmKey), rpc: sandbox.ready.svm?.rpcUrl ?? '' }),
]
const payerOn = (name: string) => createPayer({ schemes: schemes(), policy: { perPayment: '$0.05', networks: [name] } })

const run = async (...args: string[]) => {
  const io = recordedIo()
  return { exitCode: await runCli(['ledger', ...args], io), out: io.written(), said: io.said() }
}

test('SRV-062 the books of two chains say what the chains say, to the atomic unit, and exit 1 where they do not', async () => {
  for (const name of ['base-sepolia', 'solana-devnet']) {
    const { fetch } = payerOn(name)
    for (const path of ['/weather', '/weather', '/feed']) expect((await fetch(`${shop.url}${path}`)).status).toBe(200)
  }
  const bundle = await payerOn('base-sepolia').fetch(`${shop.url}/search`)
  const token = bundle.headers.get('payment-entitlement') ?? ''
  expect((await fetch(`${shop.url}/search`, { headers: { 'payment-entitlement': token } })).status).toBe(200)

  const equal = await run('reconcile', file, '--json')
  expect([equal.exitCode, JSON.parse(equal.out)]).toMatchObject([
    0,
    {
      equal: true,
      entries: 7,
      sums: expect.arrayContaining([
        expect.objectContaining({
          network: 'eip155:84532',
          account: account('seller').evm,
          ledger: '14000',
          chain: '14000',
        }),
        expect.objectContaining({ account: account('seller').svm, ledger: '4000', chain: '4000' }),
      ]),
      differences: [],
    },
  ])
  expect((await run('reconcile', file)).said).toContain('books and chain say the same of 7 entries')

  // Money that came to the seller, and not through the shop.
  for (const [name, scheme] of [
    ['base-sepolia', 0],
    ['solana-devnet', 1],
  ] as const) {
    await transfer(name, scheme, 3n)
  }
  const odd = await run('reconcile', file, '--json')
  expect([odd.exitCode, JSON.parse(odd.out).differences]).toEqual([
    1,
    expect.arrayContaining([
      expect.objectContaining({ type: 'not_in_ledger', network: 'eip155:84532', chain: '3' }),
      expect.objectContaining({ type: 'not_in_ledger', network: network('solana-devnet'), chain: '3' }),
    ]),
  ])

  // One atomic unit more than there is.
  const store = await openStore(join(folder, 'shop.db'))
  const tables = store.withTables<{
    ledger_entry: { id: string; kind: string; amount: string; network: string; transaction_id: string }
  }>()
  await tables.transaction(async (trx) => {
    const rows = await trx
      .selectFrom('ledger_entry')
      .selectAll()
      .where('kind', '=', 'payment')
      .where('amount', '=', '1000')
      .execute()
    const [first, second] = rows.filter((row) => row.network === 'eip155:84532')
    await trx
      .updateTable('ledger_entry')
      .set({ amount: '1001' })
      .where('id', '=', first?.id ?? '')
      .execute()
    await trx
      .updateTable('ledger_entry')
      .set({ transaction_id: `0x${'ab'.repeat(32)}` })
      .where('id', '=', second?.id ?? '')
      .execute()
  })
  await store.close()
  const wrong = await run('reconcile', file, '--json')
  expect([
    wrong.exitCode,
    JSON.parse(wrong.out)
      .differences.map(({ type }: { type: string }) => type)
      .sort(),
  ]).toEqual([1, ['not_in_ledger', 'not_in_ledger', 'not_in_ledger', 'not_on_chain', 'other_amount']])
  expect((await run('reconcile', file)).out).toContain('another amount')
  const { exitCode } = await run(
    'reconcile',
    '--store',
    join(folder, 'shop.db'),
    '--rpc',
    `base-sepolia=${sandbox.ready.evm?.rpcUrl}`,
  )
  expect(exitCode).toBe(1)
}, 60_000)

async function transfer(name: string, scheme: number, amount: bigint): Promise<void> {
  const facilitator = createFacilitatorClient(sandbox.ready.facilitator.url)
  const challenge = await (await fetch(`${shop.url}/weather`)).json()
  const offers = JSON.parse(atob((await fetch(`${shop.url}/weather`)).headers.get('payment-required') ?? '')).accepts
  expect(challenge.accepts).toHaveLength(2)
  const offer = { ...offers.find((each: { network: string }) => each.network === network(name)), amount }
  const half = schemes()[scheme]
  const prepared = await half?.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 60 })
  if (!prepared?.ok) throw new Error(prepared?.code)
  const payment = {
    x402Version: 2,
    scheme: 'exact',
    network: network(name),
    accepted: offer,
    payload: await prepared.sign(),
  } as const
  for (let i = 0; i < 20; i++) {
    const outcome = await facilitator.settle({ payment, requirements: offer })
    if (outcome.status === 'settled') return
  }
  throw new Error('not settled')
}

test('entries are listed and exported, with their value and group', async () => {
  const listed = await run('list', file, '--group', 'forecasts', '--kind', 'payment')
  expect(listed.out.trim().split('\n')).toHaveLength(4)
  expect(listed.out).toMatch(/payment {2}0\.001 USDC {2}0xf39Fd6…2266 -> 0x70997970…79C8|payment {2}0\.001 USDC/)
  expect(listed.said).toMatch(/^time +kind +amount +from -> to +route +payment\n/)
  const [payment = ''] = /[0-9a-f]{64}$/m.exec(listed.out) ?? []
  expect((await run('export', file)).out).toContain(`"payment":"${payment}"`)
  const csv = (await run('export', file, '--csv')).out.trim().split('\r\n')
  expect(csv[0]).toMatch(/^time,kind,from,to,amount,asset,/)
  expect(csv).toHaveLength(1 + 7 + 7 + 2)
  await expect
    .poll(
      async () =>
        (await run('export', file, '--kind', 'fee')).out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).fiat_value),
      { timeout: 10_000 },
    )
    .toEqual(Array(7).fill('0.0001'))
  expect((await run('list')).exitCode).toBe(2)
  expect((await run('list', file, '--kind', 'nonsense')).exitCode).toBe(2)
  expect((await run('list', file, '--since', 'yesterday')).exitCode).toBe(2)
})
