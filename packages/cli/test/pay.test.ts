import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { svmAccounts } from '@groat/sandbox'
import { decodeBase58 } from '@groat/svm/wire'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

let sandbox: Sandbox
let api: string
let folder: string
beforeAll(async () => {
  sandbox = await startSandbox()
  api = sandbox.ready.api?.url ?? ''
  folder = await mkdtemp(join(tmpdir(), 'groat-pay-'))
})
afterAll(async () => {
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

const run = async (args: readonly string[], environment: Record<string, string> = {}) => {
  const io = recordedIo({ environment: { GROAT_HOME: folder, ...environment } })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}

test('pay prints the answer, and what it cost beside it', async () => {
  const { exitCode, out, said } = await run(['pay', `${api}/weather`])
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toEqual({ temperature: 11, sky: 'overcast', wind: 'light' })
  expect(said).toMatch(
    /402 {2}127\.0\.0\.1:\d+ asks 0\.001 USDC on base-sepolia, valid \d+ s\n {2}paid 0x[0-9a-f]{64} in /,
  )
})

test('pay chooses by policy: the network that is asked for is paid on', async () => {
  const { exitCode, out } = await run(['pay', `${api}/weather`, '--network', 'solana-devnet', '--json'])
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ payment: 'settled', network: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1' })
})

test('pay --scheme upto signs a ceiling, and what the words cost moves on chain', async () => {
  const { exitCode, out, said } = await run(['pay', `${api}/chat?q=to+be+or+not`, '--scheme', 'upto', '--json'])
  expect(exitCode, said).toBe(0)
  const line = JSON.parse(out)
  expect(line).toMatchObject({ payment: 'settled', scheme: 'upto', body: { answer: 'not or be to', words: 4 } })
  const response = await fetch(sandbox.ready.evm?.rpcUrl ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getTransactionReceipt', params: [line.transaction] }),
  })
  const { result } = (await response.json()) as { result: { logs: { topics: string[]; data: string }[] } }
  expect(result.logs.map(({ data }) => BigInt(data === '0x' ? 0 : data))).toContain(4_000n)
  expect((await run(['pay', `${api}/chat`, '--scheme', 'exact'])).exitCode).toBe(1)
})

test('pay takes its options before the URL too, and each as often as it comes', async () => {
  const before = ['-H', 'Accept: application/json', '--scheme', 'upto', '--network', 'solana-devnet']
  const { exitCode, out, said } = await run(['pay', ...before, '--network', 'base-sepolia', `${api}/chat?q=ay`])
  expect([exitCode, said, JSON.parse(out || '{}')]).toEqual([0, expect.any(String), { answer: 'ay', words: 1 }])
})

test('pay --scheme batch-settlement fills a channel once; then vouchers pay by the byte, and the seller comes to its money', async () => {
  const seller = sandbox.ready.accounts.find(({ role }) => role === 'seller')?.evm?.address ?? ''
  const earned = async () => BigInt(await rpc('eth_call', [balanceOf(sandbox.ready.evm?.usdc ?? '', seller), 'latest']))
  const before = await earned()
  const buy = async (path: string) => {
    const { exitCode, out, said } = await run(['pay', `${api}${path}`, '--scheme', 'batch-settlement', '--json'])
    expect(exitCode, said).toBe(0)
    const { payment, scheme, transaction, body } = JSON.parse(out)
    return { payment, scheme, filled: transaction !== '', bytes: body.text.length }
  }
  const settled = { payment: 'settled', scheme: 'batch-settlement' }
  expect(await buy('/stream?bytes=250')).toEqual({ ...settled, filled: true, bytes: 250 })
  expect(await buy('/stream?bytes=1000')).toEqual({ ...settled, filled: false, bytes: 1000 })
  expect(await buy('/stream?bytes=0')).toEqual({ ...settled, filled: false, bytes: 0 })
  // A deposit is more than the offer asks for, and the receipt of an honest payment all the same.
  expect(await run(['receipts', 'verify', '--limit', '3'])).toMatchObject({ exitCode: 0 })
  // The sandbox's seller claims every two seconds.
  await expect.poll(async () => (await earned()) - before, { timeout: 20_000 }).toBe(12_500n)
})

test('what the sandbox says of itself is found, and bought from', async () => {
  const found = await run(['find', 'weather', '--max', '0.01', '--site', api, '--json'])
  const { url } = JSON.parse(found.out.split('\n')[0] ?? '{}')
  expect([found.exitCode, url]).toEqual([0, `${api}/weather`])
  expect((await run(['pay', url])).exitCode).toBe(0)
  // The page keeps its place.
  expect((await fetch(api)).headers.get('content-type')).toContain('text/html')
})

test('what lists no price is counted where a limit is named', async () => {
  const site = createServer((request, answer) =>
    answer.end(JSON.stringify(request.url === '/.well-known/x402' ? { resources: ['/quiet'] } : {})),
  ).listen(0, '127.0.0.1')
  onTestFinished(() => void site.close())
  await once(site, 'listening')
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  expect((await run(['find', '--max', '0.0001', '--site', url])).said).toContain('1 of them without a listed price')
  expect((await run(['find', '--site', url])).said).not.toContain('listed price')
})

test('pay uses a bundle and a pass that were bought before it pays again', async () => {
  const buy = async (path: string) => JSON.parse((await run(['pay', `${api}${path}`, '--json'])).out)
  const twice = async (path: string) => [(await buy(path)).payment, (await buy(path)).payment]
  expect([await twice('/search'), await twice('/archive')]).toEqual([
    ['settled', 'owned'],
    ['settled', 'owned'],
  ])
  expect((await run(['pay', `${api}/search`])).said).toContain('not paid again: it was bought before, and 7 are left')
})

test('pay --scheme auth-capture puts money into escrow; what ships is paid out, and the rest comes back', async () => {
  const address = (wanted: string) => sandbox.ready.accounts.find(({ role }) => role === wanted)?.evm?.address ?? ''
  const balances = async () => {
    const of = async (role: string) => BigInt(await rpc('eth_call', [balanceOf(usdc, address(role)), 'latest']))
    return { buyer: await of('payer'), seller: await of('seller') }
  }
  const usdc = sandbox.ready.evm?.usdc ?? ''
  const before = await balances()
  const { exitCode, out, said } = await run(['pay', `${api}/order`, '--scheme', 'auth-capture', '--json'])
  expect(exitCode, said).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    payment: 'settled',
    scheme: 'auth-capture',
    amount: '50000',
    body: { ordered: 5, ships: 3 },
  })
  const moved = async () => {
    const now = await balances()
    return [before.buyer - now.buyer, now.seller - before.seller]
  }
  // The sandbox's seller ships every two seconds: first what it captures, then what it lets go.
  await expect.poll(moved, { timeout: 25_000 }).toEqual([30_000n, 30_000n])
})

