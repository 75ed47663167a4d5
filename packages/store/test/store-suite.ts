import { X402Error } from '@groat/core'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isUniqueViolation, type Migrations, type Store, type StoreOptions, savepoint } from '../src/index.js'

export type Tables = { claim: { pid: string; amount: string; claimed_at: number; raw: Uint8Array | null } }

export const claimTables: Migrations = {
  namespace: 'claims',
  steps: {
    '001_claim': (db) =>
      db.schema
        .createTable('claim')
        .addColumn('pid', 'text', (c) => c.primaryKey())
        .addColumn('amount', 'text', (c) => c.notNull())
        .addColumn('claimed_at', 'bigint', (c) => c.notNull())
        .addColumn('raw', 'bytea')
        .execute(),
  },
}

export const claim = (pid: string) => ({ pid, amount: '1000', claimed_at: 1_700_000_000_000, raw: null })

/** What every store keeps, whatever stands behind it. `open` gives a fresh, empty one. */
export function describeStore(name: string, open: (options?: StoreOptions) => Promise<Store<Tables>>) {
  describe(name, () => {
    let store: Store<Tables>
    let count = 0
    const fresh = () => `pid-${count++}`
    const stored = async (...pids: string[]) =>
      (await store.db.selectFrom('claim').select('pid').where('pid', 'in', pids).orderBy('pid').execute()).map(
        (row) => row.pid,
      )

    beforeAll(async () => {
      store = await open()
      await store.migrate(claimTables)
    })
    afterAll(() => store?.close())

    test('keeps what a transaction wrote, in the types it wrote', async () => {
      const row = {
        pid: fresh(),
        amount: '115792089237316195423570985008687907853269984665640564039457584007913129639935',
        claimed_at: 1_795_222_938_384,
        raw: new Uint8Array([0, 1, 255]),
      }
      await store.transaction((trx) => trx.insertInto('claim').values(row).execute())
      const back = await store.db.selectFrom('claim').selectAll().where('pid', '=', row.pid).executeTakeFirstOrThrow()
      expect({ ...back, raw: new Uint8Array(back.raw ?? []) }).toStrictEqual(row)
      const { n } = await store.db
        .selectFrom('claim')
        .select((e) => e.fn.countAll<number>().as('n'))
        .where('pid', '=', row.pid)
        .executeTakeFirstOrThrow()
      expect(n).toBe(1)
    })

    test('answers with what the function answered', async () => {
      expect(await store.transaction(async () => 42)).toBe(42)
    })

    test('a function that throws leaves nothing behind, and its own error comes back', async () => {
      const pid = fresh()
      const mine = new Error('mine')
      const outcome = store.transaction(async (trx) => {
        await trx.insertInto('claim').values(claim(pid)).execute()
        throw mine
      })
      await expect(outcome).rejects.toBe(mine)
      expect(await stored(pid)).toEqual([])
    })

    test('nobody sees what is not committed', async () => {
      const pid = fresh()
      let seen: Promise<string[]> | undefined
      await store.transaction(async (trx) => {
        await trx.insertInto('claim').values(claim(pid)).execute()
        seen = stored(pid)
        if (name !== 'memory') expect(await seen).toEqual([])
      })
      expect(await stored(pid)).toEqual([pid])
    })

    test('a unique violation is recognisable and is no fault of the store', async () => {
      const pid = fresh()
      const insert = () => store.transaction((trx) => trx.insertInto('claim').values(claim(pid)).execute())
      await insert()
      const error = await insert().catch((e) => e)
      expect({
        unique: isUniqueViolation(error),
        wrapped: isUniqueViolation(new Error('x', { cause: error })),
        fault: X402Error.is(error),
      }).toEqual({
        unique: true,
        wrapped: true,
        fault: false,
      })
      expect(isUniqueViolation(new Error('else'))).toBe(false)
    })

    test('of many that claim one key, exactly one wins', async () => {
      const pid = fresh()
      const won = await Promise.all(
        Array.from({ length: 30 }, () =>
          store.transaction(async (trx) => {
            const rows = await trx
              .insertInto('claim')
              .values(claim(pid))
              .onConflict((c) => c.doNothing())
              .returning('pid')
              .execute()
            return rows.length
          }),
        ),
      )
      expect(won.reduce((a, b) => a + b)).toBe(1)
    })

    test('read, decide, write is serialisable: no update is lost', async () => {
      const pid = fresh()
      await store.transaction((trx) =>
        trx
          .insertInto('claim')
          .values({ ...claim(pid), amount: '0' })
          .execute(),
      )
      await Promise.all(
        Array.from({ length: 20 }, () =>
          store.transaction(async (trx) => {
            const { amount } = await trx
              .selectFrom('claim')
              .select('amount')
              .where('pid', '=', pid)
              .executeTakeFirstOrThrow()
            await trx
              .updateTable('claim')
              .set({ amount: String(BigInt(amount) + 1n) })
              .where('pid', '=', pid)
              .execute()
          }),
        ),
      )
      expect(await store.db.selectFrom('claim').select('amount').where('pid', '=', pid).executeTakeFirst()).toEqual({
        amount: '20',
      })
    })

    test('one that fails among many takes no other with it', async () => {
      const pids = Array.from({ length: 20 }, fresh)
      const outcomes = await Promise.allSettled(
        pids.map((pid, i) =>
          store.transaction(async (trx) => {
            await trx.insertInto('claim').values(claim(pid)).execute()
            if (i % 7 === 0) throw new Error(`no ${i}`)
            if (i % 7 === 1) await sql`select * from no_such_table`.execute(trx)
          }),
        ),
      )
      const good = pids.filter((_, i) => i % 7 > 1)
      expect(outcomes.map((o) => o.status === 'fulfilled')).toEqual(pids.map((pid) => good.includes(pid)))
      expect(await stored(...pids)).toEqual([...good].sort())
    })

    test('a statement is built once, and runs with other values outside and inside a transaction', async () => {
      let built = 0
      const find = store.statement<{ pids: string }, { pid: string }>((db, value) => {
        built++
        return db.selectFrom('claim').select('pid').where('pid', '=', value('pids'))
      })
      const [first, second] = [fresh(), fresh()]
      const seen = await store.transaction(async (trx) => {
        await trx
          .insertInto('claim')
          .values([claim(first), claim(second)])
          .execute()
        return (await find(trx, { pids: first })).rows
      })
      expect(seen).toEqual([{ pid: first }])
      expect((await find(store.db, { pids: second })).rows).toEqual([{ pid: second }])
      expect((await find(store.db, { pids: fresh() })).rows).toEqual([])
      expect(built).toBe(1)
    })

    test('a statement over lists is built once for each length, and keeps rows and values apart', async () => {
      let built = 0
      const insert = store.listStatement<{ rows: readonly ReturnType<typeof claim>[] }>((db, { rows }) => {
        built++
        return db.insertInto('claim').values(rows)
      })
      const find = store.listStatement<{ pids: readonly string[]; but: string }, { pid: string }>((db, { pids, but }) =>
        db.selectFrom('claim').select('pid').where('pid', 'in', pids).where('pid', '!=', but).orderBy('pid'),
      )
      const [a, b, c, d] = [fresh(), fresh(), fresh(), fresh()]
      await store.transaction(async (trx) => {
        await insert(trx, { rows: [claim(a), claim(b)] })
        await insert(trx, { rows: [claim(c)] })
        await insert(trx, { rows: [claim(d)] })
      })
      const among = async (pids: readonly string[], but: string) =>
        (await find(store.db, { pids, but })).rows.map(({ pid }) => pid)
      expect(await among([a, b, c, d], b)).toEqual([a, c, d].sort())
      expect(await among([a], fresh())).toEqual([a])
      expect(await among([b, c], c)).toEqual([b])
      expect(built).toBe(2)
    })

    test('a statement over lists of any length is built for few, and reads and writes each of them once', async () => {
      let built = 0
      const insert = store.listStatement<{ rows: readonly ReturnType<typeof claim>[] }>((db, { rows }) => {
        built++
        return db.insertInto('claim').values(rows)
      })
      const find = store.listStatement<{ pids: readonly string[] }, { pid: string }>((db, { pids }) => {
        built++
        return db.selectFrom('claim').select('pid').where('pid', 'in', pids)
      })
      const lengths = [1, 2, 5, 7, 11, 13, 21, 23, 29, 31, 53, 100, 255, 256, 257, 300]
      for (const length of lengths) {
        const pids = Array.from({ length }, fresh)
        const { written, read } = await store.transaction(async (trx) => {
          const { numAffectedRows } = await insert(trx, { rows: pids.map((pid) => claim(pid)) })
          return { written: numAffectedRows, read: (await find(trx, { pids })).rows.map(({ pid }) => pid) }
        })
        expect(Number(written)).toBe(length)
        expect(read.sort()).toEqual([...pids].sort())
      }
      expect(built).toBeLessThan(2 * lengths.length)
    })

    test('a savepoint undoes its part only', async () => {
      const [outer, inner, after] = [fresh(), fresh(), fresh()]
      const result = await store.transaction(async (trx) => {
        await trx.insertInto('claim').values(claim(outer)).execute()
        const caught = await savepoint(trx, async () => {
          await savepoint(trx, () => trx.insertInto('claim').values(claim(inner)).execute())
          await trx.insertInto('claim').values(claim(outer)).execute()
        }).catch(isUniqueViolation)
        await trx.insertInto('claim').values(claim(after)).execute()
        return caught
      })
      expect(result).toBe(true)
      expect(await stored(outer, inner, after)).toEqual([outer, after].sort())
    })

    test('queries that are not waited for one by one run in their order', async () => {
      const pid = fresh()
      const seen = await store.transaction(async (trx) => {
        const add = (letter: string) =>
          sql`update claim set amount = amount || ${letter} where pid = ${pid}`.execute(trx)
        const read = () => trx.selectFrom('claim').select('amount').where('pid', '=', pid).execute()
        const insert = trx.insertInto('claim').values(claim(pid)).execute()
        const [, , first, , second] = await Promise.all([insert, add('x'), read(), add('y'), read()])
        return [first, second]
      })
      expect(seen).toEqual([[{ amount: '1000x' }], [{ amount: '1000xy' }]])
    })

    test('one of several that fails takes all back, and its own error comes back', async () => {
      const [known, ...more] = [fresh(), fresh(), fresh(), fresh(), fresh()] as const
      const addAll = (...pids: string[]) =>
        store.transaction((trx) => Promise.all(pids.map((pid) => trx.insertInto('claim').values(claim(pid)).execute())))
      await addAll(known)
      expect(isUniqueViolation(await addAll(more[0], known, more[1], more[2]).catch((error) => error))).toBe(true)
      await addAll(more[2], more[3])
      expect(await stored(known, ...more)).toEqual([known, more[2], more[3]])
    })

    test('a query that forgot its await is refused, not slipped into the next transaction', async () => {
      const pid = fresh()
      let late = async () => {}
      await store.transaction(async (trx) => {
        late = async () => void (await trx.insertInto('claim').values(claim(pid)).execute())
      })
      const next = store.transaction(() => late())
      await expect(next).rejects.toMatchObject({
        code: 'store_unavailable',
        context: { reason: 'ended', committed: false },
      })
      expect(await stored(pid)).toEqual([])
    })

    test('migrations run once, in order, each package under its own name', async () => {
      const ran: string[] = []
      const step = (name: string) => async () => void ran.push(name)
      const first = { namespace: 'other', steps: { '002': step('002'), '001': step('001') } }
      expect(await store.migrate(first)).toEqual(['001', '002'])
      expect(await store.migrate(first)).toEqual([])
      expect(await store.migrate({ ...first, steps: { ...first.steps, '003': step('003') } })).toEqual(['003'])
      expect(await store.migrate({ namespace: 'third', steps: { '001': step('third') } })).toEqual(['001'])
      expect(ran).toEqual(['001', '002', '003', 'third'])
      await expect(store.migrate(first)).rejects.toMatchObject({
        code: 'store_unavailable',
        context: { reason: 'schema' },
      })
      await expect(store.migrate({ namespace: 'No; drop', steps: {} })).rejects.toThrow(TypeError)
    })

    test('a migration that fails leaves nothing of any step', async () => {
      const broken: Migrations = {
        namespace: 'broken',
        steps: {
          '001': (db) => db.schema.createTable('half').addColumn('a', 'integer').execute(),
          '002': async () => {
            throw new Error('broken step')
          },
        },
      }
      await expect(store.migrate(broken)).rejects.toThrow('broken step')
      await expect(sql`select * from half`.execute(store.db)).rejects.toThrow()
      const { '001': first = async () => {} } = broken.steps
      expect(await store.migrate({ namespace: 'broken', steps: { '001': first } })).toEqual(['001'])
    })

    test('tells the time of the database', async () => {
      const before = Date.now()
      const [outside, inside] = [await store.now(), await store.transaction((trx) => store.now(trx))]
      const after = Date.now()
      for (const now of [outside, inside]) {
        expect(Number.isInteger(now)).toBe(true)
        expect(now).toBeGreaterThanOrEqual(before - 1)
        expect(now).toBeLessThanOrEqual(after + 1)
      }
    })

    test('a clock that was given replaces it', async () => {
      const other = await open({ clock: () => 7 })
      expect(await other.now()).toBe(7)
      await other.close()
    })

    test('a transaction that hangs is given up and holds up nobody', async () => {
      const hasty = await open({ transactionTimeout: 50 })
      await hasty.migrate({ ...claimTables, namespace: 'hasty', steps: {} })
      const [hanging, other] = await Promise.allSettled([
        hasty.transaction(() => new Promise(() => {})),
        hasty.transaction(async () => 'served'),
      ])
      expect(hanging).toMatchObject({
        status: 'rejected',
        reason: { code: 'store_busy', context: { reason: 'timeout' } },
      })
      expect(other).toEqual({ status: 'fulfilled', value: 'served' })
      await hasty.close()
    })

    test('a closed store finishes what it accepted and refuses the rest with a type', async () => {
      const other = await open()
      const accepted = Promise.all(Array.from({ length: 40 }, (_, i) => other.transaction(async () => i)))
      const closed = other.close()
      const late = Promise.allSettled([other.transaction(async () => 1), other.migrate(claimTables), other.now()])
      expect(await accepted).toHaveLength(40)
      await closed
      await other.close()
      const later = Promise.allSettled([other.transaction(async () => 1), sql`select 1`.execute(other.db)])
      for (const outcome of [...(await late), ...(await later)])
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { name: 'X402Error', code: 'store_unavailable', context: { reason: 'closed', committed: false } },
        })
    })

    test('other tables, same store', async () => {
      const pid = fresh()
      const other = store.withTables<{ claim: { pid: string; amount: string; claimed_at: number } }>()
      await other.transaction((trx) => trx.insertInto('claim').values({ pid, amount: '1', claimed_at: 1 }).execute())
      expect(await stored(pid)).toEqual([pid])
    })
  })
}
