import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTcpProxy } from '../../sandbox/src/tcp-proxy/proxy.js'
import { openStore, type StoreOptions } from '../src/index.js'
import { compileChild } from './children.js'
import { type EmbeddedPostgres, startPostgres } from './embedded-postgres.js'
import { describeProcesses } from './process-suite.js'
import { claim, claimTables, describeStore, type Tables } from './store-suite.js'

let server: EmbeddedPostgres

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.remove())

const freshDatabase = () => server.database()

describeStore('postgres', async (options) => openStore(await freshDatabase(), options))
describeProcesses('postgres', freshDatabase)

describe('postgres', () => {
  const open = async (options?: StoreOptions) => {
    const url = await freshDatabase()
    const store = await openStore<Tables>(url, options)
    await store.migrate(claimTables)
    return { url, store }
  }

  test('a transaction that went on after an error is not reported as committed', async () => {
    const { store } = await open()
    await store.transaction((trx) => trx.insertInto('claim').values(claim('a')).execute())
    const careless = store.transaction(async (trx) => {
      await trx.insertInto('claim').values(claim('b')).execute()
      await trx
        .insertInto('claim')
        .values(claim('a'))
        .execute()
        .catch(() => {})
    })
    await expect(careless).rejects.toMatchObject({
      code: 'store_unavailable',
      context: { reason: 'rolled_back', committed: false },
    })
    expect(await store.db.selectFrom('claim').select('pid').execute()).toEqual([{ pid: 'a' }])
    await store.close()
  })

  test('a deadlock is retried until both are through', async () => {
    const { store } = await open()
    await store.transaction((trx) =>
      trx
        .insertInto('claim')
        .values([claim('a'), claim('b')])
        .execute(),
    )
    let met = 0
    const swap = (first: string, second: string) =>
      store.transaction(async (trx) => {
        const add = (pid: string) => sql`update claim set amount = amount || ${first} where pid = ${pid}`.execute(trx)
        await add(first)
        met++
        // Only the first time: both hold one row and want the other's.
        for (let i = 0; met < 2 && i < 1_000; i++) await new Promise((resolve) => setTimeout(resolve, 1))
        await add(second)
      })
    await Promise.all([swap('a', 'b'), swap('b', 'a')])
    const rows = await store.db.selectFrom('claim').select(['pid', 'amount']).orderBy('pid').execute()
    expect(rows.map(({ amount }) => [...amount.slice(4)].sort().join(''))).toEqual(['ab', 'ab'])
    expect(met).toBeGreaterThan(2)
    await store.close()
  })

  test('collisions without end are given up', async () => {
    const { store } = await open({ busyTimeout: 1_000 })
    let runs = 0
    const collide = store.transaction(async (trx) => {
      runs++
      await sql`do $$ begin raise exception 'collision' using errcode = '40001'; end $$`.execute(trx)
    })
    await expect(collide).rejects.toMatchObject({
      code: 'store_busy',
      context: { reason: 'contention', committed: false },
    })
    expect(runs).toBeGreaterThan(1)
    await store.close()
  })

  test('C06 an exhausted pool says so soon, and nobody is stuck', async () => {
    const { store } = await open({ poolSize: 1, busyTimeout: 1_000 })
    let release = () => {}
    const holding = store.transaction(() => new Promise<void>((resolve) => (release = resolve)))
    await expect(store.transaction(async () => 1)).rejects.toMatchObject({
      code: 'store_busy',
      context: { reason: 'pool' },
    })
    release()
    await holding
    expect(await store.transaction(async () => 2)).toBe(2)
    await store.close()
  })

  test('a database that takes no writes, a wrong password, a missing database', async () => {
    const { url, store } = await open()
    const write = store.transaction(async (trx) => {
      await sql`set transaction read only`.execute(trx)
      await trx.insertInto('claim').values(claim('a')).execute()
    })
    await expect(write).rejects.toMatchObject({ code: 'store_unavailable', context: { reason: 'read_only' } })
    await store.close()
    const cannotOpen = { code: 'store_unavailable', context: { reason: 'cannot_open' } }
    await expect(openStore(url.replace('groat:groat', 'groat:wrong'))).rejects.toMatchObject(cannotOpen)
    await expect(openStore(`${url}_missing`)).rejects.toMatchObject(cannotOpen)
  })

  test('C05 a connection that falls silent is given up in time, and what it may have done is said to be unknown', async () => {
    const { url, store: direct } = await open()
    const at = new URL(url)
    const proxy = await startTcpProxy({ host: at.hostname, port: Number(at.port) })
    at.host = `${proxy.host}:${proxy.port}`
    const store = await openStore<Tables>(at.href, { busyTimeout: 500, transactionTimeout: 250, poolSize: 2 })
    const put = (pid: string, then = () => {}) =>
      store.transaction(async (trx) => {
        await trx.insertInto('claim').values(claim(pid)).execute()
        then()
      })
    await put('a')
    proxy.set({ action: 'freeze' })
    await expect(put('b')).rejects.toMatchObject({ context: { committed: false } })
    await expect(sql`select 1`.execute(store.db)).rejects.toMatchObject({ code: expect.stringMatching(/^store_/) })
    proxy.set({ action: 'pass' })
    await put('c')
    await expect(put('d', () => proxy.set({ action: 'mute' }))).rejects.toMatchObject({
      code: 'store_unavailable',
      context: { reason: 'unreachable', committed: 'unknown' },
    })
    // Nobody hears of it again: what it may have open would stay so.
    await vi.waitFor(() => expect(proxy.open).toBe(0))
    proxy.set({ action: 'pass' })
    await put('e')
    const rows = await direct.db.selectFrom('claim').select('pid').orderBy('pid').execute()
    expect(rows.map(({ pid }) => pid)).toEqual(['a', 'c', 'd', 'e'])
    await Promise.all([store.close(), direct.close()])
    await proxy.stop()
  })

  test('C05 what a machine had locked that is gone, and closed nothing, is free soon after its transaction should have ended', async () => {
    const children = await compileChild()
    const url = await freshDatabase()
    const gone = await children.start('hold', url, 'gone', '300')
    gone.go()
    await gone.said(2)
    gone.pause()
    const store = await openStore<{ claim: { pid: string; owner: string } }>(url, { transactionTimeout: 20_000 })
    const [row] = await store.transaction((trx) =>
      trx
        .insertInto('claim')
        .values({ pid: 'held', owner: 'here' })
        .onConflict((conflict) => conflict.doNothing())
        .returning('owner')
        .execute(),
    )
    expect(row).toEqual({ owner: 'here' })
    // Nobody else's transactions are cut short, also not on a connection that had one of ours.
    const { rows } = await sql`show idle_in_transaction_session_timeout`.execute(store.db)
    expect(Object.values(rows[0] ?? {})).toEqual(['0'])
    await store.close()
    await gone.kill()
    await children.remove()
  })

  test('what is not waited for is sent before what comes first is answered', async () => {
    const { url, store: direct } = await open()
    const at = new URL(url)
    const proxy = await startTcpProxy({ host: at.hostname, port: Number(at.port) })
    at.host = `${proxy.host}:${proxy.port}`
    const store = await openStore<Tables>(at.href, { transactionTimeout: 20_000 })
    const unheard = store.transaction(async (trx) => {
      await sql`select 1`.execute(trx)
      proxy.set({ action: 'mute' })
      await Promise.all(
        ['first', 'second', 'third'].map((word) => sql`select ${word}::text as ${sql.id(word)}`.execute(trx)),
      )
    })
    const lost = expect(unheard).rejects.toMatchObject({ context: { committed: false } })
    await vi.waitFor(async () => {
      const { rows } = await sql<{
        query: string
      }>`select query from pg_stat_activity where query like '%as "third"'`.execute(direct.db)
      expect(rows).toHaveLength(1)
    })
    proxy.set({ action: 'cut' })
    await lost
    await Promise.all([store.close(), direct.close()])
    await proxy.stop()
  })

  test('C05 a server that goes away in the middle is a typed fault, and its return is noticed', async () => {
    const { store } = await open()
    const middle = store.transaction(async (trx) => {
      await trx.insertInto('claim').values(claim('a')).execute()
      await server.crash()
      await trx.insertInto('claim').values(claim('b')).execute()
    })
    await expect(middle).rejects.toMatchObject({
      code: 'store_unavailable',
      context: { reason: 'unreachable', committed: false },
    })
    await expect(store.now()).rejects.toMatchObject({ code: 'store_unavailable', context: { reason: 'unreachable' } })
    await server.start()
    expect(await store.transaction((trx) => trx.selectFrom('claim').selectAll().execute())).toEqual([])
    await store.close()
  })
})
