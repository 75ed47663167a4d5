import { network, paymentId, refuse, requirementsId, type SignedTransaction } from '@groat/core'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import { type RawBuilder, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../store/test/embedded-postgres.js'
import { auditJournal } from '../src/index.js'
import { createJournal, type Journal } from '../src/journal/journal.js'
import { journalMigrations } from '../src/journal/migrations.js'
import type { Claim, SettlementRecord } from '../src/journal/record.js'
import type { JournalTables } from '../src/journal/tables.js'

// A journal that an earlier edition wrote, brought up to date.

const NETWORK = network('base-sepolia')
const SIGNER = '0xf1'
let server: EmbeddedPostgres

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.remove())

describe.each([
  ['sqlite', () => openMemoryStore()],
  ['postgres', async () => openStore(await server.database())],
])('%s', (_, openFresh) => {
  async function earlier(): Promise<{ readonly store: Store; readonly rows: Rows }> {
    const filled = await openFresh()
    await fill(filled)
    const rows = await rowsOf(filled)
    await filled.close()
    const store = await openFresh()
    const { namespace, steps } = journalMigrations
    await store.migrate({ namespace, steps: Object.fromEntries(Object.entries(steps).slice(0, 5)) })
    await writeEarlier(store, rows)
    return { store, rows }
  }

  test('INV-22 a journal of the edition before has every row afterwards, and is whole', async () => {
    const { store, rows } = await earlier()
    const journal = createJournal({ store, clock: () => 5000, replica: 'next' })
    await journal.migrate()
    expect(await rowsOf(store)).toEqual(rows)
    expect(rows.settlement.map(({ state }) => state).sort()).toEqual(EVERY_STATE)
    expect(await auditJournal({ store })).toMatchObject({ ok: true, settlements: EVERY_STATE.length, differences: [] })
    await store.close()
  })

  test('INV-1, INV-6 what was known stays known, goes on, and the laws are the database’s own as before', async () => {
    const { store, rows } = await earlier()
    const journal = createJournal({ store, clock: () => 5000, replica: 'next' })
    await journal.migrate()
    for (const { pid, state } of rows.settlement) {
      const nonce = NONCES.find((each) => paymentId([NETWORK, each]) === pid) ?? ''
      const { status } = await journal.claim(claimOf(nonce), 'next')
      expect([state, status]).toEqual([state, state === 'refused' ? 'won' : 'taken'])
    }
    expect((await journal.claim(claimOf('new'), 'next')).status).toBe('won')
    await journal.leases.renew(1000)
    const served = [{ network: NETWORK, scheme: 'exact', signers: [SIGNER] }]
    const adopted = await journal.adopt(served)
    expect(adopted.map(({ state }) => state).sort()).toEqual([
      'claimed',
      'mined',
      'reorged',
      'sent',
      'signed',
      'signed',
    ])
    expect((await journal.take(served)).map(({ state }) => state)).toEqual(['claimed'])
    expect(await journal.watched(NETWORK, 10)).toHaveLength(1)
    await expectLaws(store)
    await store.close()
  })

  test('a replica of the edition before that still runs writes no payment any more', async () => {
    const { store, rows } = await earlier()
    await createJournal({ store, clock: () => 5000, replica: 'next' }).migrate()
    const before = await rowsOf(store)
    const pid = rows.settlement.find(({ state }) => state === 'sent')?.pid ?? ''
    const steps: readonly RawBuilder<unknown>[] = [
      sql`insert into settlement (pid, rid, request) values ('p', 'r', '{}')`,
      sql`select pid from ride where pid in (${pid}) and ride.status = 'live'`,
      sql`insert into ride (slot, pid, status) values ('s', ${pid}, 'live')`,
      sql`insert into evidence (network, transaction, log_index, pid) values ('n', 't', 0, ${pid})`,
      sql`update settlement set state = 'settled' where pid in (${pid})`,
      sql`update settlement set request = '' where pid in (${pid})`,
    ]
    for (const step of steps) await expect(store.transaction((trx) => step.execute(trx))).rejects.toThrow()
    expect(await rowsOf(store)).toEqual(before)
    await store.close()
  })
})