test('EVM-BATCH-080 EVM-BATCH-087 channels are listed, refunded by their seller, and left without it', async () => {
  const node = sandbox.ready.evm?.rpcUrl ?? ''
  const payer = sandbox.ready.accounts.find(({ role }) => role === 'payer3')?.evm
  const environment = { GROAT_EVM_KEY: payer?.privateKey ?? '', GROAT_HOME: join(folder, 'apart') }
  const has = async () =>
    BigInt(await rpc('eth_call', [balanceOf(sandbox.ready.evm?.usdc ?? '', payer?.address ?? ''), 'latest']))
  const had = await has()
  const buy = () => run(['pay', `${api}/stream?bytes=100`, '--scheme', 'batch-settlement', '--yes'], environment)
  const list = async () =>
    JSON.parse((await run(['channels', 'list', '--json', '--rpc', node], environment)).out.split('\n')[0] ?? '')
  expect((await buy()).exitCode).toBe(0)
  const before = await list()
  const spent = BigInt(before.charged)
  const left = BigInt(before.refundable)
  expect([spent > 0n, left > 0n]).toEqual([true, true])
  const part = await run(['channels', 'refund', `${api}/stream`, '--amount', '$0.005', '--json'], environment)
  expect([part.exitCode, JSON.parse(part.out)]).toMatchObject([0, { status: 'refunded', amount: '5000' }])
  const rest = await run(['channels', 'refund', `${api}/stream`], environment)
  expect([rest.exitCode, rest.out], rest.said).toEqual([0, expect.stringMatching(/USDC refunded {2}0x[0-9a-f]{64}\n$/)])
  expect(had - (await has())).toBe(spent)
  expect(await list()).toMatchObject({ refundable: '0', locked: '0' })
  expect((await run(['channels', 'refund', `${api}/stream`], environment)).exitCode).toBe(1)

  // Filled again, and left: begun now, ended when the delay is over.
  expect((await buy()).exitCode).toBe(0)
  const { channelId, locked, refundable } = await list()
  const withdraw = () => run(['channels', 'withdraw', channelId.slice(0, 12), '--rpc', node, '--json'], environment)
  const begun = await withdraw()
  expect(begun.exitCode, begun.said).toBe(0)
  expect(JSON.parse(begun.out)).toMatchObject({ ok: true })
  // The seller of the sandbox may have claimed meanwhile.
  expect([locked, refundable]).toContain(JSON.parse(begun.out).channel.withdrawing)
  const early = await withdraw()
  expect([early.exitCode, JSON.parse(early.out)]).toMatchObject([1, { code: 'channel_withdrawal_early' }])
  expect((await run(['channels', 'list', '--rpc', node], environment)).out).toContain('on its way out')
  expect((await run(['channels', 'withdraw', '0x99', '--rpc', node], environment)).exitCode).toBe(1)
})

