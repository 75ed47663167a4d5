import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPayer } from '@groat/client'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvmByDelegation } from '@groat/evm/exact/erc7710/client'
import { parseSession, sessionAccount } from '@groat/evm/session'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import type { ReadyLine } from '../src/sandbox/sandbox.js'
import { openKeystore } from '../src/wallet/keystore.js'
import { recordedIo } from './io.js'

// What the README says of session keys, against a sandbox, from nothing to the end.

const sandbox = recordedIo()
let running: Promise<number>
let ready: ReadyLine
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-session-keys-'))
  running = runCli(['sandbox', '--json', '--port', '0', '--only', 'evm'], sandbox)
  ready = JSON.parse(await sandbox.firstLine).ready
}, 120_000)
afterAll(async () => {
  sandbox.stop()
  await running
  await rm(folder, { recursive: true, force: true })
})

const PASSWORD = 'correct-horse'

async function groat(...args: readonly string[]) {
  const io = recordedIo({ environment: { GROAT_HOME: folder, GROAT_PASSWORD: PASSWORD } })
  return { exitCode: await runCli(args, io), out: io.written(), said: io.said() }
}

/** A command of the README, on this sandbox's ports and in this folder. */
async function command(line: string) {
  const here = line
    .replaceAll('http://127.0.0.1:4402', String(ready.api?.url))
    .replaceAll('http://127.0.0.1:4404', String(ready.evm?.rpcUrl))
    .replaceAll(/(?<= )contracts\.json/g, join(folder, 'contracts.json'))
  const [program, ...args] = here.split(/ +/).map((word) => word.replaceAll("'", ''))
  // The API's port is the one that need not be said.
  if (line === 'groat wallet fund') return groat(...args, String(ready.api?.url))
  if (program === 'groat') return groat(...args)
  expect([program, args[0]]).toEqual(['curl', '-o'])
  await writeFile(String(args[1]), await (await fetch(String(args[2]))).text())
  return { exitCode: 0, out: '', said: '' }
}

/** Pays with the session's key and nothing that holds it back: whoever has stolen it. */
async function payFreely(name: string) {
  const { session, key } = JSON.parse(await readFile(join(folder, 'sessions', `${name}.json`), 'utf8'))
  const { secret } = openKeystore(JSON.stringify(key), PASSWORD)
  const read = parseSession(JSON.stringify(session))
  if (read === undefined) throw new TypeError('no session')
  const { delegator, delegationManager, permit } = sessionAccount({ session: read, key: privateKeyAccount(secret) })
  const payer = createPayer({ schemes: [exactEvmByDelegation({ account: { delegator, delegationManager, permit } })] })
  const outcome = payer.outcome(await payer.fetch(`${ready.api?.url}/errand?by=${name}`))
  return outcome !== undefined && 'code' in outcome ? outcome.code : outcome?.status
}

