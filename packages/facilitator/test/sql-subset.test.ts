import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import { expect, test } from 'vitest'
import { startPostgres } from '../../store/test/embedded-postgres.js'
import { createJournalView } from '../src/admin.js'
import { createFacilitator, type WebhookEndpoint } from '../src/index.js'
import { createJournal } from '../src/journal/journal.js'
import { createFakeScheme, FakeChain, makePayment, NETWORK } from './fake-chain.js'

// What the money path asks of a database: little enough for a distributed PostgreSQL, and the same however long the journal has grown.

const inStore = createRequire(new URL('../../store/package.json', import.meta.url))

test('on SQLite nothing that a payment needs reads a whole table', async () => {
  const prepare: unknown = inStore('libsql').prototype.prepare
  const texts = await recorded(inStore('libsql').prototype, 'prepare', async () => {
    const store = await openMemoryStore()
    await everyKindOfWork(store)
    await store.close()
  })
  expect(inStore('libsql').prototype.prepare).toBe(prepare)
  const used = texts.filter((text) => /^(select|insert|update|delete)/.test(text) && !text.includes('migration'))
  expect(used.length).toBeGreaterThan(30)
  const folder = await mkdtemp(join(tmpdir(), 'groat-sql-'))
  const store = await openStore(join(folder, 'pay.db'))
  await migrated(store)
  await store.close()
  const database = new (inStore('libsql'))(join(folder, 'pay.db'))
  const scans = used.flatMap((text) => {
    const rows: readonly { readonly detail: string }[] = database
      .prepare(`explain query plan ${text}`)
      .all(filled(text))
    const whole = rows.filter(({ detail }) =>
      /^SCAN (settlement|request|attempt|ride|evidence|event|payer|outbox|delivery|quota)|\(network=\?\)$/.test(detail),
    )
    // So many of the newest are read in the order of an index, and no more.
    const isPage = /limit \?$/.test(text) && !rows.some(({ detail }) => detail.startsWith('USE TEMP B-TREE'))
    return whole.filter(({ detail }) => !isPage && !SMALL.test(detail)).map(({ detail }) => `${detail}: ${text}`)
  })
  database.close()
  await rm(folder, { recursive: true })
  expect(scans).toEqual([])
})

test('on PostgreSQL it uses nothing that a distributed one lacks', async () => {
  const server = await startPostgres()
  try {
    const texts = await recorded(inStore('pg').Client.prototype, 'query', async () => {
      const store = await openStore(server.url)
      await everyKindOfWork(store)
      await store.close()
    })
    // Migrations run once, under the lock of their own tool.
    const used = texts.filter((text) => !/migration|pg_advisory_(un)?lock\(3853314791062309107\)/.test(text))
    const outside = used.filter((text) => !SUBSET.some((form) => form.test(text)) || FOREIGN.test(text))
    expect(outside).toEqual([])
    expect(used.some((text) => text.endsWith('for update'))).toBe(true)
  } finally {
    await server.remove()
  }
})

test('INV-7 a claim waits for no disk; what is signed for it waits, with the claim, before it leaves', async () => {
  const order: string[] = []
  const store = await openMemoryStore()
  const chain = new FakeChain()
  const service = createFacilitator({ schemes: [createFakeScheme(chain)], store, watchInterval: 60_000 })
  await service.start()
  await recorded(inStore('libsql').prototype, 'exec', async () => {
    expect(await service.settle(makePayment())).toMatchObject({ status: 'settled' })
    order.push(...seen)
  })
  await service.stop()
  await store.close()
  const commits = order.filter((text) => /^(pragma synchronous|commit)/.test(text))
  expect(commits.slice(0, 4)).toEqual(['pragma synchronous = normal', 'commit', 'pragma synchronous = full', 'commit'])
})

// Over what is under way, waits to be told, or is configured: it does not grow with what has been settled.
const SMALL =
  /USING (COVERING )?INDEX (settlement_carried|attempt_live|outbox_open|delivery_order|sqlite_autoindex_(lane|chain))/

const filled = (text: string) => Array.from(text.matchAll(/\?/g), () => null)

/** Plain statements over rows; transactions by name; a time. */
const SUBSET = [
  /^(select|insert into|update|delete from) /,
  /^(begin|start transaction|commit|rollback|savepoint|release|set transaction|set session|set )/i,
]