const EVERY_STATE = [
  ...['claimed', 'claimed', 'dead', 'final', 'final', 'mined', 'refused', 'reorged', 'sent', 'settled'],
  ...['signed', 'signed'],
]
const NONCES = [...EVERY_STATE.keys()].map((at) => `n${at}`)

function claimOf(nonce: string): Claim {
  const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x01', payTo: '0x02', extra: {} }
  const requirements = { ...terms, maxTimeoutSeconds: 60 }
  const payment = { x402Version: 2, scheme: 'exact', network: NETWORK, payload: { nonce } } as const
  return {
    ...{ pid: paymentId([NETWORK, nonce]), rid: requirementsId(requirements), payer: `0x0${nonce.length}` },
    ...{ expiresAt: 2000, signer: SIGNER, tenant: 'shop' },
    request: { payment, requirements },
    requestText: JSON.stringify({ ...payment, signed: 'ü"\\' }),
  }
}

/** One payment in every state, one that is nobody's, one that rides for the second time, one that is archived. */
async function fill(store: Store): Promise<void> {
  let now = 1000
  const journal = createJournal({ store, clock: () => now++, replica: 'gone', telling: () => ['shop'] })
  await journal.migrate()
  await journal.leases.renew(-1)
  const hold = await journal.leases.acquire(NETWORK, SIGNER, -1)
  let nonces = 0n
  const claim = async (at: number, owner: string | null = 'gone') => {
    const claimed = await journal.claim(claimOf(NONCES[at] ?? ''), owner)
    if (claimed.status !== 'won') throw new Error(claimed.status)
    return claimed.record
  }
  const sign = async (record: SettlementRecord): Promise<SettlementRecord> => {
    const nonce = nonces++
    const tx = { hash: `0xh${nonce}`, signer: SIGNER, nonce, raw: `raw ${nonce}`, maxCost: 9n, details: { gas: '1' } }
    return one(await journal.signed([{ record, ...(await journal.means(record)) }], tx, hold))
  }
  const settled = async (record: SettlementRecord, as?: 'mined') =>
    one(await journal.settled(record, evidenceOf(record.attempts.at(-1)?.transaction), as))
  await claim(0)
  await claim(1, null)
  await journal.refused(await claim(2), refuse('payment_expired', 'why'))
  await sign(await claim(3))
  const voided = await sign(await claim(4))
  const [attempt] = voided.attempts
  if (attempt === undefined) throw new Error('nothing was signed')
  await sign(one(await journal.closed(voided, attempt, 'void')))
  const sent = await sign(await claim(5))
  await journal.sent(sent, sent.attempts[0]?.transaction as SignedTransaction)
  await settled(await sign(await claim(6)), 'mined')
  await settled(await sign(await claim(7)))
  await journal.final(await settled(await sign(await claim(8))))
  await journal.reorged(await settled(await sign(await claim(9))))
  await journal.dead(await sign(await claim(10)), refuse('payment_expired'))
  const archived = one(await journal.final(await settled(await sign(await claim(11)))))
  await store.withTables<JournalTables>().transaction(async (trx) => {
    const { id } = await trx
      .selectFrom('settlement')
      .select('id')
      .where('pid', '=', archived.pid)
      .executeTakeFirstOrThrow()
    await trx.deleteFrom('request').where('settlement', '=', id).execute()
    await trx.deleteFrom('ride').where('settlement', '=', id).execute()
    await trx.insertInto('chain_start').values({ writer: 'archived', seq: 3, hash: 'ab' }).execute()
  })
}

function evidenceOf(transaction: SignedTransaction | undefined) {
  const { hash = '', nonce = 0n } = transaction ?? {}
  return { transaction: hash, logIndex: 2, blockNumber: 7n + nonce, blockHash: `b${nonce}`, amount: 7n, fee: 5n }
}

