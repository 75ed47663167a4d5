import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../src/index.js'
import { compileChild } from './children.js'
import { tempFolder } from './temp-folder.js'

type Tables = { claim: { pid: string; owner: string }; half: { id: string; side: string } }

const folder = tempFolder()
let child: Awaited<ReturnType<typeof compileChild>>
beforeAll(async () => {
  child = await compileChild()
})
afterAll(() => child.remove())

test('after kill -9 in a burst of writes, all that was acknowledged is there and nothing is there by half', async () => {
  const target = folder.fresh()
  const acknowledged: string[] = []
  for (const round of ['a', 'b', 'c']) {
    const writer = await child.start('burst', target, round)
    writer.go()
    await writer.said(150)
    await writer.kill()
    acknowledged.push(...writer.lines.slice(1))
  }
  const store = await openStore<Tables>(target)
  const rows = await store.db.selectFrom('half').selectAll().orderBy('id').execute()
  await store.close()
  const ids = (side: string) => rows.filter((row) => row.side === side).map((row) => row.id)
  const left = new Set(ids('left'))
  expect(acknowledged.filter((id) => !left.has(id))).toEqual([])
  expect(ids('left')).toEqual(ids('right'))
  expect(acknowledged.length).toBeGreaterThanOrEqual(3 * 149)
})

test('what is written after another process has had the file open and let go of it is there after kill -9', async () => {
  const target = folder.fresh()
  await (await openStore(target)).close()
  const keeper = await child.start('keep', target, 'keeper')
  keeper.go()
  await keeper.said(2)
  const visitor = await child.start('visit', target)
  visitor.go()
  await visitor.end()
  keeper.go()
  await keeper.said(3)
  await keeper.kill()
  const store = await openStore<Tables>(target)
  expect(await store.db.selectFrom('claim').selectAll().execute()).toEqual([{ pid: 'kept', owner: 'keeper' }])
  await store.close()
})

test('a lock that another process holds is waited for within bounds, and its holder may die', async () => {
  const target = folder.fresh()
  const holder = await child.start('hold', target, 'holder')
  holder.go()
  await holder.said(2)

  const hasty = await openStore<Tables>(target, { busyTimeout: 20 })
  const insert = (store: typeof hasty, pid: string) =>
    store.transaction((trx) => trx.insertInto('claim').values({ pid, owner: 'me' }).execute())
  await expect(insert(hasty, 'no')).rejects.toMatchObject({
    code: 'store_busy',
    context: { reason: 'locked', committed: false },
  })
  // Readers wait for nobody, and see what is committed.
  expect(await hasty.db.selectFrom('claim').selectAll().execute()).toEqual([])
  await hasty.close()

  const patient = await openStore<Tables>(target, { busyTimeout: 20_000 })
  const waiting = insert(patient, 'yes')
  await holder.kill()
  await waiting
  expect(await patient.db.selectFrom('claim').selectAll().execute()).toEqual([{ pid: 'yes', owner: 'me' }])
  await patient.close()
})