/** What makes a database one machine: its channels, its locks that are no rows, its counters, its own types, its procedures. */
const FOREIGN =
  /\b(listen|notify|unlisten|pg_advisory\w*|pg_try_advisory\w*|lock table|nextval|currval|setval|serial|ctid|xmin|skip locked|nowait|create|alter|drop|truncate|copy|declare|cursor|do \$|call|with recursive|lateral|jsonb?_\w+|array_agg|generate_series)\b/i

let seen: string[] = []

/** The texts of statements that come by a method while some work is done. */
async function recorded(
  prototype: Record<string, unknown>,
  method: string,
  work: () => Promise<void>,
): Promise<string[]> {
  const real = prototype[method] as (...given: unknown[]) => unknown
  seen = []
  prototype[method] = function (this: unknown, ...given: unknown[]) {
    const [first] = given
    const text = typeof first === 'string' ? first : (first as { text?: string; cursor?: { text: string } })?.text
    if (typeof text === 'string') seen.push(text)
    return real.apply(this, given)
  }
  try {
    await work()
  } finally {
    prototype[method] = real
  }
  return [...new Set(seen)]
}

async function migrated(store: Store): Promise<void> {
  const service = createFacilitator({ schemes: [createFakeScheme(new FakeChain())], store })
  await service.start()
  await service.stop()
}

/** Nobody listens there: what it is told is tried again. */
const nowhere: WebhookEndpoint = { id: 'shop', url: 'http://127.0.0.1:1/', secrets: ['a secret of 16 and more'] }

/** Payments that settle, that are refused, that wait for each other, that are lost with their node and found again. */
async function everyKindOfWork(store: Store): Promise<void> {
  const chain = new FakeChain()
  const options = {
    schemes: [createFakeScheme(chain)],
    store,
    outbox: true,
    rebroadcast: 20,
    watchInterval: 10,
    stopTimeout: 50,
    webhooks: { endpoints: [nowhere], allowPrivate: true, interval: 10, delay: () => 10 },
  }
  const limits = { feePerHour: () => 10n ** 30n }
  const service = createFacilitator({ ...options, limits, settleTimeout: 20_000 })
  await service.start()
  seen.length = 0
  const quotas = [{ ring: 'tenant', key: 'tenant shop', perSecond: 100, burst: 100 }] as const
  const claim = { tenant: 'shop', quotas, open: { tenant: 100, payer: 100 } }
  const settled = await Promise.all(Array.from({ length: 5 }, () => service.settle(makePayment(), { claim })))
  expect(settled.map(({ status }) => status)).toEqual(settled.map(() => 'settled'))
  expect(await service.settle(makePayment({ signature: 'bad' }))).toMatchObject({ status: 'refused' })
  await service.outbox.published((await service.outbox.take(10)).map(({ id }) => id))
  chain.automine = false
  const open = makePayment()
  expect(await service.settle(open, { signal: AbortSignal.timeout(300) })).toMatchObject({ status: 'unknown' })
  await service.stop()
  const next = createFacilitator({ ...options, settleTimeout: 20_000 })
  await next.start()
  chain.mine()
  expect(await next.settle(open)).toMatchObject({ status: 'settled' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await next.stop()
  await everyRead(store)
}

/** What a watcher, a lane and a restart ask. */
async function everyRead(store: Store): Promise<void> {
  const journal = createJournal({ store, clock: Date.now, replica: 'r' })
  const block = { number: 1n, hash: '0x01' }
  await journal.watched(NETWORK, 10)
  await journal.watchedUpTo(NETWORK, 1n, 10)
  await journal.watchedBlocks(NETWORK, 0)
  await journal.watchedBlocks(NETWORK, 1)
  await journal.watchedIn(NETWORK, block)
  await journal.riders('slot')
  await journal.lane(NETWORK, '0xf1')
  const served = [{ network: NETWORK, scheme: 'exact', signers: ['0xf1'] }]
  await journal.openSchemes()
  await journal.adopt(served)
  await journal.forgotten(() => true)
  await journal.take(served)
  const paid = await journal.loadAll((await journal.watched(NETWORK, 1)).map(({ pid }) => pid))
  expect(paid).toHaveLength(1)
  for (const record of paid) await journal.reorged(record)
  // And what an operator and a scraper of metrics ask, again and again, beside the payments.
  const view = createJournalView(store)
  await view.payments()
  await view.payments('0x01')
  await view.history('0x01')
  await view.open()
  await view.settledSince(0, [NETWORK])
  await view.meanFee(NETWORK)
  await view.lanes(NETWORK)
  await view.replicas()
  await journal.deliveries.standing()
}
