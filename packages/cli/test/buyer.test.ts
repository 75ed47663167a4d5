import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBuyer, findOnChain, reconcile, witnessOf } from '@groat/client/buyer'
import { sqlIntents } from '@groat/client/sql'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { createFacilitatorClient } from '@groat/server'
import { openStore } from '@groat/store'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { chainsOf } from '../src/commands/chains.js'
import { requestInit } from '../src/commands/request-options.js'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

const RECIPIENT = '0x00000000000000000000000000000000000b0b00'

let sandbox: Sandbox
let api: string
let folder: string
beforeAll(async () => {
  sandbox = await startSandbox({ only: 'evm' })
  api = sandbox.ready.api?.url ?? ''
})
afterAll(() => sandbox?.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-buyer-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

const run = async (args: readonly string[], options: Parameters<typeof recordedIo>[0] = {}) => {
  const io = recordedIo({ ...options, environment: { GROAT_HOME: folder, ...options.environment } })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}
const policy = (text: string) => writeFile(join(folder, 'policy.yaml'), text)
const payerKey = () => sandbox.ready.accounts.find(({ role }) => role === 'payer2')?.evm?.privateKey ?? ''
const nodes = () => chainsOf(sandbox.networks, [sandbox.ready.evm?.rpcUrl ?? ''])

test('a policy in YAML limits what pay pays, over several runs, and says which rule decides', async () => {
  await policy(
    'per_payment: 0.05\nper_day: $0.002\ncategories:\n  here: { origins: ["http://127.0.0.1:1"], per_day: $0 }\n',
  )
  const first = await run(['pay', `${api}/weather`, '--task', 'forecast'])
  expect([first.exitCode, JSON.parse(first.out)]).toMatchObject([0, { temperature: 11 }])
  expect((await run(['pay', `${api}/weather`])).exitCode).toBe(0)
  const third = await run(['pay', `${api}/weather`])
  expect([third.exitCode, third.out]).toEqual([1, ''])
  expect(third.said).toContain('budget_exceeded')

  const explained = await run(['policy', 'explain', `${api}/weather`])
  expect(explained.exitCode).toBe(1)
  expect(explained.out).toMatch(/no {2}per_day +\$0\.002 of \$0\.002 are taken/)
  expect(explained.out).toContain('-> not paid, decided by per_day')
  expect((await run(['policy', 'show'])).out).toBe(
    'per_day                  $0.002 of $0.002\ncategories.here.per_day  $0 of $0\n',
  )

  await policy('per_day: 2 dollars\n')
  expect((await run(['policy', 'show'])).said).toMatch(/policy\.yaml: per_day: is written as \$0\.05/)
})

test('CL-7 an explanation is of the request that pay would make, and within the limits that pay would have', async () => {
  const seen: unknown[] = []
  const server = createServer((request, answer) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      // A sandbox is asked for its nodes, elsewhere.
      if (request.url === '/forecast') seen.push([request.method, request.headers['x-city'], body])
      if (request.method !== 'PUT') return void answer.end('free')
      const offer = {
        ...{ scheme: 'exact', network: 'eip155:84532', amount: '1000', asset: sandbox.ready.evm?.usdc },
        ...{ payTo: RECIPIENT, maxTimeoutSeconds: 60, extra: { name: 'USDC', version: '2' } },
      }
      const required = JSON.stringify({ x402Version: 2, accepts: [offer] })
      answer.writeHead(402, { 'PAYMENT-REQUIRED': Buffer.from(required).toString('base64') }).end()
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/forecast`
  const put = ['-X', 'PUT', '-H', 'X-City: Lund', '-d', '{"days":3}']
  const explain = async (...more: string[]) => {
    const { exitCode, out } = await run(['policy', 'explain', url, ...more])
    return [exitCode, /decided by (\S+)/.exec(out)?.[1]]
  }
  const node = ['--rpc', `base-sepolia=${sandbox.ready.evm?.rpcUrl}`]
  expect([
    await explain(),
    await explain(...put),
    await explain(...put, ...node),
    await explain(...put, '--max', '$0.0001'),
    await explain(...put, '--network', 'base'),
    await explain(...put, '--scheme', 'upto'),
  ]).toEqual([
    [0, undefined],
    [0, 'cheapest'],
    [0, 'cheapest'],
    [1, 'per_payment'],
    [1, 'networks'],
    [1, 'schemes'],
  ])
  expect(seen.slice(0, 2)).toEqual([
    ['GET', undefined, ''],
    ['PUT', 'Lund', '{"days":3}'],
  ])
  // From somebody who has nothing, the node takes nothing: what the chain says stands beside the rules.
  const poor = { environment: { GROAT_EVM_KEY: `0x${'77'.repeat(32)}` } }
  const { exitCode, out } = await run(['policy', 'explain', url, ...put, ...node], poor)
  expect([exitCode, /decided by (\S+)/.exec(out)?.[1]]).toEqual([1, 'balance'])
})

test('what is spent is shown for everybody, for each category, and for the seller that is named', async () => {
  const here = new URL(api).origin
  await policy(
    `per_day: $1\neach_origin: { per_day: $0.50 }\ncategories:\n  forecasts: { origins: ["${here}"], per_day: $0.10 }\n  maps: { origins: ["https://maps.example"], payments: { per_day: 3 } }\n`,
  )
  await run(['pay', `${api}/weather`])
  const shown = async (...more: string[]) =>
    (await run(['policy', 'show', ...more])).out.split('\n').flatMap((line) => line.trim().replace(/ +/g, ' ') || [])
  expect(await shown()).toEqual([
    'per_day $0.001 of $1',
    'categories.forecasts.per_day $0.001 of $0.10',
    'categories.maps.payments.per_day 0 of 3',
  ])
  expect(await shown('--origin', `${api}/weather`)).toEqual([
    'per_day $0.001 of $1',
    'each_origin.per_day $0.001 of $0.50',
    'categories.forecasts.per_day $0.001 of $0.10',
  ])
  expect(await shown('--origin', 'https://maps.example')).toEqual([
    'per_day $0.001 of $1',
    'each_origin.per_day $0 of $0.50',
    'categories.maps.payments.per_day 0 of 3',
  ])
})

test('the command line narrows a policy and never widens it', async () => {
  await policy('per_payment: $0.0005\n')
  const { exitCode, said } = await run(['pay', `${api}/weather`, '--max', '$1'])
  expect([exitCode, said.includes('amount_over_limit')]).toEqual([1, true])
})

test('a policy with an unknown word is no policy', async () => {
  await policy('per_payment: $0.05\nper_dya: $1\n')
  const { exitCode, said } = await run(['pay', `${api}/weather`])
  expect([exitCode, said]).toEqual([2, expect.stringContaining('per_dya: unknown field')])
})

test('above ask_above nobody is there to be asked, or somebody says yes', async () => {
  await policy('ask_above: $0.0001\n')
  expect((await run(['pay', `${api}/weather`, '--yes'])).said).toContain('approval_required')
  expect((await run(['pay', `${api}/weather`, '--yes'], { ask: async () => true })).exitCode).toBe(0)
  expect((await run(['pay', `${api}/weather?no`, '--yes'], { ask: async () => false })).said).toContain(
    'approval_denied',
  )
})

test('above ask_above somebody is asked on this machine too, where nobody is asked otherwise', async () => {
  await policy('ask_above: $0.0001\n')
  const asked: string[] = []
  const ask = (yes: boolean) => async (question: string) => {
    asked.push(question)
    return yes
  }
  expect((await run(['pay', `${api}/weather?no`], { ask: ask(false) })).said).toContain('approval_denied')
  expect((await run(['pay', `${api}/weather`], { ask: ask(true) })).exitCode).toBe(0)
  expect(asked.length).toBe(2)
})

test('stop stops every payment until resume', async () => {
  expect((await run(['policy', 'stop', 'lost', 'my', 'laptop'])).exitCode).toBe(0)
  expect((await run(['pay', `${api}/weather`])).said).toContain('payments_stopped')
  expect((await run(['policy', 'resume'])).exitCode).toBe(0)
  expect((await run(['pay', `${api}/weather`])).exitCode).toBe(0)
})

test('INV-23 CL-6 receipts are listed, shown, asked of the chain, exported, and checked by whoever gets them', async () => {
  await run(['pay', `${api}/weather`, '--task', 'forecast'])
  await run(['pay', `${api}/report`])
  expect((await run(['receipts', 'list'])).out).toMatch(
    /^[0-9a-f]{12} .* 0\.05 USDC +base-sepolia +http:\S+\/report +settled +unverified *\n[0-9a-f]{12} .* 0\.001 USDC .*\/weather .*unverified +for forecast\n$/,
  )
  const node = sandbox.ready.evm?.rpcUrl ?? ''
  const asked = await run(['receipts', 'verify', '--rpc', node])
  expect([asked.exitCode, asked.said]).toEqual([
    0,
    expect.stringContaining('2 settled, 0 void, 0 not known, 0 disputed'),
  ])
  expect((await run(['receipts', 'list'])).out).not.toContain('unverified')

  const exported = await run(['receipts', 'export', '--task', 'forecast'])
  const receipt = JSON.parse(exported.out)
  expect(receipt).toMatchObject({
    groat: 'receipt/1',
    amount: '1000',
    metadata: { task: 'forecast' },
    httpStatus: 200,
    answer: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    chain: { status: 'settled', transaction: receipt.transaction, amount: '1000' },
  })
  const file = join(folder, 'receipts.ndjson')
  await writeFile(file, exported.out)
  expect(await run(['receipts', 'verify', file])).toMatchObject({ exitCode: 0, said: '  1 of 1 are good\n' })
  const told = (await run(['receipts', 'verify', file])).out
  expect(told).toMatch(
    /^good +[0-9a-f]{32} {2}payment: signed, offer: not signed, receipt: fits, not signed, chain: settled\n$/,
  )
  // Signed, and nothing shows that it was paid.
  const { receipt: _, chain: __, transaction: ___, attestation: ____, ...unpaid } = receipt
  await writeFile(file, JSON.stringify({ ...unpaid, state: 'signed' }))
  expect(await run(['receipts', 'verify', file])).toMatchObject({
    ...{ exitCode: 0, said: '  0 of 1 are good, of 1 nothing shows that the money moved\n' },
    out: expect.stringMatching(/^unproven .*payment: signed, offer: not signed, receipt: none, chain: not asked\n$/),
  })
  await writeFile(file, exported.out)
  expect((await run(['receipts', 'verify', file, '--signed'])).out).toContain('no exporter has signed it')
  const payment = JSON.parse(Buffer.from(receipt.payment.value, 'base64').toString())
  // The payment of somebody who signed something else.
  payment.payload.signature = payment.payload.signature.replace(/^0x./, (head: string) =>
    head === '0x0' ? '0x1' : '0x0',
  )
  const value = Buffer.from(JSON.stringify(payment)).toString('base64')
  const forgeries: Record<string, unknown>[] = [
    { ...receipt, payment: { ...receipt.payment, value } },
    { ...receipt, amount: '999' },
    { ...receipt, payTo: RECIPIENT },
    { ...receipt, pid: receipt.pid.replace(/^./, (c: string) => (c === '0' ? '1' : '0')) },
    { ...receipt, terms: `${receipt.terms.slice(0, -4)}AAAA` },
    { ...receipt, payment: undefined },
    { groat: 'receipt/1' },
  ]
  await writeFile(file, `${forgeries.map((forged) => JSON.stringify(forged)).join('\n')}\nnot json\n`)
  const forged = await run(['receipts', 'verify', file])
  expect([forged.exitCode, forged.said]).toEqual([1, '  0 of 8 are good\n'])
  expect(JSON.parse((await run(['receipts', 'show', receipt.id.slice(0, 8), '--json'])).out).id).toBe(receipt.id)
  const shown = (await run(['receipts', 'show', receipt.id.slice(0, 8)])).out
  expect(shown).toMatch(/^id +[0-9a-f]{32}\nstate +settled\namount +0\.001 USDC\nscheme +exact on base-sepolia\n/)
  expect(shown).toMatch(/\ntask +forecast\n[\s\S]*\npayment +\S{40}… \(\d+ characters\)\n/)
  expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThan(110)
  expect((await run(['receipts', 'show', 'ffff'])).exitCode).toBe(1)
  expect(await readFile(file, 'utf8')).toContain('not json')
})

test('F2 an account is paid without a request: once per key, within the policy, and the chain agrees', async () => {
  const store = await openStore(join(folder, 'direct.db'))
  onTestFinished(() => store.close())
  const purse = await sqlIntents(store)
  const chains = await nodes()
  const buyer = createBuyer({
    schemes: [exactEvm({ account: privateKeyAccount(payerKey()) })],
    policy: { perDay: '$0.02' },
    purse,
    facilitator: createFacilitatorClient(sandbox.ready.facilitator.url),
    witness: witnessOf({ chains }),
  })
  const order = { amount: '$0.01', recipient: RECIPIENT, network: 'base-sepolia' }
  const keyed = { ...order, idempotencyKey: 'rent', metadata: { task: 'rent' } }
  const [first, again] = [await buyer.pay(keyed), await buyer.pay(keyed)]
  expect(first).toMatchObject({ status: 'settled', payment: { payTo: RECIPIENT, amount: 10_000n } })
  expect(again).toMatchObject({
    status: 'settled',
    receipt: { transaction: 'receipt' in first && first.receipt.transaction },
  })
  expect(await buyer.pay(order)).toMatchObject({ status: 'settled' })
  expect(await buyer.pay(order)).toMatchObject({ status: 'unpaid', code: 'budget_exceeded' })

  expect(await reconcile(purse, { chains })).toEqual({ settled: 2, void: 0, pending: 0, disputed: 0 })
  const [record] = await purse.records()
  expect(await findOnChain(record!.intent, chains, () => 7)).toMatchObject({
    status: 'settled',
    amount: '10000',
    at: 7,
  })

  const strict = createBuyer({
    schemes: [exactEvm({ account: privateKeyAccount(payerKey()) })],
    policy: { origins: ['https://api.example'] },
    facilitator: createFacilitatorClient(sandbox.ready.facilitator.url),
  })
  expect(await strict.pay(order)).toMatchObject({ status: 'unpaid', code: 'origin_not_allowed' })
})

test('F8 a wallet is made, funded, seen and paid with, and its key never stands in the open', async () => {
  const environment = { GROAT_PASSWORD: 'correct horse' }
  expect((await run(['wallet', 'new'])).exitCode).toBe(2)
  const made = JSON.parse((await run(['wallet', 'new', '--json'], { environment })).out)
  expect(made).toMatchObject({ chain: 'evm', address: expect.stringMatching(/^0x[0-9a-fA-F]{40}$/) })
  expect((await run(['wallet', 'fund', api, '--amount', '$0.05'], { environment })).exitCode).toBe(0)
  const node = `base-sepolia=${sandbox.ready.evm?.rpcUrl}`
  expect((await run(['wallet', 'balance', '--rpc', node])).out).toContain('base-sepolia  0.05  USDC')
  const paid = await run(['pay', `${api}/weather`, '--json'], { environment })
  expect([paid.exitCode, JSON.parse(paid.out).payer]).toEqual([0, made.address])
  expect((await run(['wallet', 'balance', '--rpc', node])).out).toContain('base-sepolia  0.049  USDC')
  expect((await run(['pay', `${api}/weather`], { environment: { GROAT_PASSWORD: 'wrong' } })).said).toContain(
    'keystore_unreadable',
  )
  expect((await run(['wallet', 'fund', 'https://api.example'], { environment })).exitCode).toBe(2)
})

test('F8 of several wallets the oldest pays, whatever it is called, and it is said which', async () => {
  const environment = { GROAT_PASSWORD: 'correct horse' }
  const keys = [1, 2, 3].map((digit) => `0x${String(digit).repeat(64)}`)
  const [oldest, ...others] = keys.map((key) => privateKeyAccount(key).address)
  const wallets = join(folder, 'wallets')
  for (const [at, GROAT_EVM_KEY] of keys.entries()) {
    const { out } = await run(['wallet', 'import', '--json'], { environment: { ...environment, GROAT_EVM_KEY } })
    await utimes(JSON.parse(out).file, 1_000 + at, 1_000 + at)
  }
  expect((await run(['wallet', 'fund', api], { environment })).said).toContain(
    `${others[0]} has $1 more on base-sepolia of the sandbox at ${api}, and coin for gas`,
  )
  const paid = await run(['pay', `${api}/weather`, '--json'], { environment })
  expect([JSON.parse(paid.out).payer, paid.said]).toEqual([
    oldest,
    expect.stringContaining(`of 3 EVM wallets the oldest pays, ${oldest}; --key-file names another`),
  ])
  const named = ['--key-file', join(wallets, `evm-${others[1]}.json`)]
  const other = await run(['pay', `${api}/weather`, '--json', ...named], { environment })
  expect([JSON.parse(other.out).payer, other.said.includes('oldest')]).toEqual([others[1], false])
  const node = `base-sepolia=${sandbox.ready.evm?.rpcUrl}`
  const balances = JSON.parse((await run(['wallet', 'balance', '--rpc', node, '--json'])).out)
  expect(balances[0]).toEqual({ address: oldest, network: 'base-sepolia', balance: '0.999', asset: 'USDC' })
})

test('CL-6 the receipt in the last event of a stream is kept with the payment, and goes out with it', async () => {
  const paid = await run(['pay', `${api}/radio`, '--network', 'base-sepolia'])
  expect([paid.exitCode, paid.said]).toEqual([0, expect.stringContaining('says at the end that it was paid in 0x')])
  const [, transaction] = /paid in (0x[0-9a-f]+)/.exec(paid.said) ?? []
  const [id = ''] = (await run(['receipts', 'list'])).out.split(' ')
  const kept = (await run(['receipts', 'show', id])).out
  expect(kept).toMatch(/^receipt +\S/m)
  const exported = JSON.parse((await run(['receipts', 'export'])).out)
  expect(JSON.parse(Buffer.from(exported.receipt, 'base64').toString())).toMatchObject({ success: true, transaction })
  expect((await run(['receipts', 'verify'])).out).toContain('receipt: fits')
})

test('a body is read from the file after @, as curl does, and a file that is not there sends nothing', async () => {
  const bytes = Uint8Array.of(0, 255, 10, 64)
  await writeFile(join(folder, 'order.bin'), bytes)
  const target = new URL('http://127.0.0.1:1/order')
  const { method, body } = await requestInit(target, { data: `@${join(folder, 'order.bin')}` })
  expect([method, body]).toEqual(['POST', bytes])
  expect((await requestInit(target, { data: 'a@b' })).body).toBe('a@b')
  const { exitCode, said } = await run(['pay', target.href, '-d', '@/nowhere/order.json'])
  expect([exitCode, said]).toEqual([2, expect.stringContaining('/nowhere/order.json cannot be read')])
})

test('a signer that is not there, or knows nobody by this token, is named', async () => {
  const environment = { GROAT_SIGNER: 'http://127.0.0.1:1', GROAT_SIGNER_TOKEN: 'a-token-that-is-long-enough' }
  const { exitCode, said } = await run(['pay', `${api}/weather`], { environment })
  expect([exitCode, said]).toEqual([3, expect.stringContaining('The signer at http://127.0.0.1:1 does not answer')])
  const io = recordedIo({ environment: { ...environment, GROAT_HOME: folder, GROAT_EVM_KEY: payerKey() } })
  const running = runCli(['signer', '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine)
  const stranger = { GROAT_SIGNER: ready.url, GROAT_SIGNER_TOKEN: 'another-that-is-long-enough' }
  const unknown = await run(['pay', `${api}/weather`], { environment: stranger })
  expect([unknown.exitCode, unknown.said]).toEqual([1, expect.stringContaining(`at ${ready.url} does not know you`)])
  io.stop()
  expect(await running).toBe(0)
})

test('F8 a remote signer signs within its own limits, whatever the one that pays would allow', async () => {
  const GROAT_SIGNER_TOKEN = 'a-token-that-is-long-enough'
  await writeFile(join(folder, 'signer.yaml'), 'per_payment: $0.01\nper_day: $0.002\n')
  const io = recordedIo({ environment: { GROAT_HOME: folder, GROAT_EVM_KEY: payerKey(), GROAT_SIGNER_TOKEN } })
  const running = runCli(['signer', '--policy', join(folder, 'signer.yaml'), '--port', '0'], io)
  const { ready } = JSON.parse(await io.firstLine)
  const environment = { GROAT_SIGNER: ready.url, GROAT_SIGNER_TOKEN }
  for (let call = 0; call < 2; call++) {
    const paid = await run(['pay', `${api}/weather`, '--json'], { environment })
    expect([paid.exitCode, JSON.parse(paid.out).payer.toLowerCase()]).toEqual([0, ready.accounts[0].address])
  }
  const third = await run(['pay', `${api}/weather`], { environment })
  expect([third.exitCode, third.said.includes('signer_refused'), third.said.includes('perDay')]).toEqual([
    1,
    true,
    true,
  ])
  // What was not signed is not counted by the one that pays.
  expect((await run(['receipts', 'list'])).out).toContain('unsent')
  io.stop()
  expect(await running).toBe(0)
})

/** A node in front of another, which does not know `eth_simulateV1`. */
async function olderNode(url: string): Promise<string> {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const asked: unknown = JSON.parse(text)
    const answers = (Array.isArray(asked) ? asked : [asked]).map(async (each) => {
      if (each.method === 'eth_simulateV1') {
        return { jsonrpc: '2.0', id: each.id, error: { code: -32601, message: 'method not found' } }
      }
      const headers = { 'content-type': 'application/json' }
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(each) })).json()
    })
    const all = await Promise.all(answers)
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(Array.isArray(asked) ? all : all[0]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  // A listening TCP server has an address and a port.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('F5 CL-7 a dry run shows what balances would become, and nothing is signed', async () => {
  const node = `base-sepolia=${sandbox.ready.evm?.rpcUrl}`
  const environment = { GROAT_EVM_KEY: payerKey() }
  const shown = await run(['pay', `${api}/weather`, '--dry-run', '--json', '--rpc', node], { environment })
  const { effect, offer, amount } = JSON.parse(shown.out)
  const [own, theirs] = effect.changes
  expect([shown.exitCode, effect.how, theirs.account]).toEqual([0, 'simulated', offer.payTo.toLowerCase()])
  expect(BigInt(own.before) - BigInt(own.after)).toBe(BigInt(amount))
  expect(BigInt(theirs.after) - BigInt(theirs.before)).toBe(BigInt(amount))
  expect(shown.said).toMatch(/0x[0-9a-f]{40}: [0-9.]+ -> [0-9.]+ USDC \(simulated\)/)
  // A sandbox says where its nodes are.
  expect((await run(['pay', `${api}/weather`, '--dry-run'], { environment })).said).toContain('(simulated)')
  expect((await run(['receipts', 'list'])).out).toBe('')

  // A node that knows no simulation is asked whether the transfer would succeed.
  const older = await olderNode(sandbox.ready.evm?.rpcUrl ?? '')
  const called = await run(['pay', `${api}/weather`, '--dry-run', '--json', '--rpc', `base-sepolia=${older}`], {
    environment,
  })
  expect(JSON.parse(called.out).effect).toEqual({ ...effect, how: 'called' })

  const poor = { GROAT_EVM_KEY: `0x${'77'.repeat(32)}` }
  const refused = await run(['pay', `${api}/weather`, '--rpc', node], { environment: poor })
  expect([refused.exitCode, refused.said.includes('insufficient_balance')]).toEqual([1, true])
})

test('a key is imported once and never written over', async () => {
  const environment = { GROAT_PASSWORD: 'correct horse', GROAT_EVM_KEY: `0x${'46'.repeat(32)}` }
  const first = await run(['wallet', 'import'], { environment })
  expect([first.exitCode, first.out]).toEqual([0, '0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f\n'])
  expect((await run(['wallet', 'import'], { environment })).exitCode).toBe(2)
  expect((await run(['wallet', 'new', '--chain', 'svm', '--json'], { environment })).exitCode).toBe(0)
})