function one(written: Awaited<ReturnType<Journal['signed' | 'settled']>>): SettlementRecord {
  const record = Array.isArray(written) ? written[0] : written
  if (typeof record !== 'object' || !('pid' in record)) throw new Error(JSON.stringify(written))
  return record
}

type Rows = Awaited<ReturnType<typeof rowsOf>>

/** Everything in a journal, whatever ids it goes by. */
async function rowsOf(store: Store) {
  const { db } = store.withTables<JournalTables>()
  const of = (table: 'ride' | 'evidence') =>
    db.selectFrom(table).innerJoin('settlement', 'settlement.id', `${table}.settlement`).selectAll(table).select('pid')
  const settlement = await db
    .selectFrom('settlement')
    .leftJoin('request', 'request.settlement', 'settlement.id')
    .selectAll('settlement')
    .select('body')
    .orderBy('pid')
    .execute()
  const plain = ['attempt', 'event', 'outbox', 'delivery', 'payer', 'lane', 'chain_start'] as const
  const others = await Promise.all(plain.map((table) => db.selectFrom(table).selectAll().execute()))
  return {
    settlement: settlement.map(({ id: _, ...row }) => row),
    ride: (await of('ride').orderBy('slot').execute()).map(({ settlement: _, ...row }) => row),
    evidence: (await of('evidence').orderBy('pid').execute()).map(({ settlement: _, ...row }) => row),
    others: Object.fromEntries(plain.map((table, at) => [table, others[at]])),
  }
}

/** The same rows as the edition before had them. */
async function writeEarlier(store: Store, { settlement, ride, evidence, others }: Rows): Promise<void> {
  const tables = store.withTables<Record<string, Record<string, unknown>>>()
  const payments = settlement.map(({ body, phase: _, block: __, ...row }) => ({ ...row, request: body ?? '' }))
  await tables.transaction(async (trx) => {
    const all = Object.entries({ settlement: payments, ...others, ride, evidence })
    for (const [table, rows] of all.sort(([a], [b]) => Number(b === 'outbox') - Number(a === 'outbox'))) {
      for (const row of rows ?? []) await trx.insertInto(table).values(row).execute()
    }
  })
}

async function expectLaws(store: Store): Promise<void> {
  const tables = store.withTables<JournalTables>()
  const [riding] = await tables.db.selectFrom('ride').selectAll().where('status', '=', 'live').execute()
  const [credited, other] = await tables.db.selectFrom('evidence').selectAll().execute()
  const [known] = await tables.db.selectFrom('settlement').selectAll().where('phase', 'is', null).execute()
  if (!(riding && credited && other && known)) throw new Error('nothing to break')
  const free = await tables.db.selectFrom('settlement').select('id').where('state', '=', 'claimed').execute()
  const unpaid = free[0]?.id ?? 0
  const { id: _, ...again } = known
  const wrongs = [
    () =>
      tables.transaction((trx) =>
        trx
          .insertInto('ride')
          .values({ ...riding, slot: 'another' })
          .execute(),
      ),
    () =>
      tables.transaction((trx) =>
        trx
          .insertInto('evidence')
          .values({ ...credited, settlement: unpaid })
          .execute(),
      ),
    () =>
      tables.transaction((trx) =>
        trx
          .insertInto('evidence')
          .values({ ...other, log_index: 99 })
          .execute(),
      ),
    () =>
      tables.transaction((trx) =>
        trx
          .insertInto('evidence')
          .values({ ...other, log_index: 99, settlement: 0 })
          .execute(),
      ),
    () => tables.transaction((trx) => trx.insertInto('settlement').values(again).execute()),
    () =>
      tables.transaction((trx) =>
        trx.updateTable('settlement').set({ state: 'claimed' }).where('pid', '=', again.pid).execute(),
      ),
  ]
  for (const wrong of wrongs) await expect(wrong()).rejects.toThrow()
}
