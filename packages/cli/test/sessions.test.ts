import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exactEvm as sells } from '@groat/evm/exact/server'
import {
  type DelegationManager,
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  type EvmChain,
  startEvmChain,
} from '@groat/sandbox'
import { createMemoryClaims, paywall } from '@groat/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Served, serveLocally } from '../src/sandbox/serve.js'
import { recordedIo } from './io.js'

// Session keys through everything: a facilitator from its file, a seller, and the command line, on a real chain.

let chain: EvmChain
let manager: DelegationManager
let folder: string
let seller: Served
let running: Promise<number>
const facilitator = recordedIo()

beforeAll(async () => {
  chain = await startEvmChain()
  folder = await mkdtemp(join(tmpdir(), 'groat-sessions-'))
  manager = await deployDelegationManager(chain)
  await delegate7702(chain, chain.account('payer').address, await deployDelegatorAccount(chain, manager.address))
  await writeFile(
    join(folder, 'pay.yaml'),
    `listen: 127.0.0.1:0\nstore: pay.db\nnetworks:\n  base-sepolia:\n    rpc: ["${chain.rpcUrl}"]\n    signers: ["\${KEY}"]\n    delegations: { managers: ["${manager.address}"] }\n`,
  )
  const io = { ...facilitator, environment: { KEY: chain.account('facilitator').privateKey } }
  running = runCli(['facilitator', join(folder, 'pay.yaml'), '--json'], io)
  const { ready } = JSON.parse(await Promise.race([facilitator.firstLine, running.then(() => facilitator.said())]))
  const paid = paywall({
    facilitator: ready.url,
    payTo: { 'base-sepolia': chain.account('seller').address },
    schemes: [sells],
    store: createMemoryClaims({ singleProcess: true }),
  })
  await paid.ready()
  const extra = { assetTransferMethod: 'erc7710' }
  const routes: Record<string, (request: Request) => Promise<Response> | Response> = {
    '/cheap': paid({ price: '$0.001', offers: [{ extra }] }, () => new Response('cheap')),
    '/dear': paid({ price: '$0.002', offers: [{ extra }] }, () => new Response('dear')),
  }
  seller = await serveLocally((request) => {
    const route = routes[new URL(request.url).pathname]
    return route === undefined ? new Response(null, { status: 404 }) : route(request)
  }, 0)
  await writeFile(
    join(folder, 'contracts.json'),
    JSON.stringify({ manager: manager.address, enforcers: manager.enforcers }),
  )
}, 120_000)
afterAll(async () => {
  await seller?.close()
  facilitator.stop()
  await running
  await chain?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const io = recordedIo({ environment: { GROAT_HOME: folder, GROAT_PASSWORD: 'pass', ...environment } })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}
const owner = () => ({ GROAT_EVM_KEY: chain.account('payer').privateKey })
const grant = (name: string, ...more: readonly string[]) => {
  const terms = ['--network', 'base-sepolia', '--contracts', join(folder, 'contracts.json')]
  return run(['wallet', 'session', 'new', name, ...terms, ...more, '--json'], owner())
}
const pay = (name: string, path: string) => run(['pay', `${seller.url}${path}`, '--session', name, '--json'])
const earned = () => chain.balance(chain.account('seller').address)

test('EVM-EXACT-161 EVM-EXACT-162 EVM-EXACT-163 a session pays within its limits without the owner’s key, and is ended', async () => {
  const made = await grant(
    'errands',
    '--total',
    '$0.0025',
    '--per-payment',
    '$0.001',
    '--pay-to',
    chain.account('seller').address,
  )
  expect(made.exitCode, made.said).toBe(0)
  expect(JSON.parse(made.out)).toMatchObject({ limits: { total: '2500', perPayment: '1000' } })
  expect((await grant('errands', '--total', '$1')).exitCode).toBe(2)
  const before = await earned()

  const first = await pay('errands', '/cheap')
  expect(first.exitCode, first.said).toBe(0)
  expect(JSON.parse(first.out)).toMatchObject({
    ...{ payment: 'settled', amount: '1000', body: 'cheap' },
    payer: chain.account('payer').address.toLowerCase(),
  })
  const dear = await pay('errands', '/dear')
  expect([dear.exitCode, dear.said]).toEqual([1, expect.stringContaining('amount_over_limit')])

  expect((await pay('errands', '/cheap')).exitCode).toBe(0)
  // Half of a price is left: its own purse knows, and otherwise the chain does.
  const third = await pay('errands', '/cheap')
  expect([third.exitCode, JSON.parse(third.out).code]).toEqual([1, 'budget_exceeded'])
  expect(third.said).toContain('the session allows 0.0025 USDC in all: 0.0005 USDC is left')
  expect((await earned()) - before).toBe(2000n)
  const node = `base-sepolia=${chain.rpcUrl}`
  const list = await run(['wallet', 'session', 'list', '--rpc', node])
  expect(list.out).toMatch(
    /^errands {2}base-sepolia {2}0\.002 USDC of 0\.0025 USDC {2}0\.001 USDC at once {2}to 0x\w{40} {2}until /,
  )

  const stranger = { GROAT_EVM_KEY: chain.account('payer3').privateKey }
  expect((await run(['wallet', 'session', 'revoke', 'errands', '--rpc', node], stranger)).exitCode).not.toBe(0)
  const kept = await readFile(join(folder, 'sessions', 'errands.json'), 'utf8')
  expect((await run(['wallet', 'session', 'revoke', 'errands', '--rpc', node], owner())).said).toBe('')
  expect((await pay('errands', '/cheap')).exitCode).toBe(1)
  // Whoever has kept a copy of the key has nothing either.
  await writeFile(join(folder, 'sessions', 'copy.json'), kept)
  expect((await run(['wallet', 'session', 'list', '--rpc', node])).out).toContain('ended')
  expect((await earned()) - before).toBe(2000n)
}, 120_000)

test('a session that is over pays nothing, and what is no session is said', async () => {
  await writeFile(join(folder, 'policy.yaml'), 'per_payment: $0.0015\n')
  const made = await grant('policy', '--total', '$1', '--lasts', '30m')
  await rm(join(folder, 'policy.yaml'))
  expect(JSON.parse(made.out)).toMatchObject({ limits: { perPayment: '1500' } })
  // So does what it says of a day and of who is paid; on the command line it is narrowed, and never widened.
  const [seller, other] = [chain.account('seller').address, chain.account('payer3').address]
  await writeFile(join(folder, 'policy.yaml'), `per_day: $0.002\nrecipients: ['${seller}', '${other}']\n`)
  const limitsOf = async (name: string, ...more: string[]) => {
    const granted = await grant(name, '--total', '$1', ...more)
    expect(granted.exitCode, granted.said).toBe(0)
    return JSON.parse(granted.out).limits
  }
  expect([
    await limitsOf('day'),
    await limitsOf('less', '--per-day', '$0.0005', '--pay-to', seller, '--pay-to', chain.account('payer4').address),
  ]).toMatchObject([
    { perDay: '2000', recipients: [seller, other] },
    { perDay: '500', recipients: [seller] },
  ])
  expect((await grant('none', '--total', '$1', '--pay-to', chain.account('payer4').address)).exitCode).toBe(2)
  await rm(join(folder, 'policy.yaml'))
  // Another request each: what was refused before is presented again, until it has expired.
  const daily = await pay('day', '/cheap?by=day')
  expect(daily.exitCode, daily.said).toBe(0)
  expect((await pay('less', '/cheap?by=less')).said).toContain('budget_exceeded')
  expect((await run(['wallet', 'session', 'list'])).out).toContain('0.002 USDC a day')
  const file = join(folder, 'sessions', 'policy.json')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/"expiresAt":\d+/, '"expiresAt":1'))
  expect(await pay('policy', '/cheap')).toMatchObject({
    exitCode: 1,
    said: expect.stringContaining('lifetime_over_limit'),
  })
  // Limits that the owner did not sign.
  await writeFile(file, text.replace('"total":"1000000"', '"total":"9000000"'))
  const forged = await pay('policy', '/cheap')
  expect([forged.exitCode, JSON.parse(forged.out).code]).toEqual([1, 'erc7710_simulation_failed'])
  expect((await pay('nobody', '/cheap')).exitCode).toBe(1)
  expect((await grant('..', '--total', '$1')).exitCode).toBe(2)
  expect((await grant('x', '--total', 'much')).exitCode).toBe(2)
  expect((await grant('x', '--total', '$1', '--lasts', 'long')).exitCode).toBe(2)
  expect((await grant('x', '--total', '$1', '--pay-to', 'bob')).exitCode).toBe(2)
}, 120_000)
