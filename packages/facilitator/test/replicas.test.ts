import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { encodeFacilitatorRequest, type FacilitatorRequest } from '@groat/core'
import { openStore, type Store } from '@groat/store'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'
import type { JournalTables } from '../src/journal/tables.js'
import { PRICE, until, useFacilitator } from './chain-kit.js'

// Processes of their own on one real PostgreSQL.

const on = useFacilitator()
const children = new Set<ChildProcess>()
let server: EmbeddedPostgres

beforeAll(async () => {
  server = await startPostgres()
})
afterEach(async () => {
  for (const child of children) {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone
  }
  children.clear()
})
afterAll(() => server?.remove())

async function freshDatabase(): Promise<{ url: string; store: Store }> {
  const url = await server.database()
  return { url, store: await openStore(url) }
}

async function startReplica(database: string, roles: readonly ('facilitator' | 'facilitator2')[], crash = '') {
  const file = (name: string) => fileURLToPath(new URL(`./child/${name}`, import.meta.url))
  const signers = roles.map((role) => on.chain.account(role).privateKey)
  const flags = ['--conditions=source', '--import', file('register.mjs'), file('facilitator.ts')]
  const child = spawn(process.execPath, [...flags, on.chain.rpcUrl, database, ...signers], {
    env: { ...process.env, NODE_ENV: 'test', GROAT_CRASH: crash },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const [url] = await once(createInterface(child.stdout), 'line')
  return { child, url: String(url) }
}

async function settleAt(url: string, request: FacilitatorRequest): Promise<{ success: boolean; transaction: string }> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(encodeFacilitatorRequest(request))
  const response = await fetch(`${url}/settle`, { method: 'POST', headers, body })
  return (await response.json()) as { success: boolean; transaction: string }
}

/** Until every payment is settled, wherever it is asked for: what is lost in a crash is presented again, never signed again. */
async function settleAll(urls: readonly string[], requests: readonly FacilitatorRequest[]) {
  await Promise.all(
    requests.map(async (request, at) => {
      for (let turn = at; ; turn++) {
        const answer = await settleAt(urls[turn % urls.length] ?? '', request).catch(() => undefined)
        if (answer?.success) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }),
  )
}

/** INV-1, INV-6, INV-9: the seller has the money, once, and the journal says so. */
async function expectLedger(store: Store, times: number) {
  const { db } = store.withTables<JournalTables>()
  const evidence = await db.selectFrom('evidence').select(['amount', 'transaction', 'log_index']).execute()
  const moved = (await on.chain.balance(on.chain.account('seller').address)) - on.before
  expect({ moved, rows: evidence.length }).toEqual({ moved: PRICE * BigInt(times), rows: times })
  expect(evidence.reduce((sum, { amount }) => sum + BigInt(amount), 0n)).toBe(moved)
}

const roles = ['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const
const payMany = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, at) => on.pay(roles[at % roles.length])))

// Processes start and end here, however busy the machine is.
const SLOW = 120_000

test(
  'C04 every payment is presented to two replicas at once and settles once; both sign',
  async () => {
    const { url, store } = await freshDatabase()
    const signers = ['facilitator', 'facilitator2'] as const
    const replicas = [await startReplica(url, signers), await startReplica(url, signers)]
    const { db } = store.withTables<JournalTables>()
    const holders = async () =>
      new Set((await db.selectFrom('lane').select('owner').execute()).map(({ owner }) => owner))
    await until(async () => (await holders()).size === 2 && !(await holders()).has(null))
    const requests = await payMany(24)
    // One for each alone: of those that both are asked for, the quicker one may claim all.
    for (const [at, replica] of replicas.entries()) await settleAt(replica.url, requests[at]!)
    const answers = await Promise.all(
      requests.map((request) => Promise.all(replicas.map(({ url: at }) => settleAt(at, request)))),
    )
    for (const [a, b] of answers) {
      expect(a).toMatchObject({ success: true })
      expect(a?.transaction).toBe(b?.transaction)
    }
    const signedBy = await db.selectFrom('attempt').select('signer').distinct().execute()
    expect(signedBy).toHaveLength(2)
    await expectLedger(store, 24)
    await store.close()
  },
  SLOW,
)

test(
  'a replica that cannot sign hands its payments to one that can',
  async () => {
    const { url, store } = await freshDatabase()
    const [a, b] = [await startReplica(url, ['facilitator']), await startReplica(url, ['facilitator'])]
    const requests = await payMany(6)
    const answers = await Promise.all(requests.map((request, at) => settleAt(at % 2 === 0 ? a.url : b.url, request)))
    expect(answers.map(({ success }) => success)).toEqual(requests.map(() => true))
    await expectLedger(store, 6)
    await store.close()
  },
  SLOW,
)

test.each(['FP-03', 'FP-06', 'FP-07', 'FP-10'])(
  'LIV-3 C01 a replica is killed at %s with payments under way: the other one ends them, each once',
  async (point) => {
    const { url, store } = await freshDatabase()
    const doomed = await startReplica(url, ['facilitator', 'facilitator2'], `${point}:3`)
    const other = await startReplica(url, ['facilitator', 'facilitator2'])
    const requests = await payMany(12)
    await settleAll([doomed.url, other.url], requests)
    await expectLedger(store, 12)
    await store.close()
  },
  SLOW,
)

test(
  'C05 the database goes away and comes back: nothing is lost, nothing is doubled',
  async () => {
    const { url, store } = await freshDatabase()
    const { url: at } = await startReplica(url, ['facilitator'])
    const requests = await payMany(10)
    const work = settleAll([at], requests)
    const { db } = store.withTables<JournalTables>()
    await until(async () => (await db.selectFrom('evidence').select('settlement').execute()).length > 0)
    await server.crash()
    await new Promise((resolve) => setTimeout(resolve, 300))
    await server.start()
    await work
    await expectLedger(store, 10)
    await store.close()
  },
  SLOW,
)
