import { exactEvm } from '@groat/evm/exact/facilitator'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { openMemoryStore } from '@groat/store'
import { expect, test } from 'vitest'
import { createJournalView } from '../src/admin.js'
import { archiveJournal, auditJournal } from '../src/index.js'
import { journalMigrations } from '../src/journal/migrations.js'
import { settlingChain, useFacilitator } from './chain-kit.js'

// Real payments on a real chain, and journals that somebody changed.

const on = useFacilitator()
const tables = () => on.store.withTables<import('../src/journal/tables.js').JournalTables>()
const audit = async () =>
  auditJournal({
    store: on.store,
    schemes: [exactEvm({ chains: [await settlingChain(on.chain.rpcUrl, ['facilitator'])] })],
  })

async function settled(times: number): Promise<void> {
  const service = await on.serve()
  for (let n = 0; n < times; n++) expect((await service.settle(await on.pay())).status).toBe('settled')
  await service.stop()
}

test('INV-9 a journal that nobody touched is whole, and the chain says the same', async () => {
  await settled(3)
  const found = await audit()
  expect(found).toMatchObject({ ok: true, settlements: 3, chain: { compared: 3, unreachable: 0 }, differences: [] })
  expect(found.sums).toEqual([
    expect.objectContaining({ payTo: on.chain.account('seller').address, payments: 3, amount: 3000n }),
  ])
  expect(found.events).toMatchObject({ ok: true, heads: [{ seq: expect.any(Number) }] })
})

test('INV-9 what a replica of the edition before writes meanwhile, without the time of the claim, is found as well', async () => {
  await settled(2)
  await tables().transaction((trx) => trx.updateTable('event').set({ claimed_at: 0 }).execute())
  expect(await audit()).toMatchObject({ ok: true, settlements: 2, differences: [] })
  const view = createJournalView(on.store)
  for (const { pid } of await view.payments('')) {
    expect((await view.history(pid)).map(({ state }) => state)).toEqual(expect.arrayContaining(['claimed', 'settled']))
  }
})

test('a store without a journal, or with one of an earlier edition, is said to be that', async () => {
  const wrong = { code: 'store_unavailable', context: { reason: 'schema' } }
  const store = await openMemoryStore()
  await expect(auditJournal({ store })).rejects.toMatchObject(wrong)
  await expect(archiveJournal({ store, before: 0, append: async () => {} })).rejects.toMatchObject(wrong)
  const { steps, namespace } = journalMigrations
  await store.migrate({ namespace, steps: Object.fromEntries(Object.entries(steps).slice(0, 4)) })
  await expect(auditJournal({ store })).rejects.toMatchObject(wrong)
  await store.migrate(journalMigrations)
  expect(await auditJournal({ store })).toMatchObject({ ok: true, settlements: 0 })
  await store.close()
})

test('I17 an event that was changed, or is missing, shows', async () => {
  await settled(1)
  await tables().transaction((trx) =>
    trx.updateTable('event').set({ at: 1 }).where('to_state', '=', 'signed').execute(),
  )
  await tables().transaction((trx) => trx.deleteFrom('event').where('to_state', '=', 'settled').execute())
  const { ok, differences } = await audit()
  expect([ok, differences.map(({ kind }) => kind)]).toEqual([false, ['events', 'state']])
})

test('INV-9 evidence that is missing, too little, or not what the chain has, shows', async () => {
  await settled(3)
  const [first, second, third] = await tables()
    .db.selectFrom('settlement')
    .select(['id', 'pid'])
    .orderBy('pid')
    .execute()
  const [a, b, c] = [first?.pid, second?.pid, third?.pid]
  await tables().transaction(async (trx) => {
    await trx
      .deleteFrom('evidence')
      .where('settlement', '=', first?.id ?? 0)
      .execute()
    await trx
      .updateTable('evidence')
      .set({ amount: '1' })
      .where('settlement', '=', second?.id ?? 0)
      .execute()
    await trx
      .updateTable('evidence')
      .set({ log_index: 99 })
      .where('settlement', '=', third?.id ?? 0)
      .execute()
  })
  const { differences } = await audit()
  expect(differences.map(({ pid, kind }) => [pid, kind])).toEqual(
    expect.arrayContaining([
      [a, 'evidence'],
      [b, 'evidence'],
      [b, 'differs_on_chain'],
      [c, 'differs_on_chain'],
    ]),
  )
  expect(differences).toHaveLength(4)
  const [, had, has] =
    /^the journal has (.+); the chain has (.+)$/.exec(
      differences.find(({ pid, kind }) => pid === c && kind === 'differs_on_chain')?.detail ?? '',
    ) ?? []
  expect(had).toMatch(/^1000 in log 99 of 0x[0-9a-f]{64}, block \d+$/)
  expect(has?.replace(/log \d+/, 'log 99')).toBe(had)
  const offline = await auditJournal({ store: on.store })
  expect(offline.differences.map(({ kind }) => kind)).toEqual(['evidence', 'evidence'])
})

test('INV-9 what was asked for is missed where nothing was ever archived, and evidence of what was charged by use', async () => {
  const chains = [await settlingChain(on.chain.rpcUrl, ['facilitator'])]
  const schemes = [exactEvm({ chains }), uptoEvm({ chains })]
  const service = await on.serve({ schemes })
  expect((await service.settle(await on.payUpto(`0x${'9'.repeat(64)}`))).status).toBe('settled')
  expect((await service.settle(await on.pay())).status).toBe('settled')
  await service.stop()
  const idOf = (scheme: string) =>
    on.tables().selectFrom('settlement').select('id').where('scheme', '=', scheme).executeTakeFirstOrThrow()
  const [used, fixed] = [await idOf('upto'), await idOf('exact')]
  await tables().transaction(async (trx) => {
    await trx.deleteFrom('evidence').where('settlement', '=', used.id).execute()
    await trx.deleteFrom('request').where('settlement', '=', fixed.id).execute()
    await trx.updateTable('evidence').set({ amount: '1000000' }).where('settlement', '=', fixed.id).execute()
  })
  const { ok, differences } = await auditJournal({ store: on.store, schemes })
  expect({ ok, kinds: differences.map(({ kind }) => kind).sort() }).toEqual({ ok: false, kinds: ['evidence', 'state'] })
})

test('a transfer that is not on the chain shows', async () => {
  await settled(1)
  await on.chain.reorg(1)
  const { differences } = await audit()
  expect(differences).toMatchObject([{ kind: 'not_on_chain' }])
})
