import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createLedger } from '@groat/server/ledger'
import { openStore } from '@groat/store'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'
import { type FacilitatorStub, startFacilitator } from './facilitator-stub.js'
import { offersOf } from './shop.js'
import { headersOf, paymentFor } from './test-scheme.js'

let folder = ''
let program = ''
let stub: FacilitatorStub
let postgres: EmbeddedPostgres
const children: ChildProcess[] = []

beforeAll(async () => {
  postgres = await startPostgres()
  // Beside the modules of the store, so that the program finds its database driver.
  folder = await mkdtemp(fileURLToPath(new URL('../../store/node_modules/.shop-', import.meta.url)))
  program = join(folder, 'shop-process.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('./shop-process.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['libsql', 'pg'],
  })
}, 60_000)

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await killed(child)
  await stub.close()
})

afterAll(async () => {
  await postgres?.remove()
  await rm(folder, { recursive: true, force: true })
})

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function openShop(name: string, crash = '', more: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { ...process.env, SHOP: join(folder, name), FACILITATOR: stub.url, CRASH: crash, ...more }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('the shop did not open')
}

const runsOf = async (name: string): Promise<number> => (await readFile(join(folder, `${name}.runs`), 'utf8')).length

test.each([
  // How often the work ran, and how often settlement was asked for, until the customer had the answer.
  ['in-work', { runs: 2, settles: 1 }],
  ['after-kept', { runs: 1, settles: 1 }],
  ['after-settled', { runs: 1, settles: 2 }],
  ['after-recorded', { runs: 1, settles: 1 }],
])(
  'SRV-003 SRV-021 SRV-060 killed %s: the same payment gets the answer from the next process, money moves once, and the books say so once',
  async (crash, expected) => {
    stub = await startFacilitator()
    await writeFile(join(folder, `${crash}.runs`), '')
    const first = await openShop(crash, crash)
    const challenge = await fetch(first)
    const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
    const headers = headersOf(paymentFor(offer))
    await expect(fetch(first, { headers })).rejects.toThrow()

    const second = await openShop(crash)
    const statuses: number[] = []
    await expect
      .poll(
        async () => {
          const response = await fetch(second, { headers })
          statuses.push(response.status)
          return response.status === 200 ? response.text() : response.status
        },
        { timeout: 10_000, interval: 100 },
      )
      .toBe('sunny')
    // Until the lease of the dead is over, its claim stands.
    expect(statuses.slice(0, -1).every((status) => status === 409)).toBe(true)
    expect({ runs: await runsOf(crash), settles: stub.calls.settle.length }).toEqual(expected)
    expect(stub.ledger.size).toBe(1)
    const [transaction] = stub.ledger.values()
    expect(await bookedIn(join(folder, crash))).toEqual([`payment 1000 ${transaction}`])
  },
)

/** What the books say, read by another process while the shop goes on. */
async function bookedIn(database: string): Promise<readonly string[]> {
  const store = await openStore(database)
  const booked: string[] = []
  for await (const { kind, amount, transaction } of (await createLedger(store)).entries()) {
    booked.push(`${kind} ${amount} ${transaction}`)
  }
  await store.close()
  return booked
}

test('SRV-029 a bundle that two processes sell from one database is used as often as it was sold', async () => {
  stub = await startFacilitator()
  await writeFile(join(folder, 'bundle.runs'), '')
  const shops = [await openShop('bundle', '', { BUNDLE: '25' }), await openShop('bundle', '', { BUNDLE: '25' })]
  const challenge = await fetch(shops[0]!)
  const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
  const bought = await fetch(shops[0]!, { headers: headersOf(paymentFor(offer)) })
  const [token = ''] = (bought.headers.get('payment-entitlement') ?? '').split(';')
  expect([bought.status, await bought.text()]).toEqual([200, 'sunny'])
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const response = await fetch(shops[i % 2]!, { headers: { 'PAYMENT-ENTITLEMENT': token } })
      await response.text()
      return response.status
    }),
  )
  expect(answers.filter((status) => status === 200)).toHaveLength(24)
  expect(answers.filter((status) => status === 402)).toHaveLength(36)
  expect([await runsOf('bundle'), stub.ledger.size]).toEqual([25, 1])
})

test.each(['SQLite', 'PostgreSQL'])(
  'SRV-029 SRV-060 killed on %s while uses are taken together: those took nothing, the books say so, and the next process serves what is left',
  async (kind) => {
    stub = await startFacilitator()
    const name = `uses-${kind}`
    await writeFile(join(folder, `${name}.runs`), '')
    const database = kind === 'PostgreSQL' ? postgres.url : join(folder, name)
    const env = { BUNDLE: '80', DATABASE: database }
    const first = await openShop(name, 'in-uses', env)
    const challenge = await fetch(first)
    const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
    const bought = await fetch(first, { headers: headersOf(paymentFor(offer)) })
    expect(await bought.text()).toBe('sunny')
    const [token = ''] = (bought.headers.get('payment-entitlement') ?? '').split(';')
    const use = async (url: string): Promise<number | undefined> => {
      try {
        const response = await fetch(url, { headers: { 'PAYMENT-ENTITLEMENT': token } })
        await response.text()
        return response.status
      } catch {
        return undefined
      }
    }
    const served = async (url: string, times: number): Promise<number> =>
      (await Promise.all(Array.from({ length: times }, () => use(url)))).filter((status) => status === 200).length
    let before = 1 // with the payment itself
    const [child] = children
    for (let tries = 0; tries < 7 && child?.signalCode === null; tries++) before += await served(first, 10)
    await expect.poll(() => child?.signalCode, { timeout: 10_000 }).toBe('SIGKILL')

    const gone = (await bookedIn(database)).filter((entry) => entry.startsWith('usage')).length
    expect(gone).toBeGreaterThanOrEqual(before)
    const second = await openShop(name, '', env)
    expect(await served(second, 80)).toBe(80 - gone)
    expect((await bookedIn(database)).filter((entry) => entry.startsWith('usage'))).toHaveLength(80)
  },
  60_000,
)

test('SRV-004 two processes that share a database serve one payment once', async () => {
  stub = await startFacilitator()
  await writeFile(join(folder, 'two.runs'), '')
  // A machine that is busy must not let a lease run out.
  const shops = [await openShop('two', '', { LEASE: '60' }), await openShop('two', '', { LEASE: '60' })]
  const challenge = await fetch(shops[0]!)
  const [offer] = offersOf({ status: 402, headers: challenge.headers, text: await challenge.text() })
  for (let round = 0; round < 5; round++) {
    const headers = headersOf(paymentFor(offer))
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => (await fetch(shops[i % 2]!, { headers })).status),
    )
    expect(new Set(statuses)).toSatisfy((seen: Set<number>) =>
      [...seen].every((status) => status === 200 || status === 409),
    )
    expect(statuses).toContain(200)
    expect(await runsOf('two')).toBe(round + 1)
  }
  expect(stub.calls.settle).toHaveLength(5)
})
