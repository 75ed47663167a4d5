import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql, type Transaction } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from '../src/index.js'
import { claim, claimTables, type Tables } from './store-suite.js'
import { tempFolder } from './temp-folder.js'

const folder = tempFolder()

describe('opening', () => {
  const fault = (target: string) =>
    openStore(target).then(
      () => undefined,
      (error) => ({ code: error.code, ...error.context }),
    )

  test.each([
    '',
    ':memory:',
    'file:x.db',
    'https://db.example',
    'libsql://db.example',
    'mysql://db.example',
    'postgres://[',
  ])('no store: %j', async (target) => {
    expect(await fault(target)).toMatchObject({ code: 'invalid_config', reason: 'bad_target', field: 'store' })
  })

  test('what cannot be opened', async () => {
    const unavailable = { code: 'store_unavailable', committed: false }
    expect(await fault(join(folder.path, 'missing', 'pay.db'))).toEqual({ ...unavailable, reason: 'cannot_open' })
    mkdirSync(join(folder.path, 'folder.db'))
    expect(await fault(join(folder.path, 'folder.db'))).toEqual({ ...unavailable, reason: 'cannot_open' })
    writeFileSync(join(folder.path, 'text.db'), 'This is a letter and not a database. '.repeat(100))
    expect(await fault(join(folder.path, 'text.db'))).toEqual({ ...unavailable, reason: 'corrupt' })
  })

  test('a fault names no file and no URL', async () => {
    const targets = [join(folder.path, 'missing', 'pay.db'), 'postgres://groat:secret@127.0.0.1:1/pay']
    for (const target of targets) {
      const error = await openStore(target, { busyTimeout: 1_000 }).catch((e) => e)
      expect(error.code).toBe('store_unavailable')
      expect(error.message).not.toMatch(/pay|secret|127\.0\.0\.1/)
    }
  })

  test('only its owner can read the file, and closing leaves all of it there', async () => {
    const path = folder.fresh()
    const store = await openStore<Tables>(path)
    await store.migrate(claimTables)
    await store.transaction((trx) => trx.insertInto('claim').values(claim('a')).execute())
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0)
  })

  test('every commit waits for the disk', async () => {
    const store = await openStore(folder.fresh())
    const settings = await store.transaction(async (trx) => ({
      ...(await sql`pragma journal_mode`.execute(trx)).rows[0]!,
      ...(await sql`pragma synchronous`.execute(trx)).rows[0]!,
      ...(await sql`pragma foreign_keys`.execute(trx)).rows[0]!,
    }))
    await store.close()
    expect(settings).toEqual({ journal_mode: 'wal', synchronous: 2, foreign_keys: 1 })
  })
})

