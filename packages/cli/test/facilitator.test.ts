import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { isWebhookSecret } from '@groat/core/webhook'
import { exactEvm as evmPays, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as evmSells } from '@groat/evm/exact/server'
import { namedServices } from '@groat/extensions/builder-code/client'
import { decodeSuffix } from '@groat/extensions/builder-code/facilitator'
import { builderCodes } from '@groat/extensions/builder-code/server'
import { hashApiKey } from '@groat/facilitator'
import { createMemoryClaims, paywall } from '@groat/server'
import { openStore } from '@groat/store'
import { secretKeyAccount, exactSvm as svmPays } from '@groat/svm/exact/client'
import { exactSvm as svmSells } from '@groat/svm/exact/server'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

let sandbox: Sandbox
let folder: string
beforeAll(async () => {
  sandbox = await startSandbox({ demo: false })
  folder = await mkdtemp(join(tmpdir(), 'groat-facilitator-'))
})
afterAll(async () => {
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

const configure = async (assets: string, change = (text: string) => text) => {
  const file = join(folder, 'pay.yaml')
  await writeFile(
    file,
    change(`
listen: 127.0.0.1:0
store: pay.db
networks:
  base-sepolia: { rpc: ["\${EVM_RPC}"], signers: ["\${EVM_KEY}"]${assets} }
  solana-devnet: { rpc: ["\${SVM_RPC}"], fee_payer: "\${SVM_KEY}"${assets} }
`),
  )
  const { evm, svm, accounts } = sandbox.ready
  const key = accounts.find(({ role }) => role === 'facilitator2')
  const environment = {
    EVM_RPC: evm?.rpcUrl ?? '',
    SVM_RPC: svm?.rpcUrl ?? '',
    EVM_KEY: key?.evm?.privateKey ?? '',
    SVM_KEY: key?.svm?.secretKey ?? '',
  }
  return { file, io: recordedIo({ environment }) }
}

test.each([
  ['the default assets', ''],
  ['the assets that are named', ', assets: [USDC]'],
])('a facilitator from a file settles %s on both chain families', async (_, assets) => {
  const { file, io } = await configure(assets)
  const running = runCli(['facilitator', file, '--json'], io)
  const { ready } = JSON.parse(await Promise.race([io.firstLine, running.then(() => io.said())]))
  expect(ready).toEqual({
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    store: join(folder, 'pay.db'),
    replica: expect.stringMatching(/^[0-9a-f]{16}$/),
  })
  const of = (wanted: string) => sandbox.ready.accounts.find(({ role }) => role === wanted)
  const shop = paywall({
    facilitator: ready.url,
    payTo: {
      'base-sepolia': of('seller')?.evm?.address ?? '',
      'solana-devnet': of('seller')?.svm?.address ?? '',
    },
    schemes: [evmSells, svmSells],
    store: createMemoryClaims({ singleProcess: true }),
  })
  await shop.ready()
  const handler = shop('$0.001', () => new Response('sunny'))
  const buy = async (network: string) => {
    const payer = createPayer({
      schemes: [
        evmPays({ account: privateKeyAccount(of('payer2')?.evm?.privateKey ?? '') }),
        svmPays({
          account: secretKeyAccount(of('payer2')?.svm?.secretKey ?? ''),
          rpc: sandbox.ready.svm?.rpcUrl ?? '',
        }),
      ],
      policy: { networks: [network] },
      fetch: async (input, init) => handler(new Request(input, init)),
    })
    const response = await payer.fetch('https://shop.example/weather')
    return [await response.text(), payer.outcome(response)?.status]
  }
  expect(await buy('base-sepolia')).toEqual(['sunny', 'settled'])
  expect(await buy('solana-devnet')).toEqual(['sunny', 'settled'])
  io.stop()
  expect(await running).toBe(0)
  await expectAudited(file)
})

/** The journal says what the chains say; a row that says otherwise is found, without a chain already. */
async function expectAudited(file: string) {
  const { environment } = (await configure('')).io
  const audit = async (...flags: string[]) => {
    // Who asks no chain needs to know none.
    const io = recordedIo({ environment: flags.includes('--offline') ? {} : environment })
    const code = await runCli(['facilitator', 'audit', file, '--json', ...flags], io)
    return { code, said: JSON.parse(io.written()) }
  }
  const { code, said } = await audit()
  // Whoever holds the books against the chains spends nothing, and has no keys.
  const { EVM_RPC, SVM_RPC } = environment
  const keyless = recordedIo({ environment: { EVM_RPC, SVM_RPC } })
  expect(await runCli(['facilitator', 'audit', file, '--json'], keyless)).toBe(0)
  expect(JSON.parse(keyless.written())).toEqual(said)
  expect([code, said.differences, said.chain]).toMatchObject([0, [], { unreachable: 0 }])
  expect(said.chain.compared).toBeGreaterThanOrEqual(2)
  // What was not compared is not said to be the same.
  const nowhere = 'http://127.0.0.1:9'
  const alone = recordedIo({ environment: { EVM_RPC: nowhere, SVM_RPC: nowhere } })
  expect(await runCli(['facilitator', 'audit', file], alone)).toBe(3)
  expect(alone.written()).toMatch(/chain +0 compared\n +\d+ could not be asked\nnothing could be compared .*\n$/)
  const store = await openStore(join(folder, 'pay.db'))
  const tables = store.withTables<{ evidence: { amount: string } }>()
  const evidence = (amount: string) =>
    tables.transaction((trx) => trx.updateTable('evidence').set({ amount }).execute())
  await evidence('999')
  const other = await audit('--offline')
  await evidence('1000')
  await store.close()
  expect([other.code, other.said.differences.length > 0]).toEqual([1, true])
  expect((await audit('--offline')).code).toBe(0)
  const archived = recordedIo()
  const archive = join(folder, 'old.jsonl')
  expect(await runCli(['facilitator', 'archive', file, archive, '--json'], archived)).toBe(0)
  expect(JSON.parse(archived.written())).toEqual({ payments: 0, events: 0 })
  await expectNoArchives(file, archive)
  expect(await runCli(['facilitator', 'archive', file, file], archived)).toBe(2)
  expect(await runCli(['facilitator', 'archive', file, archive, '--days', '0'], archived)).toBe(2)
}

/** Nothing is old enough to be moved: no archive is made, none is needed, and one that is named is looked for. */
async function expectNoArchives(file: string, archive: string) {
  const audit = async (...archives: string[]) => {
    const io = recordedIo()
    const code = await runCli(['facilitator', 'audit', file, '--offline', '--archives', ...archives], io)
    return [code, io.written() + io.said()]
  }
  expect(await audit()).toEqual([0, expect.stringMatching(/^archive {2}none named$/m)])
  const missing = `groat: ${archive} is not there\n  Where there is nothing to move, \`archive\` makes no file.`
  expect(await audit(archive)).toEqual([2, expect.stringContaining(missing)])
  const other = `groat: ${folder} is a folder\n  Name the files in it, the oldest first.`
  expect(await audit(folder)).toEqual([2, expect.stringContaining(other)])
  const empty = join(folder, 'empty.jsonl')
  await writeFile(empty, '')
  expect(await audit(empty)).toEqual([0, expect.stringMatching(/^archive {2}0 payments and 0 events in 1 file$/m)])
  await writeFile(empty, 'no json')
  expect(await audit(empty)).toEqual([2, expect.stringContaining('groat: an archive cannot be read: Unexpected token')])
}

test('what is asked of a facilitator’s file is named where it is asked of groat', async () => {
  const io = recordedIo()
  expect(await runCli(['audit', 'pay.yaml'], io)).toBe(2)
  expect(io.said()).toContain('It is `groat facilitator audit FILE`.')
})

test.each([
  ['audit', []],
  ['archive', ['old.jsonl']],
  ['webhooks', []],
])('%s says that a journal is not there, or of another edition, and makes nothing', async (command, more) => {
  const { file, io } = await configure('', (text) => text.replace('pay.db', `${command}.db`))
  const journal = join(folder, `${command}.db`)
  const args = ['facilitator', command, file, ...more.map((name) => join(folder, name))]
  expect(await runCli(args, io)).toBe(2)
  expect(io.said()).toContain(`${journal} is not there`)
  expect(existsSync(journal)).toBe(false)
  if (command === 'webhooks') return
  await (await openStore(journal)).close()
  expect(await runCli(args, io)).toBe(3)
  expect(io.said()).toContain('Its tables are not those of this edition.')
  expect(io.said()).not.toContain('    at ')
  for (const name of more) expect(existsSync(join(folder, name))).toBe(false)
})

test('an empty list of assets would settle nothing, and is said to be a mistake', async () => {
  const { file, io } = await configure(', assets: []')
  expect(await runCli(['facilitator', file, '--check'], io)).toBe(2)
  expect(io.said()).toContain(
    'pay.yaml:5: networks.base-sepolia.assets: names no asset; leave it out for the default ones',
  )
})

test('SEC-033 a list for screening that decides nothing is said by --check and at the start, with what to do', async () => {
  const screened = (text: string) => `${text}screening: { list: sanctioned.txt }\n`
  const check = async (list: string) => {
    const { file, io } = await configure('', screened)
    await writeFile(join(folder, 'sanctioned.txt'), list)
    return { exitCode: await runCli(['facilitator', file, '--check'], io), said: io.said() }
  }
  const fresh = `# date: ${new Date().toISOString().slice(0, 10)}\n`
  expect(await check(fresh)).toMatchObject({ exitCode: 0 })
  const old = await check('# date: 2020-01-01\n')
  expect(old.exitCode).toBe(2)
  expect(old.said).toContain(
    `${join(folder, 'sanctioned.txt')}: the list is dated 2020-01-01, more than 48 hours ago; put a newer one in its place`,
  )
  const table = await check(`${fresh}0x${'0b'.repeat(20)}, Evil Corp\n`)
  expect(table.exitCode).toBe(2)
  expect(table.said).toContain('sanctioned.txt: line 2 of the list is no address; write one address a line')
  await check('# date: 2020-01-01\n')
  const { file, io } = await configure('', screened)
  const end = runCli(['facilitator', file], io)
  await io.firstLine
  while (!io.said().includes('screening')) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(io.said()).toMatch(/not ready.* screening: the list is dated 2020-01-01, .* \(screening_unavailable\)/)
  io.stop()
  expect(await end).toBe(0)
})

test('EXT-CODE-007 the codes of a payment, and the operator’s own from the file, stand behind the call that settles it', async () => {
  const { file, io } = await configure('', (text) => `${text}builder_codes: { wallet: fac_one, service: fac_svc }\n`)
  expect(await runCli(['facilitator', file, '--check'], io)).toBe(0)
  const { io: running } = await configure('', (text) => `${text}builder_codes: { wallet: fac_one, service: fac_svc }\n`)
  const end = runCli(['facilitator', file, '--json'], running)
  const { ready } = JSON.parse(await Promise.race([running.firstLine, end.then(() => running.said())]))
  const { extensions } = await (await fetch(`${ready.url}/supported`)).json()
  expect(extensions).toContain('builder-code')
  const of = (wanted: string) => sandbox.ready.accounts.find(({ role }) => role === wanted)
  const shop = paywall({
    facilitator: ready.url,
    payTo: { 'base-sepolia': of('seller')?.evm?.address ?? '' },
    schemes: [evmSells],
    store: createMemoryClaims({ singleProcess: true }),
    extensions: [builderCodes()],
  })
  const handler = shop(
    { price: '$0.001', extensions: { 'builder-code': { a: 'shop_app' } } },
    () => new Response('sunny'),
  )
  const payer = createPayer({
    schemes: [evmPays({ account: privateKeyAccount(of('payer2')?.evm?.privateKey ?? '') })],
    extensions: [namedServices(['agent_sdk'])],
    fetch: async (input, init) => handler(new Request(input, init)),
  })
  const hash = payer.receipt(await payer.fetch('https://shop.example/weather'))?.transaction
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getTransactionByHash', params: [hash] })
  const headers = { 'content-type': 'application/json' }
  const { result } = await (await fetch(sandbox.ready.evm?.rpcUrl ?? '', { method: 'POST', headers, body })).json()
  expect(decodeSuffix(result.input)).toEqual({ a: 'shop_app', w: 'fac_one', s: ['agent_sdk', 'fac_svc'] })
  running.stop()
  expect(await end).toBe(0)
})

test('a signer without gas is warned of at the start, and the service is not ready', async () => {
  const { file, io } = await configure('')
  const environment = { ...io.environment, EVM_KEY: `0x${'33'.repeat(32)}` }
  const running = runCli(['facilitator', file], { ...io, environment })
  const { ready } = JSON.parse(await Promise.race([io.firstLine, running.then(() => io.said())]))
  const readiness = await fetch(`${ready.url}/readyz`)
  io.stop()
  expect(await running).toBe(0)
  expect([readiness.status, await readiness.json()]).toMatchObject([
    503,
    { reasons: [{ network: 'eip155:84532', code: 'signer_out_of_gas' }] },
  ])
  expect(io.said()).toContain('not ready  base-sepolia: The settling account cannot pay for gas (signer_out_of_gas)')
})

test('self_batch for a signer that does not run the batch is warned of at the start, with what to do', async () => {
  const { file, io } = await configure('', (text) =>
    text.replace('signers:', 'schemes: [exact, upto], self_batch: true, signers:'),
  )
  const running = runCli(['facilitator', file], io)
  await Promise.race([io.firstLine, running])
  await vi.waitFor(() => expect(io.said()).toContain('groat signer delegate'))
  io.stop()
  expect(await running).toBe(0)
  expect(io.said()).toMatch(
    /self_batch {2}base-sepolia: 0x\w{40} does not run the batch.*\n.*`groat signer delegate --network base-sepolia --rpc URL --deploy`/,
  )
  const { said, ...quiet } = recordedIo({ environment: io.environment })
  const plain = runCli(['facilitator', (await configure('')).file], { ...quiet, said } as typeof io)
  await Promise.race([quiet.firstLine, plain])
  quiet.stop()
  await plain
  expect(said()).not.toContain('self_batch')
})

const taken = () => new URL(sandbox.ready.facilitator.url).host
test.each<[string, (text: string) => string, number, RegExp]>([
  [
    'a node of another chain',
    (text) => text.replace('base-sepolia', 'base'),
    1,
    /groat: 127\.0\.0\.1:\d+ is a node of base-sepolia \(eip155:84532\), not of base \(eip155:8453\)\n.*`rpc`/,
  ],
  [
    'a node of another cluster',
    (text) => text.replace('solana-devnet', 'solana'),
    1,
    /groat: 127\.0\.0\.1:\d+ is a node of solana-devnet \(solana:Et\w{30}\), not of solana \(solana:5e\w{30}\)\n.*`rpc`/,
  ],
  [
    'nodes of all networks that are down',
    (text) => text.replaceAll(/\$\{\w+_RPC\}/g, 'http://127.0.0.1:9/key'),
    3,
    /no node of base-sepolia answers: 127\.0\.0\.1:9 \(ECONNREFUSED\)\n.*`rpc`/,
  ],
  [
    'a database that is down',
    (text) => text.replace('pay.db', 'postgres://me:secret@127.0.0.1:9/groat'),
    3,
    /postgres:\/\/127\.0\.0\.1:9\/groat cannot be opened: unreachable, ECONNREFUSED\n.*host and the port/,
  ],
  [
    'no folder',
    (text) => text.replace('pay.db', 'no/pay.db'),
    3,
    /\/no\/pay\.db cannot be opened: cannot_open, ENOENT/,
  ],
  [
    'a port that is taken',
    (text) => text.replace('127.0.0.1:0', taken()),
    3,
    /Port \d+ is taken\n {2}Stop what listens there, or write another as `listen` in the file\.\n$/,
  ],
  [
    'a port that is taken, whatever else is wrong',
    (text) => text.replace('127.0.0.1:0', taken()).replace(/\$\{EVM_RPC\}/, 'http://127.0.0.1:9/key'),
    3,
    /Port \d+ is taken\n/,
  ],
  [
    'a port of the operator that is taken',
    (text) => `${text}admin: { listen: "${taken()}" }\n`,
    3,
    /Port \d+ is taken\n {2}Stop what listens there, or write another as `admin\.listen` in the file\.\n$/,
  ],
])('%s: it is said where', async (_, change, exitCode, said) => {
  const { file, io } = await configure('', change)
  const running = runCli(['facilitator', file], io)
  expect(await Promise.race([running, io.firstLine])).toBe(exitCode)
  expect(io.said()).toMatch(said)
})

test('a node that is down: the other network is served, and the log says which is not', async () => {
  const { file, io } = await configure('', (text) => text.replace(/\$\{EVM_RPC\}/, 'http://127.0.0.1:9/key'))
  const running = runCli(['facilitator', file], io)
  expect(await Promise.race([io.firstLine, running])).toMatch(/ready/)
  expect(io.said()).toMatch(/fault_story network=base-sepolia reference=\w+ during=start node=127\.0\.0\.1:9 /)
  io.stop()
  expect(await running).toBe(0)
})

test('a key and the hash of it', async () => {
  const io = recordedIo()
  expect(await runCli(['facilitator', 'key', '--json'], io)).toBe(0)
  const { key, hash } = JSON.parse(io.written())
  expect(hashApiKey(key)).toBe(hash)
})

test('a secret for webhooks is all that is printed; whoever looks on is told where it goes', async () => {
  const [piped, watched] = [recordedIo(), recordedIo({ progress: () => {} })]
  for (const io of [piped, watched]) {
    expect(await runCli(['facilitator', 'secret'], io)).toBe(0)
    expect(isWebhookSecret(io.written().trimEnd())).toBe(true)
  }
  expect(piped.said()).toBe('')
  expect(watched.said()).toContain('`secrets` of a webhook')
})