const balanceOf = (to: string, owner: string) => ({
  to,
  data: `0x70a08231${owner.slice(2).toLowerCase().padStart(64, '0')}`,
})

async function rpc(method: string, params: unknown): Promise<string> {
  const response = await fetch(sandbox.ready.evm?.rpcUrl ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return ((await response.json()) as { result: string }).result
}

test('a Solana key pays by itself, as base58 or as solana-keygen writes it', async () => {
  const { svm } = sandbox.ready
  const payer2 = sandbox.ready.accounts.find(({ role }) => role === 'payer2')?.svm
  const keyFile = join(folder, 'id.json')
  const bytes = [...(decodeBase58(payer2?.secretKey ?? '') ?? [])]
  await writeFile(keyFile, JSON.stringify(bytes), { mode: 0o600 })
  const paid = await Promise.all([
    run(['pay', `${api}/weather`, '--json', '--svm-rpc', svm?.rpcUrl ?? '', '--key-file', keyFile]),
    run(['pay', `${api}/report`, '--json'], {
      GROAT_SVM_KEY: payer2?.secretKey ?? '',
      GROAT_SVM_RPC: svm?.rpcUrl ?? '',
    }),
  ])
  for (const { exitCode, out } of paid) {
    expect([exitCode, JSON.parse(out)]).toMatchObject([0, { payment: 'settled', payer: payer2?.address }])
  }
})

test('pay --json is one line with the receipt', async () => {
  const { exitCode, out } = await run(['pay', `${api}/report`, '--json'])
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    status: 200,
    payment: 'settled',
    amount: '50000',
    x402Version: 2,
    body: { pages: 42 },
  })
})

test('pay writes the answer to a file', async () => {
  const file = join(folder, 'answer.json')
  const { exitCode, out } = await run(['pay', `${api}/weather`, '-o', file])
  expect([exitCode, out]).toEqual([0, ''])
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ temperature: 11 })
})

test('what is above the limit is not paid, and the rule is named', async () => {
  const { exitCode, out, said } = await run(['pay', `${api}/report`, '--max', '$0.01'])
  expect([exitCode, out]).toEqual([1, ''])
  expect(said).toContain('amount_over_limit')
})

test('a dry run shows what would be signed and signs nothing', async () => {
  const before = await run(['pay', `${api}/weather`, '--dry-run'])
  expect(before.exitCode).toBe(0)
  expect(JSON.parse(before.out)).toMatchObject({ network: 'eip155:84532', authorization: { value: '1000' } })
})

test('F5 a dry run on Solana shows what the token accounts would hold', async () => {
  const { svm } = sandbox.ready
  const payer2 = sandbox.ready.accounts.find(({ role }) => role === 'payer2')?.svm
  const shown = await run(['pay', `${api}/weather`, '--dry-run', '--json'], {
    GROAT_SVM_KEY: payer2?.secretKey ?? '',
    GROAT_SVM_RPC: svm?.rpcUrl ?? '',
  })
  const { effect, offer } = JSON.parse(shown.out)
  const [own, theirs] = effect.changes
  expect([effect.how, own.account, theirs.account]).toEqual(['simulated', payer2?.address, offer.payTo])
  expect([BigInt(own.before) - BigInt(own.after), BigInt(theirs.after) - BigInt(theirs.before)]).toEqual([1000n, 1000n])
})

test('a free answer is just printed', async () => {
  const { exitCode, out } = await run(['pay', `${api}/sandbox/state`])
  expect(exitCode).toBe(0)
  expect(JSON.parse(out)).toHaveProperty('accounts')
})

test('exit codes tell usage, a no and an absent seller apart', async () => {
  const keyFile = join(folder, 'key')
  await writeFile(keyFile, `0x${'11'.repeat(32)}`, { mode: 0o644 })
  const codes = await Promise.all([
    run(['pay', 'weather']),
    run(['pay', 'ftp://api.example/weather']),
    run(['pay', `${api}/weather`, '-H', 'no colon']),
    run(['pay', `${api}/weather`, '--max', 'much']),
    run(['pay', `${api}/weather`, '--key-file', keyFile]),
    run(['pay', 'https://api.example.invalid/']),
    run(['pay', `${api}/weather`], { GROAT_EVM_KEY: 'not a key' }),
    run(['pay', `${api}/nowhere`]),
    run(['pay', 'http://127.0.0.1:9/']),
  ])
  expect(codes.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2, 2, 2, 2, 1, 3])
  for (const { said } of codes) expect(said).not.toMatch(/\n\s+at /)
})

