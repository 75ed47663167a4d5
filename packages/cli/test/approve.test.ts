import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uptoEvm as sells } from '@groat/evm/upto/server'
import { createMemoryClaims, paywall } from '@groat/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { type Served, serveLocally } from '../src/sandbox/serve.js'
import { recordedIo } from './io.js'

// Payments that go through Permit2, by accounts that have not approved it yet.

let sandbox: Sandbox
let folder: string
let seller: Served
let runs = 0

beforeAll(async () => {
  sandbox = await startSandbox({ only: 'evm' })
  folder = await mkdtemp(join(tmpdir(), 'groat-approve-'))
  const { facilitator, accounts } = sandbox.ready
  const payTo = accounts.find(({ role }) => role === 'seller')?.evm?.address ?? ''
  // Nobody pays for approvals here, and nothing tells of the sandbox's node.
  const paid = paywall({
    facilitator: facilitator.url,
    payTo: { 'base-sepolia': payTo },
    schemes: [{ ...sells, announces: () => ({}) }],
    store: createMemoryClaims({ singleProcess: true }),
  })
  await paid.ready()
  const chat = paid({ price: '$0.05' }, (_, payment) => {
    runs++
    payment.charge(2_000n)
    return new Response('two words')
  })
  seller = await serveLocally(chat, 0)
}, 120_000)
afterAll(async () => {
  await seller?.close()
  await sandbox?.stop()
  await rm(folder, { recursive: true, force: true })
})

const keyOf = (role: string) => sandbox.ready.accounts.find((each) => each.role === role)?.evm?.privateKey ?? ''
const node = () => `base-sepolia=${sandbox.ready.evm?.rpcUrl}`

async function groat(role: string, args: readonly string[], ask?: (question: string) => Promise<boolean>) {
  const io = recordedIo({ environment: { GROAT_HOME: folder, GROAT_EVM_KEY: keyOf(role) }, ...(ask && { ask }) })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}
const usdc = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const permit2 = '0x000000000022d473030f116ddee9f6b43ac78ba3'

test('pay says which approval is missing before it signs, and the command that it names mends it', async () => {
  const pay = ['pay', `${seller.url}/chat`, '--rpc', node()]
  const refused = await groat('payer2', pay)
  expect(refused.exitCode).toBe(1)
  expect(refused.said).toContain(`allowance missing: Permit2 (${permit2}) may not take enough USDC (${usdc})`)
  const [, command = ''] = /^ {4}(groat wallet approve .*)$/m.exec(refused.said) ?? []
  expect(command).toBe(
    `groat wallet approve --network base-sepolia --token USDC --amount 0.05 --rpc base-sepolia=${sandbox.ready.evm?.rpcUrl}`,
  )
  const json = JSON.parse((await groat('payer2', [...pay, '--json'])).out)
  expect(json.refusals).toMatchObject([
    { code: 'permit2_allowance_required', approve: { token: usdc, spender: permit2, amount: '50000', command } },
  ])

  const questions: string[] = []
  const approved = await groat('payer2', command.split(' ').slice(1), async (question) => questions.push(question) > 0)
  expect([approved.exitCode, questions], approved.said).toEqual([0, ['  Let it take 0.05 USDC?']])
  expect(approved.said).toMatch(/may take 0 USDC of 0x\w{40} on base-sepolia\n {2}will be let take 0\.05 USDC/)
  expect(approved.out).toMatch(/^approved {2}0x[0-9a-f]{64}\n$/)
  const paid = await groat('payer2', [...pay, '--json'])
  expect(JSON.parse(paid.out)).toMatchObject({ payment: 'settled', scheme: 'upto' })
}, 60_000)

test('HTTP-066 where no node can be asked, the seller says it, and the same payment goes through once it is approved', async () => {
  const pay = ['pay', `${seller.url}/chat?apart`]
  runs = 0
  const refused = await groat('payer3', pay)
  expect([refused.exitCode, refused.said]).toEqual([1, expect.not.stringContaining('not known')])
  expect(refused.said).toMatch(
    /refused {2}allowance missing: Permit2 \(0x\w{40}\) may not take enough USDC \(0x\w{40}\)/,
  )
  expect(refused.said).toContain('--network base-sepolia --token USDC --amount 0.05 --rpc base-sepolia=https://…')
  const json = JSON.parse((await groat('payer3', [...pay, '--json'])).out)
  expect(json).toMatchObject({
    status: 412,
    payment: 'refused',
    code: 'permit2_allowance_required',
    approve: { token: usdc },
  })

  expect(runs).toBe(0)

  const approve = ['wallet', 'approve', '--network', 'base-sepolia', '--rpc', node(), '--yes', '--json']
  const approved = await groat('payer3', [...approve, '--amount', '$5'])
  expect(JSON.parse(approved.out)).toMatchObject({
    ...{ network: 'eip155:84532', token: usdc, spender: permit2, before: '0', allowance: '5000000' },
    transactions: [expect.stringMatching(/^0x[0-9a-f]{64}$/)],
  })
  expect(JSON.parse((await groat('payer3', [...pay, '--json'])).out)).toMatchObject({ payment: 'settled' })
  expect(JSON.parse((await groat('payer3', [...approve, '--amount', '0'])).out)).toMatchObject({ allowance: '0' })
}, 60_000)

test('an approval stays within the policy, and nobody is let take anything unasked', async () => {
  const approve = ['wallet', 'approve', '--network', 'base-sepolia', '--rpc', node()]
  const unasked = await groat('payer4', [...approve, '--amount', '$1'])
  expect([unasked.exitCode, unasked.said]).toEqual([2, expect.stringContaining('--yes')])
  expect((await groat('payer4', [...approve, '--amount', '$1'], async () => false)).exitCode).toBe(1)

  const file = join(folder, 'policy.yaml')
  const within = async (policy: string, amount: string) => {
    await writeFile(file, policy)
    const { exitCode, said } = await groat('payer4', [...approve, '--amount', amount, '--policy', file, '--yes'])
    return exitCode === 0 ? 'approved' : /decided by `(\w+)`/.exec(said)?.[1]
  }
  expect([
    await within('allowance: $2', '$5'),
    await within('allowance: $2', 'unlimited'),
    await within('allowance: exact', '$0.01'),
    await within('networks: [base]', '$1'),
    await within('assets: [EURC]', '$1'),
    await within('stopped: true', '$1'),
  ]).toEqual(['allowance', 'allowance', 'allowance', 'networks', 'assets', 'stopped'])
  expect([await within('allowance: $2', '$2'), await within('stopped: true', '0')]).toEqual(['approved', 'approved'])
  for (const wrong of [
    ['--amount', 'much'],
    ['--amount', '$1', '--token', 'NOPE'],
  ]) {
    expect((await groat('payer4', [...approve, ...wrong, '--yes'])).exitCode).toBe(2)
  }
}, 60_000)