test('EVM-EXACT-161 EVM-EXACT-162 EVM-EXACT-163 session keys work on a sandbox as the README says, and the chain holds them to their limits', async () => {
  const text = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const [, block = ''] = /```sh\nexport GROAT_PASSWORD=[\s\S]*?\n([\s\S]*?)```/.exec(text) ?? []
  const lines = block
    .split('\n')
    .map((line) => line.replace(/ +#.*$/, ''))
    .filter(Boolean)
  expect(lines.map((line) => line.split(' ').slice(0, 4).join(' '))).toContain('groat wallet session enable')
  const pays = lines.findIndex((line) => line.startsWith('groat pay'))
  expect(await groat('wallet', 'session', 'list')).toMatchObject({
    exitCode: 0,
    out: '',
    said: expect.stringContaining('There are no sessions'),
  })
  const outputs: string[] = []
  for (const line of lines.slice(0, pays + 1)) {
    const { exitCode, out, said } = await command(line)
    expect([exitCode, said], line).toEqual([0, expect.not.stringContaining('groat:')])
    outputs.push(out)
  }
  expect(outputs[pays]).toContain('a loaf')

  // A second $0.002 is more than $0.003 a day: nothing is signed.
  const again = ['pay', '--session', 'agent', `${ready.api?.url}/errand?again`]
  const second = await groat(...again)
  const left =
    'the session allows 0.003 USDC a day: 0.001 USDC is left today, and 0.002 USDC is asked (budget_exceeded)'
  expect([second.exitCode, second.said]).toEqual([1, expect.stringContaining(left)])
  expect(second.said).toContain('groat wallet session list')
  const undelegated = await groat('pay', '--session', 'agent', `${ready.api?.url}/weather`)
  expect([undelegated.exitCode, undelegated.said]).toEqual([1, expect.stringContaining('by delegation (ERC-7710)')])
  expect(undelegated.said).not.toContain('SVM_KEY')
  expect((await groat('receipts', 'list')).out.trim().split('\n')).toHaveLength(1)
  expect((await groat('wallet', 'session', 'list')).out).toContain('0.003 USDC a day (0.001 USDC left today)')

  // Of another purse's payments only the chain knows.
  const elsewhere = ['--store', join(folder, 'another.db')]
  const third = await groat(...again, ...elsewhere)
  expect([third.exitCode, third.said]).toEqual([
    1,
    expect.stringContaining('Its limits are: 1 USDC in all, 0.003 USDC a day'),
  ])

  // A key that may pay somebody else is refused by the chain, whatever pays with it.
  const other = String(ready.accounts.find(({ role }) => role === 'payer4')?.evm?.address)
  const terms = ['--network', 'base-sepolia', '--contracts', join(folder, 'contracts.json'), '--total', '$1']
  expect((await groat('wallet', 'session', 'new', 'elsewhere', ...terms, '--pay-to', other)).exitCode).toBe(0)
  expect(await payFreely('elsewhere')).toBe('erc7710_simulation_failed')
  expect((await groat('wallet', 'session', 'new', 'anywhere', ...terms)).exitCode).toBe(0)
  expect(await payFreely('anywhere')).toBe('settled')

  for (const line of lines.slice(pays + 1)) {
    const { exitCode, said, out } = await command(line)
    expect([exitCode, said], line).toEqual([0, ''])
    if (line.includes('list'))
      expect(out).toMatch(/agent +base-sepolia +0\.002 USDC of 1 USDC +0\.003 USDC a day \(0\.001 USDC left today\)/)
  }
  // The account obeys nobody any more.
  expect(await payFreely('anywhere')).toBe('erc7710_simulation_failed')
}, 240_000)

test('an owner without coin for gas is told that it is their wallet which lacks it', async () => {
  const file = join(folder, 'sandbox-contracts.json')
  await writeFile(file, JSON.stringify(ready.evm?.delegation))
  const key = join(folder, 'poor')
  await writeFile(key, `0x${'22'.repeat(32)}`, { mode: 0o600 })
  const where = [
    '--network',
    'base-sepolia',
    '--rpc',
    String(ready.evm?.rpcUrl),
    '--contracts',
    file,
    '--key-file',
    key,
  ]
  const { exitCode, said } = await groat('wallet', 'session', 'enable', ...where)
  expect(exitCode).toBe(1)
  expect(said).toMatch(/0x[0-9a-f]{40}, the owner's wallet, has no coin on base-sepolia.*signer_out_of_gas/i)
  expect(said).toContain('groat wallet fund')
  expect(said).not.toContain('facilitator')
}, 60_000)

test('an account obeys only code that says so itself', async () => {
  const file = join(folder, 'other.json')
  const { delegation, usdc } = ready.evm ?? {}
  const key = join(folder, 'key')
  await writeFile(key, String(ready.accounts.find(({ role }) => role === 'payer3')?.evm?.privateKey), { mode: 0o600 })
  const node = ['--rpc', String(ready.evm?.rpcUrl)]
  const where = ['--network', 'base-sepolia', ...node, '--contracts', file, '--key-file', key]
  await writeFile(file, JSON.stringify({ ...delegation, account: usdc }))
  const refused = await groat('wallet', 'session', 'enable', ...where)
  expect([refused.exitCode, refused.said]).toEqual([1, expect.stringContaining('does not obey')])
  await writeFile(file, JSON.stringify({ ...delegation, account: undefined }))
  expect((await groat('wallet', 'session', 'enable', ...where)).exitCode).toBe(2)
}, 60_000)