test('a payer without money signs nothing, and is told so', async () => {
  const { exitCode, out } = await run(['pay', `${api}/weather`, '--json'], { GROAT_EVM_KEY: `0x${'22'.repeat(32)}` })
  expect(exitCode).toBe(1)
  expect(JSON.parse(out)).toMatchObject({
    status: 402,
    payment: 'unpaid',
    code: 'no_acceptable_offer',
    refusals: [
      { rule: 'balance', code: 'insufficient_balance', network: 'eip155:84532', scheme: 'exact' },
      { rule: 'schemes', code: 'missing_scheme' },
    ],
  })
})

test('F8 a Solana wallet is made, funded where it had no token account, and paid with; a file of solana-keygen is imported', async () => {
  const home = await mkdtemp(join(tmpdir(), 'groat-svm-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const environment = { GROAT_PASSWORD: 'correct horse', GROAT_HOME: home }
  const made = JSON.parse((await run(['wallet', 'new', '--chain', 'svm', '--json'], environment)).out)
  const funded = await run(['wallet', 'fund', api, '--amount', '$0.05'], environment)
  expect([funded.exitCode, funded.said]).toEqual([0, expect.stringContaining('has $0.05 more on solana-devnet')])
  const svmRpc = ['--svm-rpc', sandbox.ready.svm?.rpcUrl ?? '']
  const paid = await run(['pay', `${api}/weather`, '--json', ...svmRpc], environment)
  expect([paid.exitCode, JSON.parse(paid.out).payer]).toEqual([0, made.address])
  // Closed, it is not taken for no wallet at all.
  const closed = await run(['pay', 'https://api.example/weather', '--yes'], { GROAT_HOME: home })
  expect([closed.exitCode, closed.said]).toEqual([2, expect.stringContaining('GROAT_PASSWORD')])

  const { secretKey, address } = svmAccounts[1]
  const file = join(home, 'id.json')
  await writeFile(file, JSON.stringify([...(decodeBase58(secretKey) ?? [])]), { mode: 0o644 })
  const open = await run(['wallet', 'import', '--key-file', file], environment)
  expect([open.exitCode, open.said]).toEqual([2, expect.stringContaining('can be read by others')])
  await chmod(file, 0o600)
  expect((await run(['wallet', 'import', '--key-file', file], environment)).out).toBe(`${address}\n`)
  const again = await run(['wallet', 'import', '--key-file', file], environment)
  expect([again.exitCode, again.said]).toEqual([2, expect.stringContaining('is there already')])
})

test('an answer that cannot be written after all is printed with its receipt', async () => {
  const doomed = await mkdtemp(join(folder, 'doomed-'))
  const io = recordedIo({ environment: { GROAT_HOME: join(folder, 'apart') } })
  const say = (line: string) => {
    if (line.startsWith('  402')) rmSync(doomed, { recursive: true })
    io.say(line)
  }
  const exitCode = await runCli(['pay', `${api}/weather`, '-o', join(doomed, 'answer.json')], { ...io, say })
  expect([exitCode, JSON.parse(io.written())]).toMatchObject([1, { temperature: 11 }])
  expect(io.said()).toMatch(
    /paid 0x[0-9a-f]{64} in .*\n {2}\S+answer\.json cannot be written: ENOENT; the answer follows\n$/,
  )
})

test('a refusal says its reason, and does not print the challenge', async () => {
  const environment = { GROAT_EVM_KEY: `0x${'22'.repeat(32)}`, GROAT_HOME: join(folder, 'poor') }
  const { exitCode, out, said } = await run(['pay', `${api}/weather`], environment)
  expect([exitCode, out]).toEqual([1, ''])
  expect(said).toMatch(
    /exact on base-sepolia: 0x[0-9a-f]{40} has 0 USDC, and 0\.001 USDC is asked \(insufficient_balance\)/i,
  )
  expect(said).toContain('Fund the account, or name the file of another with --key-file.')
  expect(said).not.toContain('accepts')
  // Sold by two ways in which one asset moves, which are one to a person.
  const errand = await run(['pay', `${api}/errand`], environment)
  expect(errand.said.match(/has 0 USDC/g)).toHaveLength(1)
})

// Last: what is paid here reaches the seller some time later.
test('pay says what is a price, what a ceiling, what a deposit and what is held, and what was taken in the end', async () => {
  const environment = {
    GROAT_EVM_KEY: sandbox.ready.accounts.find(({ role }) => role === 'payer2')?.evm?.privateKey ?? '',
  }
  const said = async (path: string, ...args: string[]) => {
    const paid = await run(['pay', `${api}${path}`, ...args], environment)
    expect(paid.exitCode, paid.said).toBe(0)
    return paid.said
  }
  const apart = ['--store', join(folder, 'apart.db')]
  const ceiling = ['--scheme', 'upto', ...apart]
  expect(await said('/chat?q=to+be', ...ceiling)).toMatch(
    /asks up to 0\.05 USDC on .*\n {2}paid 0\.002 USDC of 0\.05 USDC, 0x[0-9a-f]{64} in /,
  )
  expect(await said('/download', ...ceiling)).toMatch(
    /answered; says at the end that it took 0\.0[0-9]+ USDC of 0\.05 USDC, 0x/,
  )
  const channel = ['--scheme', 'batch-settlement', ...apart]
  expect(await said('/stream?bytes=100', ...channel)).toMatch(
    /asks 0\.01 USDC out of a channel, and 0\.05 USDC to fill it on .*\n {2}paid 0\.001 USDC of 0\.05 USDC, 0x/,
  )
  expect(await said('/stream?bytes=200', ...channel)).toMatch(
    /asks 0\.01 USDC out of a channel on .*\n {2}paid 0\.002 USDC of 0\.01 USDC, without a transaction in /,
  )
  // More than the deposit was for: the channel is filled again.
  for (let times = 0; times < 3; times++) await said('/stream?bytes=1000', ...channel)
  expect(await said('/stream?bytes=1000', ...channel)).toContain('out of a channel on')
  expect(await said('/stream?bytes=1000', ...channel)).toContain('USDC to fill it on')
  const listed = await run(['receipts', 'list', ...apart])
  expect(listed.out).toMatch(/ {2}0\.002 USDC of 0\.05 USDC +base-sepolia/)
  expect(await said('/order', '--scheme', 'auth-capture', ...apart)).toMatch(
    /asks to hold 0\.05 USDC until \d{4}-\d\d-\d\dT\d\d:\d\dZ on .*\n {2}held 0x[0-9a-f]{64} in /,
  )
  const dry = async (...args: string[]) =>
    (await said(...(args as [string]), '--dry-run')).match(/ -> .* \(simulated\)/g)
  expect(await dry('/chat', ...ceiling)).toHaveLength(2)
  // What is held is not the seller's yet, and a voucher moves nothing.
  expect(await dry('/order', '--scheme', 'auth-capture', ...apart)).toHaveLength(1)
  expect(await dry('/stream', ...channel)).toBe(null)
}, 90_000)

test('a scheme that is left out, and one that nobody knows, are told apart', async () => {
  const left = await run(['pay', `${api}/weather`, '--scheme', 'upto'])
  expect([left.exitCode, left.said]).toEqual([
    1,
    expect.stringContaining('exact on base-sepolia: not among --scheme upto'),
  ])
  expect(left.said).toContain('Name a scheme of the offers with --scheme, or leave it out.')
  const slip = await run(['pay', `${api}/weather`, '--scheme', 'upt'])
  expect([slip.exitCode, slip.said]).toEqual([2, expect.stringContaining('No key here pays by upt')])
})

test('a refusal in words that are no code names them, and no reference where there is none', async () => {
  const offers = (await fetch(`${api}/weather`)).headers.get('payment-required') ?? ''
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64')
  const seller = createServer(({ headers }, answer) => {
    const resource = { url: `http://${headers.host}/weather` }
    answer.setHeader('payment-required', encoded({ ...JSON.parse(atob(offers)), resource }))
    const network = 'eip155:84532'
    const refusal = { success: false, errorReason: 'Settle failed\u001b[2J (500): {}', transaction: '', network }
    if (headers['payment-signature']) answer.setHeader('payment-response', encoded(refusal))
    answer.writeHead(402).end('{}')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void seller.close())
  await once(seller, 'listening')
  const own = await mkdtemp(join(folder, 'words-'))
  const env = { GROAT_HOME: own }
  const { exitCode, said } = await run(
    ['pay', `http://127.0.0.1:${(seller.address() as AddressInfo).port}/weather`],
    env,
  )
  expect(exitCode, said).toBe(1)
  expect(said).toContain('(unexpected_settle_error)\n  the seller says: Settle failed[2J (500): {}\n  Present the same')
  expect(said).toContain('quote the reference if there is one')
})
