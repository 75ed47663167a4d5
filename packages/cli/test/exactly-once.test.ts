import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assetByTicker, network } from '@groat/core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundle, type Program } from '../../client/test/support/bundle.js'
import { balanceOf } from '../src/commands/balances.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'

let sandbox: Sandbox
let program: Program
beforeAll(async () => {
  sandbox = await startSandbox({ only: 'evm' })
  program = await bundle(await readFile(new URL('./support/buying-once.ts', import.meta.url), 'utf8'))
})
afterAll(async () => {
  await sandbox?.stop()
  await program?.remove()
})

test.each([
  ['WP-01', 'signed, nothing written down'],
  ['WP-02', 'signed and written down, not sent'],
  ['WP-03', 'sent and settled, the answer lost'],
  ['WP-04', 'answered, not written down'],
])(
  'INV-8 CL-2 CL-3 killed at %s (%s), the next run has the answer and the chain has moved the money once',
  async (crash) => {
    const purse = await mkdtemp(join(tmpdir(), 'groat-once-'))
    onTestFinished(() => rm(purse, { recursive: true, force: true }))
    const before = await money()
    const buying = { PURSE: join(purse, 'purse.db'), URL: `${sandbox.ready.api?.url}/weather`, KEY: payer().privateKey }
    expect(await run({ ...buying, CRASH: crash })).toEqual({ signal: 'SIGKILL', output: '' })
    // The budget is worth one payment: what the crash left reserved and unsent must not block it.
    expect(await run(buying)).toEqual({ signal: null, output: '{"status":200,"outcome":"settled"}' })
    expect(before - (await money())).toBe(1_000n)
  },
)

function payer() {
  const keys = sandbox.ready.accounts.find(({ role }) => role === 'payer')?.evm
  if (keys === undefined) throw new Error('the sandbox has no payer')
  return keys
}

/** What the payer has, in atomic units of USDC. */
function money(): Promise<bigint> {
  const asset = assetByTicker(network('base-sepolia'), 'USDC')
  if (asset === undefined) throw new Error('there is no USDC')
  return balanceOf(asset, payer().address, sandbox.ready.evm?.rpcUrl ?? '')
}

function run(environment: Record<string, string>) {
  const child = spawn(process.execPath, [program.file], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  return new Promise<{ signal: string | null; output: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (_, signal) => resolve({ signal, output }))
  })
}
