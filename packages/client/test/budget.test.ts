import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { openStore } from '@groat/store'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createBuyer } from '../src/buyer/index.js'
import { sqlIntents } from '../src/sql.js'
import { bundle, type Program } from './support/bundle.js'
import { honest, offer, startSeller } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'
import { temporaryFile } from './support/stores.js'

let program: Program

beforeAll(async () => {
  program = await bundle(await readFile(new URL('./support/buying-process.ts', import.meta.url), 'utf8'))
})

afterAll(() => program.remove())

const dime = honest([offer({ amount: 100_000n })])

test('INV-13 CL-2 G27 several processes that share a purse make exactly 100 payments of $0.10 out of $10', async () => {
  const { url, presented } = await startSeller(dime)
  const purse = await temporaryFile('purse.db')
  const bought = await Promise.all(['a', 'b', 'c'].map((name) => buy({ url, purse, name, callers: '22' })))
  expect(new Set(presented()).size).toBe(100)
  expect(bought.reduce((sum, { output }) => sum + Number(output), 0)).toBe(100)
})

test.each(['wallet', 'local'].flatMap((signer) => ['WP-01', 'WP-02', 'WP-03', 'WP-04'].map((at) => [at, signer])))(
  'INV-13 CL-2 killed at %s with a %s signer, the budget is never exceeded and what was signed stays spent',
  async (crash, signer) => {
    const { url, presented } = await startSeller(dime)
    const purse = await temporaryFile('purse.db')
    expect(await buy({ url, purse, name: 'a', crash, crashAt: '31', signer })).toEqual({
      signal: 'SIGKILL',
      output: '',
    })
    const before = new Set(presented()).size
    const { output } = await buy({ url, purse, name: 'b', signer })
    const all = new Set(presented())
    // Nothing that was presented before the crash is bought again: the second run has the rest, or less.
    expect(all.size).toBe(before + Number(output))
    expect(all.size).toBeLessThanOrEqual(100)

    const store = await openStore(purse)
    onTestFinished(() => store.close())
    const intents = await sqlIntents(store)
    const records = await intents.records({ limit: 1_000 })
    const counted = records.filter(({ intent }) => intent.state !== 'unsent' && intent.state !== 'void').length
    const buyer = createBuyer({ schemes: [spyScheme()], policy: { perDay: '$10' }, purse: intents })
    expect(await buyer.budgets()).toEqual([{ rule: 'perDay', spent: '$10', limit: '$10' }])
    // Every payment that anybody saw is written down, and all that is written down is counted: together they are the whole budget.
    expect(counted).toBe(100)
  },
)

type Buying = {
  url: string
  purse: string
  name: string
  callers?: string
  crash?: string
  crashAt?: string
  signer?: string
}

function buy({ url, purse, name, callers = '8', crash = '', crashAt = '1', signer = '' }: Buying) {
  const child = spawn(process.execPath, [program.file], {
    env: {
      ...process.env,
      URL: url,
      PURSE: purse,
      NAME: name,
      CALLERS: callers,
      CRASH: crash,
      CRASH_AT: crashAt,
      SIGNER: signer,
    },
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