describe('an open file', () => {
  let store: Store<Tables>
  beforeAll(async () => {
    store = await openStore<Tables>(folder.fresh())
    await store.migrate(claimTables)
  })
  afterAll(() => store?.close())
  const pids = async () => (await store.db.selectFrom('claim').select('pid').orderBy('pid').execute()).map((r) => r.pid)

  test('a full disk is typed, hits only whoever filled it, and passes', async () => {
    const limit = (pages: number) =>
      store.transaction((trx) => sql`pragma max_page_count = ${sql.lit(pages)}`.execute(trx))
    await limit(20)
    const outcomes = await Promise.allSettled([
      store.transaction((trx) => trx.insertInto('claim').values(claim('before')).execute()),
      store.transaction((trx) =>
        trx
          .insertInto('claim')
          .values({ ...claim('big'), raw: new Uint8Array(200_000) })
          .execute(),
      ),
      store.transaction(async (trx) => {
        await trx
          .insertInto('claim')
          .values({ ...claim('careless'), raw: new Uint8Array(200_000) })
          .execute()
          .catch(() => {})
      }),
      store.transaction((trx) => trx.insertInto('claim').values(claim('after')).execute()),
    ])
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: 'store_unavailable', context: { reason: 'full', committed: false } } },
      {
        status: 'rejected',
        reason: { code: 'store_unavailable', context: { reason: 'rolled_back', committed: false } },
      },
      { status: 'fulfilled' },
    ])
    expect(await pids()).toEqual(['after', 'before'])
    await limit(1_000_000)
    await store.transaction((trx) =>
      trx
        .insertInto('claim')
        .values({ ...claim('big'), raw: new Uint8Array(200_000) })
        .execute(),
    )
    expect(await pids()).toEqual(['after', 'before', 'big'])
  })

  test('what is asked beside what filled the disk is not written on its own', async () => {
    const before = await pids()
    const limit = (pages: number) =>
      store.transaction((trx) => sql`pragma max_page_count = ${sql.lit(pages)}`.execute(trx))
    const { rows } = await sql<{ pages: number }>`select page_count as pages from pragma_page_count`.execute(store.db)
    await limit((rows[0]?.pages ?? 0) + 8)
    const put = (trx: Transaction<Tables>, pid: string, bytes = 0) =>
      trx
        .insertInto('claim')
        .values({ ...claim(pid), raw: new Uint8Array(bytes) })
        .execute()
    const [together, chained, other] = await Promise.allSettled([
      store.transaction((trx) => Promise.all([put(trx, 'first'), put(trx, 'fills', 200_000), put(trx, 'beside')])),
      store.transaction(async (trx) => {
        await put(trx, 'fills', 200_000).catch(() => {})
        await put(trx, 'later')
      }),
      store.transaction((trx) => put(trx, 'other')),
    ])
    await limit(1_000_000)
    expect(together).toMatchObject({ reason: { context: { reason: 'full', committed: false } } })
    expect(chained).toMatchObject({ reason: { context: { reason: 'rolled_back', committed: false } } })
    expect(other).toMatchObject({ status: 'fulfilled' })
    expect(await pids()).toEqual([...before, 'other'].sort())
  })

  test('a database that takes no writes is typed', async () => {
    const write = sql`insert into claim (pid, amount, claimed_at) values ('x', '1', 1)`
    const readOnly = { code: 'store_unavailable', context: { reason: 'read_only', committed: false } }
    await expect(write.execute(store.db)).rejects.toMatchObject(readOnly)
    const other = await openStore<Tables>(folder.fresh())
    await other.migrate(claimTables)
    await other.transaction((trx) => sql`pragma query_only = on`.execute(trx))
    await expect(other.transaction((trx) => write.execute(trx))).rejects.toMatchObject(readOnly)
    await other.close()
  })

  test('what the driver would lose, or die of, is refused', async () => {
    const bind = (value: unknown) => sql<{ v: unknown }>`select ${value} as v`.execute(store.db)
    for (const value of [true, false, Number.NaN, Number.POSITIVE_INFINITY, 'a\0b'])
      await expect(bind(value)).rejects.toThrow(TypeError)
    const text = sql<{ v: unknown }>`select cast(${5} as text) as v, typeof(${5}) as t`.execute(store.db)
    expect((await text).rows).toEqual([{ v: '5', t: 'integer' }])
    for (const value of [null, '', '😀', Number.MAX_SAFE_INTEGER, -1, 0.5])
      expect((await bind(value)).rows).toEqual([{ v: value }])
    await expect(store.db.selectFrom('claim').selectAll().stream()[Symbol.asyncIterator]().next()).rejects.toThrow(
      TypeError,
    )
  })

  test('a statement sees the columns that came after it was first run', async () => {
    const read = () => sql<Record<string, unknown>>`select * from claim limit 1`.execute(store.db)
    const before = Object.keys((await read()).rows[0] ?? {})
    await store.transaction((trx) => sql`alter table claim add column note text`.execute(trx))
    expect(Object.keys((await read()).rows[0] ?? {})).toEqual([...before, 'note'])
  })
})
