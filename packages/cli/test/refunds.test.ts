import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPayer } from '@groat/client'
import { formatUnits, network, type Pid } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { createApiKey } from '@groat/facilitator'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { openStore } from '@groat/store'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { readersOf } from '../src/shop/shop-refunds.js'
import { recordedIo } from './io.js'

// Money that goes back on real chains: from a key of its own, to the payer, once.

let sandbox: Sandbox
let folder: string
let program: string
let file: string
let upstream: Server
let said: () => string
let shop: { readonly url: string; readonly admin: string; stop(): Promise<void> }
const [ann, bob] = [createApiKey(), createApiKey()]
const networks = ['base-sepolia', 'solana-devnet'] as const

beforeAll(async () => {
  sandbox = await startSandbox({ demo: false })
  folder = await mkdtemp(join(tmpdir(), 'groat-refunds-'))
  upstream = createServer((request, response) => {
    const status = request.url === '/broken' ? 503 : 200
    response.writeHead(status, { 'content-type': 'application/json' }).end(request.url === '/odd' ? 'nonsense' : '{}')
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
settlement_fee: $0
refunds: { evm_key: "\${EVM}", svm_key: "\${SVM}", approve_above: $0.005 }
admin: { listen: 127.0.0.1:0, tokens: { ann: "${ann.hash}", bob: "${bob.hash}" } }
routes:
  GET /broken: { price: $0.001, mode: upfront, refund: on-failure }
  GET /odd: { price: $0.002, mode: upfront, refund: on-failure, valid_if: { json: true } }
  GET /report: { price: $0.01, mode: upfront }
  GET /small: { price: $0.003, mode: upfront }
`,
  )
  const io = recordedIo({ environment: keys() })
  said = io.said
  const end = runCli(['serve', file], io)
  const { url, admin } = JSON.parse(await Promise.race([io.firstLine, end.then(() => io.said())])).ready
  const stop = async () => {
    io.stop()
    await end
  }
  shop = { url, admin, stop }
  // Beside the modules of the store, so that the program finds its database driver.
  program = await mkdtemp(fileURLToPath(new URL('../../store/node_modules/.refund-', import.meta.url)))
  await build({
    entryPoints: [fileURLToPath(new URL('./refund-process.ts', import.meta.url))],
    outfile: join(program, 'refund-process.mjs'),
    ...{
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      external: ['libsql', 'pg'],
      logLevel: 'error',
    },
  })
}, 90_000)
const children: ChildProcess[] = []
afterAll(async () => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await shop?.stop()
  upstream?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
  await rm(program, { recursive: true, force: true })
})

function account(role: string) {
  const found = sandbox.ready.accounts.find((each) => each.role === role)
  return {
    evm: found?.evm?.address ?? '',
    svm: found?.svm?.address ?? '',
    evmKey: found?.evm?.privateKey ?? '',
    svmKey: found?.svm?.secretKey ?? '',
  }
}
const keys = () => ({
  EVM: account('payer2').evmKey,
  EVM_NEXT: account('payer3').evmKey,
  POOR: `0x${'5e'.repeat(32)}`,
  SVM: account('payer2').svmKey,
})
const payerOn = (name: string) =>
  createPayer({
    schemes: [
      exactEvm({ account: privateKeyAccount(account('payer').evmKey) }),
      exactSvm({ account: secretKeyAccount(account('payer').svmKey), rpc: sandbox.ready.svm?.rpcUrl ?? '' }),
    ],
    policy: { perPayment: '$0.05', networks: [name] },
  })
const run = async (token: string | undefined, ...args: string[]) => {
  const io = recordedIo(token === undefined ? {} : { environment: { GROAT_ADMIN_TOKEN: token } })
  const exitCode = await runCli(['refund', ...args, '--admin', shop.admin, '--json'], io)
  return {
    exitCode,
    said: io.said(),
    json: io
      .written()
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  }
}
const books = async () => {
  // Who reads the books needs none of the shop's keys.
  const io = recordedIo()
  await runCli(['ledger', 'export', file], io)
  return io
    .written()
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line)) as Record<string, string>[]
}
/** What a network’s payer got back by the chain’s own word, since its first payment. */
async function cameBack(name: (typeof networks)[number]): Promise<readonly string[]> {
  const [reader] = readersOf({
    [name]: (name === 'base-sepolia' ? sandbox.ready.evm?.rpcUrl : sandbox.ready.svm?.rpcUrl) ?? '',
  })
  const {
    asset_address: asset,
    from,
    transaction,
  } = (await books()).find((each) => each.network === network(name)) ?? {}
  const all = await reader?.received(asset ?? '', from ?? '', [transaction ?? ''])
  return (all ?? []).map(({ amount, from: who }) => `${formatUnits(amount, 6)} from ${who?.toLowerCase()}`).sort()
}

test('SRV-065 SRV-066 what fails after payment goes back on both chains, once, from the refund key, and the books say so', async () => {
  for (const name of networks) {
    const { fetch } = payerOn(name)
    const broken = await fetch(`${shop.url}/broken`)
    expect(broken.status).toBe(503)
    expect((await fetch(`${shop.url}/odd`)).status).toBe(200)
  }
  await expect
    .poll(async () => (await run(ann.key, 'list')).json.map(({ state }) => state), { timeout: 60_000, interval: 500 })
    .toEqual(Array(4).fill('settled'))
  for (const name of networks) {
    const refunder = name === 'base-sepolia' ? account('payer2').evm : account('payer2').svm
    expect(await cameBack(name)).toEqual([
      `0.001 from ${refunder.toLowerCase()}`,
      `0.002 from ${refunder.toLowerCase()}`,
    ])
  }
  expect(
    (await books())
      .filter(({ kind }) => kind === 'refund')
      .map(({ amount, debit, credit }) => `${amount} ${debit} ${credit}`)
      .sort(),
  ).toEqual(['0.001', '0.001', '0.002', '0.002'].map((amount) => `${amount} refunds wallet`))
  const io = recordedIo()
  expect([await runCli(['ledger', 'reconcile', file], io), io.said()]).toEqual([
    0,
    expect.stringContaining('8 entries'),
  ])
}, 120_000)

test('SRV-067 above a limit two people agree, told apart by their tokens', async () => {
  const { fetch } = payerOn('base-sepolia')
  await fetch(`${shop.url}/report`)
  await fetch(`${shop.url}/small`)
  const paid = (await books()).filter(({ kind }) => kind === 'payment')
  const big = paid.find(({ amount }) => amount === '0.01')?.payment ?? ''
  const small = paid.find(({ amount }) => amount === '0.003')?.payment ?? ''
  expect((await run(undefined, 'ask', big, '--reason', 'x')).said).toContain('does not know you')
  expect(await run(ann.key, 'ask', big, '--reason', 'x', '--amount', '0.02')).toMatchObject({
    exitCode: 1,
    json: [{ code: 'refund_above_paid' }],
  })
  expect(await run(ann.key, 'ask', big, '--reason', 'empty')).toMatchObject({
    exitCode: 0,
    json: [{ state: 'asked', askedBy: 'ann', amount: '10000', tokens: '0.01 of 0.01 USDC' }],
  })
  expect((await run(ann.key, 'approve', 'that')).json).toMatchObject([
    { error: expect.stringContaining('refund list') },
  ])
  expect(await run(ann.key, 'approve', big)).toMatchObject({ exitCode: 1, json: [{ code: 'refund_needs_other' }] })
  expect(await run(ann.key, 'ask', small, '--reason', 'part', '--amount', '0.001')).toMatchObject({
    json: [{ state: 'approved' }],
  })
  expect(await run(bob.key, 'approve', big)).toMatchObject({
    exitCode: 0,
    json: [{ state: 'approved', approvedBy: 'bob' }],
  })
  expect(await run(bob.key, 'reject', 'nonsense')).toMatchObject({ exitCode: 1 })
  // A page of another site could have a browser's password sent along; what changes something takes a bearer.
  const basic = { authorization: `Basic ${Buffer.from(`bob:${bob.key}`).toString('base64')}` }
  expect((await fetch2(`${shop.admin}/api/refunds`, { headers: basic })).status).toBe(200)
  expect((await fetch2(`${shop.admin}/api/refunds/${big}/reject`, { method: 'POST', headers: basic })).status).toBe(403)
  await expect
    .poll(
      async () =>
        (await run(ann.key, 'list')).json.filter(({ pid }) => pid === big || pid === small).map(({ state }) => state),
      { timeout: 30_000, interval: 500 },
    )
    .toEqual(['settled', 'settled'])
}, 60_000)

const fetch2 = globalThis.fetch

/** Chromium as this machine has it; without one the page itself is not tested. */
const executablePath = [process.env.GROAT_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)

test('the usage of a shop is summed up to the atomic unit, for its people alone', async () => {
  expect((await fetch2(`${shop.admin}/api/usage`)).status).toBe(401)
  const headers = { authorization: `Bearer ${ann.key}` }
  const usage = await (await fetch2(`${shop.admin}/api/usage?days=1`, { headers })).json()
  expect(usage.routes).toEqual(
    expect.arrayContaining([
      {
        name: 'GET /broken',
        on: 'base-sepolia',
        payments: 1,
        revenue: '0.001 USDC',
        refunds: 1,
        refunded: '0.001 USDC',
      },
      { name: 'GET /odd', on: 'solana-devnet', payments: 1, revenue: '0.002 USDC', refunds: 1, refunded: '0.002 USDC' },
      { name: 'GET /report', on: 'base-sepolia', payments: 1, revenue: '0.01 USDC', refunds: 1, refunded: '0.01 USDC' },
      {
        name: 'GET /small',
        on: 'base-sepolia',
        payments: 1,
        revenue: '0.003 USDC',
        refunds: 1,
        refunded: '0.001 USDC',
      },
    ]),
  )
  expect(usage.payers).toHaveLength(2)
  expect(usage.days.map(({ payments }: { payments: number }) => payments).sort()).toEqual([2, 4])
  expect([usage.failed, usage.now]).toEqual([
    { payments: 0, deliveries: 4 },
    { unknown: 0, owed: 0, refunds: 0 },
  ])
  expect((await fetch2(`${shop.admin}/api/usage?days=x`, { headers })).status).toBe(400)
})

test.skipIf(executablePath === undefined)(
  'the usage page shows it, in Chromium',
  async () => {
    const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
    try {
      const context = await browser.newContext({ httpCredentials: { username: 'ann', password: ann.key } })
      const page = await context.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(error.message))
      page.on(
        'console',
        (message) => message.type() === 'error' && !/401/.test(message.text()) && problems.push(message.text()),
      )
      await page.goto(shop.admin)
      const report = page.locator('#list-routes tr').filter({ hasText: 'GET /report' })
      await report.waitFor()
      expect(await report.locator('td').allTextContents()).toEqual([
        'GET /report',
        'base-sepolia',
        '1',
        '0.01 USDC',
        '1',
        '0.01 USDC',
      ])
      expect(
        await page.locator('#facts div').filter({ hasText: 'Deliveries that failed' }).locator('dd').textContent(),
      ).toBe('4')
      await page.getByLabel('Time').selectOption('7')
      const to = process.env.GROAT_SCREENSHOT
      if (to !== undefined) await page.screenshot({ path: `${to}-usage.png`, fullPage: true })
      expect(problems).toEqual([])
    } finally {
      await browser.close()
    }
  },
  60_000,
)

test.each([
  ['base-sepolia', 'before-sign'],
  ['base-sepolia', 'before-send'],
  ['base-sepolia', 'after-send'],
  ['solana-devnet', 'before-send'],
  ['solana-devnet', 'after-send'],
] as const)(
  'SRV-065 killed on %s %s: the next process pays it, and no more than once',
  async (name, crash) => {
    const before = await cameBack(name)
    await payerOn(name).fetch(`${shop.url}/small`)
    const store = await openStore(join(folder, 'shop.db'))
    const ledger = await createLedger(store)
    // The newest that is not refunded; copied into books of its own, so that the shop does not pay it.
    const [paid] = (await ledger.list({ kinds: ['payment'], network: network(name) }, 1)).slice(0, 1)
    await store.close()
    const target = join(folder, `${name}-${crash}.db`)
    const own = await openStore(target)
    const copy = await createLedger(own)
    if (paid === undefined) throw new Error('nothing was paid')
    await own.withTables<never>().transaction((trx) => copy.book.add(trx as never, [paid]))
    const facilitator = {
      verify: () => Promise.reject(new Error('no')),
      settle: () => Promise.reject(new Error('no')),
      supported: () => Promise.reject(new Error('no')),
    }
    const refunds = await createRefunds({ ledger: copy, facilitator, pays: [], sells: [], approveAbove: '$1' })
    expect((await refunds.ask({ pid: paid.pid as Pid, reason: 'crash', by: 'ann' })).ok).toBe(true)

    const env = {
      ...process.env,
      SHOP: target,
      FACILITATOR: sandbox.ready.facilitator.url,
      NETWORK: name,
      SVM_RPC: sandbox.ready.svm?.rpcUrl ?? '',
    }
    const launch = (more: Record<string, string>) => {
      const child = spawn(process.execPath, [join(program, 'refund-process.mjs')], {
        env: { ...env, EVM_KEY: keys().EVM, SVM_KEY: keys().SVM, ...more },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      return child
    }
    const [code, signal] = await once(launch({ CRASH: crash }), 'exit')
    expect([code, signal]).toEqual([null, 'SIGKILL'])
    // The dead hold it for two minutes; nobody waits for that here.
    await own
      .withTables<{ refund: { lease_until: number; due_at: number } }>()
      .transaction((trx) => trx.updateTable('refund').set({ lease_until: 0, due_at: 0 }).execute())
    const [end] = await Promise.all([once(launch({}), 'exit'), once(launch({}), 'exit')])
    expect(end[0]).toBe(0)
    expect((await refunds.list()).map(({ state }) => state)).toEqual(['settled'])
    await own.close()
    expect((await cameBack(name)).length).toBe(before.length + 1)
  },
  90_000,
)

test.each(networks)(
  'SRV-065 SRV-068 on %s a payment goes back in parts, each once, and the sum needs two people',
  async (name) => {
    const { fetch } = payerOn(name)
    const before = await cameBack(name)
    await fetch(`${shop.url}/report`)
    const paid = (await books()).filter(({ kind, network: on }) => kind === 'payment' && on === network(name))
    const pid = paid.findLast(({ amount }) => amount === '0.01')?.payment ?? ''
    const ask = (amount: string, part: string) =>
      run(ann.key, 'ask', pid, '--reason', 'a file was empty', '--amount', amount, '--part', part)
    expect((await ask('0.002', 'first')).json).toMatchObject([
      { id: `${pid}.first`, state: 'approved', amount: '2000' },
    ])
    expect((await ask('0.003', 'second')).json).toMatchObject([{ state: 'approved' }])
    expect(await ask('0.003', 'second')).toMatchObject({ exitCode: 1, json: [{ code: 'refund_exists' }] })
    // 0.005 is the limit, of all parts together.
    expect((await ask('0.001', 'third')).json).toMatchObject([{ id: `${pid}.third`, state: 'asked' }])
    expect(await ask('0.0041', 'fourth')).toMatchObject({ exitCode: 1, json: [{ code: 'refund_above_paid' }] })
    expect((await run(ann.key, 'approve', `${pid}.third`)).json).toMatchObject([{ code: 'refund_needs_other' }])
    expect((await run(bob.key, 'approve', `${pid}.third`)).json).toMatchObject([{ state: 'approved' }])
    await expect
      .poll(
        async () => (await run(ann.key, 'list')).json.filter((each) => each.pid === pid).map(({ state }) => state),
        {
          timeout: 60_000,
          interval: 500,
        },
      )
      .toEqual(Array(3).fill('settled'))
    const more = (await cameBack(name)).map((each) => each.split(' ')[0])
    for (const each of before) more.splice(more.indexOf(each.split(' ')[0]), 1)
    expect(more).toEqual(['0.001', '0.002', '0.003'])
    const io = recordedIo({ environment: keys() })
    expect([await runCli(['ledger', 'reconcile', file], io), io.said()]).toEqual([
      0,
      expect.stringContaining('entries'),
    ])
  },
  120_000,
)

test('SRV-065 a file that is read again brings the keys that refunds are paid by', async () => {
  const before = await cameBack('base-sepolia')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('{EVM}', '{EVM_NEXT}').replace('settlement_fee: $0', 'settlement_fee: $0.0001'))
  await expect.poll(() => said(), { timeout: 10_000 }).toContain('was read again')
  expect((await payerOn('base-sepolia').fetch(`${shop.url}/broken`)).status).toBe(503)
  await expect
    .poll(async () => (await cameBack('base-sepolia')).length, { timeout: 30_000, interval: 500 })
    .toBe(before.length + 1)
  expect(await cameBack('base-sepolia')).toContain(`0.001 from ${account('payer3').evm.toLowerCase()}`)
}, 60_000)

test('a refund that cannot be paid says why for as long as it waits', async () => {
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/evm_key: "[^"]*"/, `evm_key: "\${POOR}"`))
  await expect.poll(() => said().match(/was read again/g)?.length, { timeout: 10_000 }).toBe(2)
  expect((await payerOn('base-sepolia').fetch(`${shop.url}/broken`)).status).toBe(503)
  const list = async () => {
    const io = recordedIo({ environment: { GROAT_ADMIN_TOKEN: ann.key } })
    await runCli(['refund', 'list', '--admin', shop.admin], io)
    return io.written().split('\n', 1)[0]
  }
  await expect
    .poll(list, { timeout: 30_000, interval: 500 })
    .toMatch(/^signed .* waits: the refund key has too few tokens on base-sepolia \(\w*insufficient_balance\)$/)
}, 60_000)
