import {
  type FacilitatorRequest,
  network,
  paymentId,
  refuse,
  requirementsId,
  type SignedTransaction,
} from '@groat/core'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type EmbeddedPostgres, startPostgres } from '../../../store/test/embedded-postgres.js'
import { auditJournal } from '../audit.js'
import { verifyEvents } from './audit.js'
import { createJournal, type Hold, type Journal, type Written } from './journal.js'
import { processHost } from './process-host.js'
import { createReads } from './reads.js'
import { type Claim, type Evidence, type SettlementRecord, settlementOf } from './record.js'
import { edges, isOpen, openPhases, phases, type SettlementState } from './state.js'
import type { JournalTables } from './tables.js'

const NETWORK = network('base-sepolia')
const SIGNER = '0xf1'
const SERVED = { network: NETWORK, scheme: 'exact' }
const ABLE = [{ ...SERVED, signers: [SIGNER] }]
let server: EmbeddedPostgres
let store: Store
let journal: Journal
let hold: Hold

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.remove())

describe.each([
  ['sqlite', () => openMemoryStore()],
  ['postgres', async () => openStore(await server.database())],
])('%s', (_, openFresh) => {
  beforeEach(async () => {
    store = await openFresh()
    journal = createJournal({ store, clock: () => 1000, replica: 'r' })
    await journal.migrate()
    await journal.leases.renew(1000)
    hold = (await journal.leases.acquire(NETWORK, SIGNER, 1000)) ?? { fence: -1 }
  })
  afterEach(() => store.close())

  describeJournal()
})

test('INV-11 on PostgreSQL, blocks that are undone while a signing waits for its lane count', async () => {
  store = await openStore(await server.database())
  journal = createJournal({ store, clock: () => 1000, replica: 'r' })
  await journal.migrate()
  await journal.leases.renew(1000)
  hold = (await journal.leases.acquire(NETWORK, SIGNER, 1000)) ?? { fence: -1 }
  const settled = written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence))
  const record = await claimed('2')
  const found = await journal.means(record)
  const other = createJournal({ store, clock: () => 1000, replica: 's' })
  const tables = store.withTables<JournalTables>()
  let signing: ReturnType<Journal['signed']> | undefined
  // As the renewal of a lease does, for longer.
  await tables.transaction(async (trx) => {
    await trx.updateTable('lane').set({ lease_until: 5000 }).where('signer', '=', SIGNER).execute()
    signing = journal.signed([{ record, ...found }], tx('b', 1n), hold)
    await vi.waitFor(async () => {
      const waits = sql`select 1 from pg_locks where not granted and pid <> pg_backend_pid()`
      expect((await waits.execute(trx)).rows).toHaveLength(1)
    })
    written(await other.reorged(settled))
  })
  expect(await signing).toMatchObject({ moved: [record.pid] })
  await store.close()
})

function claimOf(nonce: string, extra: FacilitatorRequest['requirements']['extra'] = {}): Claim {
  const requirements = {
    scheme: 'exact',
    network: NETWORK,
    amount: 10n ** 30n,
    asset: '0x01',
    payTo: '0x02',
    maxTimeoutSeconds: 60,
    extra,
  }
  const payment = { x402Version: 2, scheme: 'exact', network: NETWORK, payload: { nonce } } as const
  return {
    pid: paymentId([NETWORK, nonce]),
    rid: requirementsId(requirements),
    payer: '0x03',
    expiresAt: 2000,
    request: { payment, requirements },
    requestText: JSON.stringify(payment),
  }
}

/** Something that happens once, between the first query and the one after it. */
function between(db: Store<JournalTables>['db'], happens: () => Promise<unknown>): Store<JournalTables>['db'] {
  let queries = 0
  const wrap = <T extends object>(builder: T): T =>
    new Proxy(builder, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          const come = () => value.apply(target, given)
          if (name === 'execute') return (++queries === 2 ? happens() : Promise.resolve()).then(come)
          const next: unknown = come()
          return typeof next === 'object' && next !== null && 'execute' in next ? wrap(next) : next
        }
      },
    })
  return wrap(db)
}

function tx(hash: string, nonce: bigint): SignedTransaction {
  return { hash, signer: SIGNER, nonce, raw: `raw ${hash}`, details: { gas: '21000' } }
}

const evidence: Evidence = {
  transaction: 'a',
  logIndex: 2,
  blockNumber: 7n,
  blockHash: 'b',
  amount: 10n ** 30n,
  fee: 5n,
}

function written(outcome: Written | string): SettlementRecord {
  if (typeof outcome === 'string') throw new Error(outcome)
  return outcome
}

async function claimed(nonce = '1', extra: FacilitatorRequest['requirements']['extra'] = {}) {
  const claim = await journal.claim(claimOf(nonce, extra), 'r')
  if (claim.status !== 'won') throw new Error(claim.status)
  return claim.record
}

async function sign(record: SettlementRecord, transaction: SignedTransaction): Promise<Written | string> {
  const { undone } = await journal.means(record)
  const outcome = await journal.signed([{ record, undone }], transaction, hold)
  if (typeof outcome === 'string') return outcome
  return 'moved' in outcome ? 'moved' : (outcome[0] ?? 'moved')
}

/** Payments like one that is settled, each in a block of its own, and found a millisecond after the one before. */
async function copyPayment(
  pid: string,
  { payer, count, blockFrom }: { payer: string; count: number; blockFrom: number },
) {
  const copies = Array.from({ length: count }, (_, at) => ({ pid: `${payer} ${at}`, block: blockFrom + at }))
  await store.withTables<JournalTables>().transaction(async (trx) => {
    const { id, ...row } = await trx
      .selectFrom('settlement')
      .selectAll()
      .where('pid', '=', pid)
      .executeTakeFirstOrThrow()
    const credit = await trx.selectFrom('evidence').selectAll().where('settlement', '=', id).executeTakeFirstOrThrow()
    for (let from = 0; from < count; from += 1000) {
      const some = copies.slice(from, from + 1000)
      const rows = some.map((copy) => ({ ...row, pid: copy.pid, payer, block: copy.block }))
      const ids = await trx.insertInto('settlement').values(rows).returning(['id', 'pid']).execute()
      const idOf = new Map(ids.map((inserted) => [inserted.pid, inserted.id]))
      const evidences = some.map(({ pid: name, block }) => {
        const log = { settlement: idOf.get(name) ?? 0, transaction: name, block_number: block }
        return { ...credit, ...log, found_at: credit.found_at + block }
      })
      await trx.insertInto('evidence').values(evidences).execute()
    }
  })
}

const close = (record: SettlementRecord, as: 'failed' | 'void') => {
  const [attempt] = record.attempts
  if (attempt === undefined) throw new Error('nothing to close')
  return journal.closed(record, attempt, as)
}

function describeJournal(): void {
  test('what settles with nothing sent is used up, and stays so', async () => {
    const record = written(await journal.waived(await claimed()))
    expect(settlementOf(record, 2)).toEqual({
      status: 'settled',
      receipt: { payer: '0x03', network: NETWORK, transaction: '', amount: 0n },
    })
    expect(await journal.claim(claimOf('1'), 'r')).toEqual({ status: 'taken' })
    expect(await journal.load(record.pid)).toMatchObject({ state: 'settled', attempts: [] })
    expect(
      await journal.waived(await claimed('2').then((other) => ({ ...other, state: 'claimed', pid: record.pid }))),
    ).toBe('moved')
  })

  describe('claim', () => {
    test('ENG-2 one of many wins, and the others see what it claimed', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? journal : other).claim(claimOf('1'), 'r')),
      )
      expect(claims.map(({ status }) => status).sort()).toEqual([...Array(19).fill('taken'), 'won'])
    })

    test('a refusal binds nobody: it is claimed anew, under any terms', async () => {
      const first = await claimed()
      written(await journal.refused(first, refuse('invalid_exact_evm_signature', 'why')))
      expect(await journal.load(first.pid)).toMatchObject({
        state: 'refused',
        refusal: { ok: false, code: 'invalid_exact_evm_signature', detail: 'why' },
      })
      const again = await claimed('1', { other: 'terms' })
      expect(again.rid).not.toBe(first.rid)
      const { refusal: _, ...stored } = (await journal.load(first.pid)) ?? {}
      expect(stored).toEqual(again)
    })

    test('nothing else does', async () => {
      const record = written(await sign(await claimed(), tx('a', 0n)))
      expect((await journal.claim(claimOf('1'), 'r')).status).toBe('taken')
      written(await journal.dead(record, refuse('payment_expired')))
      expect((await journal.claim(claimOf('1'), 'r')).status).toBe('taken')
    })
  })

  test('a record comes back as it was written', async () => {
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    const sent = written(await journal.sent(signed, tx('a', 0n)))
    expect(await journal.load(sent.pid)).toEqual(sent)
    const settled = written(await journal.settled(sent, evidence))
    expect(await journal.load(sent.pid)).toEqual(settled)
    expect(settled).toMatchObject({ state: 'settled', evidence, attempts: [{ status: 'landed' }] })
  })

  describe('nonces', () => {
    test('INV-7 the bytes and their nonce are written together or not at all', async () => {
      written(await sign(await claimed('1'), tx('a', 0n)))
      const second = await claimed('2')
      expect(await sign(second, tx('b', 0n))).toBe('nonce_used')
      expect(await journal.load(second.pid)).toEqual(second)
      expect((await journal.lane(NETWORK, SIGNER)).next).toBe(1n)
      written(await sign(second, tx('b', 5n)))
      expect((await journal.lane(NETWORK, SIGNER)).next).toBe(6n)
    })

    test('what cannot be written uses none up', async () => {
      const record = await claimed()
      written(await sign(record, tx('a', 0n)))
      expect(await sign(record, tx('b', 1n))).toBe('moved')
      expect((await journal.lane(NETWORK, SIGNER)).next).toBe(1n)
    })

    test('a lane starts from what may still land, the lowest first', async () => {
      for (const [nonce, hash] of ['a', 'b', 'c'].entries()) {
        const record = written(await sign(await claimed(hash), tx(hash, BigInt(nonce))))
        if (hash === 'b') written(await journal.dead(record, refuse('payment_expired')))
      }
      const { open } = await journal.lane(NETWORK, SIGNER)
      expect(open.map(({ transaction, ended }) => [transaction, ended])).toEqual([
        [tx('a', 0n), false],
        [tx('b', 1n), true],
        [tx('c', 2n), false],
      ])
      await journal.spent(['b'])
      expect((await journal.lane(NETWORK, SIGNER)).open).toHaveLength(2)
    })

    test('and from what is in no block any more: that changes nothing that was said of it', async () => {
      const signed = written(await sign(await claimed('1'), tx('a', 0n)))
      const landed = written(await journal.settled(signed, evidence))
      written(await sign(await claimed('2'), tx('b', 1n)))
      await journal.spent(['b'])
      const open = async (mined: bigint) =>
        (await journal.lane(NETWORK, SIGNER, mined)).open.map(({ transaction: { hash }, status }) => [hash, status])
      expect(await open(2n)).toEqual([])
      expect(await open(1n)).toEqual([['b', 'void']])
      expect(await open(0n)).toEqual([
        ['a', 'landed'],
        ['b', 'void'],
      ])
      await journal.spent(['a'])
      expect(await journal.load(landed.pid)).toEqual(landed)
    })

    test('a nonce costs what landed under it cost, or else what the dearest may, whatever it went to', async () => {
      const spending = async () => (await journal.spending(NETWORK, 0)).map(({ cost }) => cost)
      const record = written(await sign(await claimed(), { ...tx('a', 0n), maxCost: 10n }))
      await journal.outbid(NETWORK, { ...tx('b', 0n), maxCost: 30n }, hold)
      await journal.outbid(NETWORK, { ...tx('c', 0n), maxCost: 20n }, hold)
      expect(await spending()).toEqual([30n])
      await journal.spent(['a', 'b', 'c'])
      expect(await spending()).toEqual([30n])
      const known = await journal.load(record.pid)
      const settled = written(await journal.settled(known!, evidence))
      expect(await spending()).toEqual([5n])
      expect((await journal.lately(NETWORK, 9)).map(({ pid }) => pid)).toEqual([record.pid])
      // It may land again at another price.
      written(await journal.reorged(settled))
      expect(await spending()).toEqual([30n])
      expect(await journal.lately(NETWORK, 9)).toEqual([])
    })
  })

  test('INV-6 a second transaction that may land is refused by the database itself', async () => {
    const record = written(await sign(await claimed(), tx('a', 0n)))
    expect(await sign(record, tx('b', 1n))).toBe('moved')
    const closed = written(await close(record, 'void'))
    written(await sign(closed, tx('b', 1n)))
    const attempts = store.withTables<JournalTables>().db.selectFrom('attempt').select(['hash', 'status'])
    expect(await attempts.orderBy('nonce').execute()).toEqual([
      { hash: 'a', status: 'void' },
      { hash: 'b', status: 'signed' },
    ])
  })

  test('ENG-10, FAC-037 one log credits one payment', async () => {
    const first = written(await sign(await claimed('1'), tx('a', 0n)))
    const second = written(await sign(await claimed('2'), tx('b', 1n)))
    written(await journal.settled(first, evidence))
    expect(await journal.settled(second, evidence)).toBe('credited')
    expect(await journal.load(second.pid)).toEqual(second)
    written(await journal.settled(second, { ...evidence, logIndex: 3 }))
  })

  describe('INV-22 states', () => {
    const all = Object.keys(edges) as SettlementState[]

    test('go forward only, but for a refusal, which is an end for nobody else', () => {
      const reached = (from: SettlementState, seen = new Set<SettlementState>()): Set<SettlementState> => {
        for (const to of edges[from]) if (!seen.has(to)) reached(to, seen.add(to))
        return seen
      }
      expect(all.filter((state) => reached(state).has(state))).toEqual([
        'claimed',
        'sent',
        'mined',
        'settled',
        'reorged',
        'refused',
      ])
      expect([...reached('signed')].sort()).toEqual(['dead', 'final', 'mined', 'reorged', 'sent', 'settled'])
      // But for a block that is gone, and says so.
      const { reorged: _, ...forward } = edges
      const ahead = (from: SettlementState): readonly SettlementState[] =>
        from === 'reorged' ? [] : forward[from].flatMap((to) => [to, ...(to === 'claimed' ? [] : ahead(to))])
      expect(all.filter((state) => ahead(state).includes(state))).toEqual(['claimed'])
      expect(all.filter(isOpen)).toEqual(all.filter((state) => openPhases.some((phase) => phase === phases[state])))
    })

    test('that are not joined by an edge are a mistake of ours, and nothing is written', async () => {
      const record = await claimed()
      await expect(journal.dead(record, refuse('payment_expired'))).rejects.toThrow('claimed to dead')
      expect(await journal.load(record.pid)).toEqual(record)
    })

    test('of a record that has moved on in the meantime are left alone', async () => {
      const record = await claimed()
      const signed = written(await sign(record, tx('a', 0n)))
      expect(await journal.refused(record, refuse('payment_expired'))).toBe('moved')
      expect(await journal.load(record.pid)).toEqual(signed)
    })
  })

  test('INV-22 an audit finds where events lead, though the clocks of the replicas that wrote them differ', async () => {
    const ahead = createJournal({ store, clock: () => 600_000, replica: 'ahead' })
    const behind = createJournal({ store, clock: () => 5, replica: 'behind' })
    const claim = claimOf('1')
    const taken = await ahead.claim(claim, 'ahead')
    if (taken.status !== 'won') throw new Error(taken.status)
    written(await behind.refused(taken.record, refuse('payment_expired')))
    const again = await journal.claim(claim, 'r')
    if (again.status !== 'won') throw new Error(again.status)
    written(await behind.refused(again.record, refuse('payment_expired')))
    expect(await auditJournal({ store })).toMatchObject({ events: { ok: true }, settlements: 1, differences: [] })
  })

  test('that a block is undone is written once, and not of another block that shows the payment by now', async () => {
    const told = createJournal({ store, clock: () => 1000, replica: 'r', telling: () => [] })
    const signed = written(await sign(await claimed('1'), tx('a', 0n)))
    const mined = written(await told.settled(signed, evidence, 'mined'))
    const reorged = written(await told.reorged(mined))
    // Who read it later, or before, is told to read it again.
    expect(await told.reorged(reorged)).toBe('moved')
    const again = written(await told.settled(reorged, { ...evidence, blockHash: 'b2' }, 'mined'))
    expect(await told.reorged(mined)).toBe('moved')
    expect(await journal.load(mined.pid)).toEqual(again)
    const { undone } = await journal.means(mined)
    expect(undone).toBe(1)
    const topics = await store.withTables<JournalTables>().db.selectFrom('outbox').select('topic').execute()
    expect(topics).toEqual([{ topic: 'reorged' }])
  })

  test('nor when all of that is written in one moment, beside the same of another payment', async () => {
    const [one, two] = [await claimed('1'), await claimed('2')]
    const both = [one, two].map((record) => ({ record, undone: 0 }))
    const [first, second] = (await journal.signed(both, tx('a', 0n), hold)) as readonly SettlementRecord[]
    const at = (logIndex: number, blockHash: string) => ({ ...evidence, logIndex, blockHash })
    const minedFirst = written(await journal.settled(first!, at(1, 'b1'), 'mined'))
    const minedSecond = written(await journal.settled(second!, at(2, 'b1'), 'mined'))
    const reorgedSecond = written(await journal.reorged(minedSecond))
    const outcomes = await Promise.all([
      journal.reorged(minedFirst),
      journal.settled(reorgedSecond, at(2, 'b2'), 'mined'),
      journal.reorged(minedSecond),
    ])
    expect(outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : outcome.state))).toEqual([
      'reorged',
      'mined',
      'moved',
    ])
    expect(await journal.load(two.pid)).toMatchObject({ state: 'mined', evidence: { blockHash: 'b2' } })
    expect(await auditJournal({ store })).toMatchObject({ ok: true })
  })

  test('INV-4 a payment whose block is undone while it is read is not settled with nothing charged', async () => {
    const record = written(await journal.settled(written(await sign(await claimed(), tx('a', 0n))), evidence))
    const reads = createReads(
      between(store.withTables<JournalTables>().db, () => journal.reorged(record)),
      'r',
    )
    const torn = await reads.load(record.pid)
    expect(torn && settlementOf(torn, 1)).toMatchObject({ status: 'settled', receipt: { transaction: 'a' } })
    const after = await reads.load(record.pid)
    expect(after && settlementOf(after, 1)).toMatchObject({ status: 'unknown' })
  })

  describe('ENG-5 leases', () => {
    test('one holds a lane, and who took it over has a higher fence: the one before writes nothing there', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      await other.leases.renew(1000)
      expect(await other.leases.acquire(NETWORK, SIGNER, 1000)).toBeUndefined()
      const record = await claimed()
      const before = hold
      await journal.leases.release({ network: NETWORK, signer: SIGNER, fence: hold.fence })
      const taken = await other.leases.acquire(NETWORK, SIGNER, 1000)
      expect(taken?.fence).toBeGreaterThan(before.fence)
      expect(await sign(record, tx('a', 0n))).toBe('lost')
      expect(await journal.outbid(NETWORK, tx('b', 0n), before)).toBe('lost')
      expect(await journal.load(record.pid)).toEqual(record)
      await other.leases.leave()
    })

    test('who holds a lane and does not know it, for the answer was lost, takes it again under a higher fence', async () => {
      const again = await journal.leases.acquire(NETWORK, SIGNER, 1000)
      expect(again?.fence).toBeGreaterThan(hold.fence)
      expect(await sign(await claimed(), tx('a', 0n))).toBe('lost')
    })

    test('a replica whose process is gone is found dead by its neighbours, and by nobody whose processes are others', async () => {
      const tables = store.withTables<JournalTables>()
      const hosts = { neighbour: processHost(), container: `${processHost()} pid:[1]` }
      const rows = Object.entries(hosts).map(([id, host]) => ({
        id,
        host,
        process: 2 ** 30,
        lease_until: 2 ** 50,
        reaches: '',
      }))
      await tables.transaction((trx) => trx.insertInto('replica').values(rows).execute())
      expect(await journal.leases.renew(1000)).toMatchObject({ gone: ['neighbour'] })
    })

    test('who broke off more than a day ago, on whatever host, is forgotten', async () => {
      const tables = store.withTables<JournalTables>()
      await tables.transaction((trx) =>
        trx
          .insertInto('replica')
          .values(
            [25, 23].map((hours) => ({
              ...{ id: `${hours}`, host: 'elsewhere', process: 1, reaches: '' },
              lease_until: Date.now() - hours * 3_600_000,
            })),
          )
          .execute(),
      )
      await journal.leases.renew(1000)
      const known = await tables.db.selectFrom('replica').select('id').orderBy('id').execute()
      expect(known.map(({ id }) => id)).toEqual(['23', journal.replica])
    })

    test('what a dead replica carried is taken over once, and lanes whose lease ended', async () => {
      const gone = createJournal({ store, clock: () => 1000, replica: 'gone' })
      await gone.leases.renew(-1)
      await gone.leases.acquire(NETWORK, '0xf2', -1)
      const claim = await gone.claim(claimOf('7'), 'gone')
      expect(claim.status).toBe('won')
      expect(await journal.openSchemes()).toEqual([SERVED])
      const others = [
        { ...SERVED, scheme: 'upto' },
        { ...SERVED, network: network('base') },
      ]
      for (const served of [[], others]) expect(await journal.adopt(served)).toEqual([])
      expect((await journal.adopt(ABLE)).map(({ owner }) => owner)).toEqual(['r'])
      expect(await journal.adopt(ABLE)).toEqual([])
      expect(await journal.leases.acquire(NETWORK, '0xf2', 1000)).toMatchObject({ fence: 2 })
      expect(await journal.leases.renew(1000)).toMatchObject({ alive: 1 })
    })

    test('what is settled is watched by who knows its chain, or serves its scheme; what is open is carried by who serves it', async () => {
      const gone = createJournal({ store, clock: () => 1000, replica: 'gone' })
      await gone.leases.renew(-1)
      const take = async (nonce: string) => {
        const claim = await gone.claim(claimOf(nonce), 'gone')
        return claim.status === 'won' ? claim.record : expect.fail(claim.status)
      }
      written(await gone.settled(written(await sign(await take('1'), tx('a', 0n))), evidence))
      await take('2')
      const upto = [{ ...SERVED, scheme: 'upto' }]
      expect(await journal.adopt(upto)).toEqual([])
      expect(await journal.watched(NETWORK, 10)).toEqual([])
      expect(await journal.adopt(upto, [NETWORK])).toEqual([])
      expect(await journal.watched(NETWORK, 10)).toMatchObject([{ pid: claimOf('1').pid, state: 'settled' }])
      expect((await journal.adopt(ABLE)).map(({ pid }) => pid)).toEqual([claimOf('2').pid])
    })

    test('what was claimed by who cannot sign goes to one who can', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      await other.claim(claimOf('1'), null)
      const taken = await Promise.all([journal.take(ABLE), other.take(ABLE)])
      expect(taken.flat()).toHaveLength(1)
      const given = await journal.give(taken.flat()[0]!)
      expect(given).not.toBe('moved')
    })

    test('what names its signer goes to who can sign by it, of its scheme, on its network', async () => {
      const payer = { ...claimOf('1'), signer: SIGNER }
      await journal.claim(payer, null)
      await journal.claim(claimOf('2'), null)
      const elsewhere = [
        { ...SERVED, network: network('base'), signers: [SIGNER] },
        { ...SERVED, scheme: 'upto', signers: [SIGNER] },
      ]
      expect(await journal.take(elsewhere)).toEqual([])
      const another = [...elsewhere, { ...SERVED, signers: ['0xf2'] }]
      expect((await journal.take(another)).map(({ pid }) => pid)).toEqual([claimOf('2').pid])
      expect((await journal.take(ABLE)).map(({ pid }) => pid)).toEqual([payer.pid])
    })

    test('what nothing was signed for in time is ended by whoever serves it, and signs nowhere', async () => {
      let now = 1_999_999
      const idle = [{ ...SERVED, signers: [] }]
      const late = createJournal({ store, clock: () => now, replica: 's' })
      await journal.claim({ ...claimOf('1'), signer: SIGNER }, null)
      await journal.claim(claimOf('2'), 'r')
      expect(await late.take(idle)).toEqual([])
      now = 2_000_000
      for (const other of [{ network: network('base') }, { scheme: 'upto' }]) {
        expect(await late.take([{ ...SERVED, ...other, signers: [] }])).toEqual([])
      }
      expect((await late.take(idle)).map(({ pid, owner }) => [pid, owner])).toEqual([[claimOf('1').pid, 's']])
      expect(await late.take(idle)).toEqual([])
    })

    test('which lanes others hold is known as long as they do', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      await other.leases.renew(60_000)
      expect(await journal.leases.renew(60_000)).toMatchObject({ alive: 2, theirs: [] })
      await other.leases.acquire(network('base'), SIGNER, 60_000)
      expect(await journal.leases.renew(60_000)).toMatchObject({
        theirs: [{ network: network('base'), signer: SIGNER }],
      })
      expect(await other.leases.renew(-1)).toMatchObject({ theirs: [{ network: NETWORK }] })
      expect(await journal.leases.renew(60_000)).toMatchObject({ theirs: [] })
    })

    test('which networks others reach is known as long as they say so, and live', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      await other.leases.renew(60_000, [NETWORK, network('base')])
      expect((await journal.leases.renew(60_000, [NETWORK])).reached).toEqual(
        new Map([
          [NETWORK, ['s']],
          [network('base'), ['s']],
        ]),
      )
      await other.leases.renew(60_000, [NETWORK])
      expect((await journal.leases.renew(60_000)).reached).toEqual(new Map([[NETWORK, ['s']]]))
      expect((await other.leases.renew(-1, [NETWORK])).reached).toEqual(new Map())
      expect((await journal.leases.renew(60_000)).reached).toEqual(new Map())
    })

    test('ENG-5 who has lost a payment to another writes nothing of it, and does not close what the other has signed', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      const mine = written(await sign(await claimed('1'), tx('a', 0n)))
      await other.leases.renew(1000)
      await journal.leases.renew(-1)
      const [theirs] = await other.adopt([SERVED], [])
      expect(theirs).toMatchObject({ pid: mine.pid, owner: 's' })
      const steps = [
        journal.closed(mine, mine.attempts[0]!, 'failed'),
        journal.sent(mine, mine.attempts[0]!.transaction),
        journal.dead(mine, refuse('payment_expired')),
        journal.settled(mine, evidence),
        journal.give(mine),
      ]
      expect(await Promise.all(steps)).toEqual(steps.map(() => 'moved'))
      expect(await journal.load(mine.pid)).toEqual(theirs)
      // Back again, it goes by what was signed meanwhile.
      const failed = written(await other.closed(theirs!, theirs!.attempts[0]!, 'failed'))
      await journal.leases.renew(1000)
      const lane = (await other.leases.acquire(NETWORK, '0xf2', 1000))!
      const checked = [{ record: failed, undone: 0 }]
      const again = await other.signed(checked, { ...tx('b', 0n), signer: '0xf2' }, lane)
      expect(Array.isArray(again)).toBe(true)
      await other.leases.renew(-1)
      expect(await journal.adopt([SERVED], [])).toHaveLength(1)
      expect(await journal.closed(mine, mine.attempts[0]!, 'failed')).toBe('moved')
      expect((await journal.load(mine.pid))?.attempts.map(({ status }) => status)).toEqual(['failed', 'signed'])
    })

    test('what has to be signed for again, by who cannot sign any more, goes to one who can', async () => {
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      const signed = written(await sign(await claimed('1'), tx('a', 0n)))
      const failed = written(await journal.closed(signed, signed.attempts[0]!, 'failed'))
      expect(await other.take(ABLE)).toEqual([])
      await journal.give(failed)
      const [taken] = await other.take(ABLE)
      expect(taken).toEqual({ ...failed, owner: 's' })
      expect(await journal.take(ABLE)).toEqual([])
    })
  })

  describe('ENG-2, INV-11 exposure', () => {
    test('a claim says what earlier ones of the payer will take, and an end gives it back', async () => {
      const [first, second] = await Promise.all([claimed('1'), claimed('2')])
      const [early, late] = [first, second].sort((a, b) => a.place - b.place)
      expect(await journal.means(early!)).toEqual({ reserved: 0n, mined: [], undone: 0 })
      expect(await journal.means(late!)).toEqual({ reserved: 10n ** 30n, mined: [], undone: 0 })
      written(await journal.refused(early!, refuse('payment_expired')))
      expect(await journal.means(late!)).toEqual({ reserved: 0n, mined: [], undone: 0 })
    })

    test('what is signed for takes the money also of a payment that came before it', async () => {
      const early = await claimed('1')
      const late = written(await sign(await claimed('2'), tx('a', 0n)))
      expect(await journal.means(early)).toEqual({ reserved: 10n ** 30n, mined: [], undone: 0 })
      // It has to be checked again itself, and then counts the other.
      const failed = written(await journal.closed(late, late.attempts[0]!, 'failed'))
      expect(await journal.means(early)).toEqual({ reserved: 0n, mined: [], undone: 0 })
      expect(await journal.means(failed)).toEqual({ reserved: 10n ** 30n, mined: [], undone: 0 })
    })

    test('what is in a block that is not deep yet is told apart: a node that has the block shows the money without it', async () => {
      written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence, 'mined'))
      const reserved = 10n ** 30n
      const mined = [{ amount: reserved, blockNumber: 7n, blockHash: 'b' }]
      expect(await journal.means(await claimed('2'))).toEqual({ reserved, mined, undone: 0 })
    })

    test('in which block the payer has paid by another replica is told as long as a node may not show it', async () => {
      let now = 1000
      const by = (replica: string) => createJournal({ store, clock: () => now, replica, lag: () => 500 })
      const other = by('s')
      const won = async (on: Journal, claim: Claim) => {
        const taken = await on.claim(claim, 'r')
        if (taken.status !== 'won') throw new Error(taken.status)
        return { claim: taken.means.moved, read: (await on.means(taken.record)).moved }
      }
      written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence))
      const mined = written(await sign(await claimed('2'), tx('b', 1n)))
      written(await journal.settled(mined, { ...evidence, transaction: 'b', blockNumber: 9n }, 'mined'))
      now = 1500
      expect(await won(other, claimOf('3'))).toEqual({ claim: 9n, read: 9n })
      expect(await won(other, { ...claimOf('4'), payer: '0x07' })).toEqual({ claim: undefined, read: undefined })
      // Whom nothing asks to look at others.
      expect(await won(journal, claimOf('5'))).toEqual({ claim: undefined, read: undefined })
      await other.leases.leave()
      const alone = by('n')
      expect(await alone.leases.renew(60_000)).toMatchObject({ alive: 2 })
      expect(await won(alone, claimOf('6'))).toEqual({ claim: 9n, read: 9n })
      now = 1501
      expect(await won(alone, claimOf('7'))).toEqual({ claim: undefined, read: undefined })
    })

    test('INV-11 of more moves than are read, a block stands for those that are left out', async () => {
      const other = createJournal({ store, clock: () => 6000, replica: 's', lag: () => 5000 })
      const first = written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence))
      const movedOf = async (nonce: string, payer: string) => {
        const taken = await other.claim({ ...claimOf(nonce), payer }, 's')
        if (taken.status !== 'won') throw new Error(taken.status)
        return { claim: taken.means.moved, read: (await other.means(taken.record)).moved }
      }
      await copyPayment(first.pid, { payer: '0x08', count: 1998, blockFrom: 8 })
      expect(await movedOf('2', '0x03')).toEqual({ claim: 7n, read: 7n })
      expect(await movedOf('3', '0x09')).toEqual({ claim: undefined, read: undefined })
      await copyPayment(first.pid, { payer: '0x09', count: 2, blockFrom: 3000 })
      // Who is not read has paid before the older half of what is read was found.
      expect(await movedOf('4', '0x03')).toEqual({ claim: 1007n, read: 1007n })
      expect(await movedOf('5', '0x09')).toEqual({ claim: 3001n, read: 3001n })
    })

    test('what was found good before another replica learnt of undone blocks is not signed for', async () => {
      const settled = written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence))
      const waiting = await claimed('2')
      const found = await journal.means(waiting)
      expect(found.reserved).toBe(0n)
      const other = createJournal({ store, clock: () => 1000, replica: 's' })
      written(await other.reorged(settled))
      expect(await journal.signed([{ record: waiting, ...found }], tx('b', 1n), hold)).toMatchObject({
        moved: [waiting.pid],
      })
      const again = await journal.means(waiting)
      expect(again).toEqual({ reserved: 10n ** 30n, mined: [], undone: 1 })
      expect(await journal.signed([{ record: waiting, ...again }], tx('b', 1n), hold)).toMatchObject([
        { state: 'signed' },
      ])
    })

    test('nor what was found good, or claimed, in the same moment', async () => {
      const settled = written(await journal.settled(written(await sign(await claimed('1'), tx('a', 0n))), evidence))
      const waiting = await claimed('2')
      const found = await journal.means(waiting)
      const [, claim, signed] = await Promise.all([
        journal.reorged(settled),
        journal.claim(claimOf('3'), 'r'),
        journal.signed([{ record: waiting, ...found }], tx('b', 1n), hold),
      ])
      expect(signed).toMatchObject({ moved: [waiting.pid] })
      if (claim.status !== 'won') throw new Error(claim.status)
      const late = await journal.signed([{ record: claim.record, ...claim.means }], tx('c', 1n), hold)
      expect(late).toMatchObject({ moved: [claim.record.pid] })
    })

    test('a payer has so many payments open, and so many failures', async () => {
      const limits = { open: 2, failures: 1 }
      const strict = createJournal({ store, clock: () => 1000, replica: 'r', limits })
      const statuses = []
      for (const nonce of ['1', '2', '3']) statuses.push((await strict.claim(claimOf(nonce), 'r')).status)
      expect(statuses).toEqual(['won', 'won', 'too_many_open'])
      const [record] = await journal.loadAll([paymentId([NETWORK, '1'])])
      const signed = written(await sign(record!, tx('a', 0n)))
      written(await close(signed, 'failed'))
      await journal.dead(signed, refuse('payment_expired'))
      expect((await strict.claim(claimOf('3'), 'r')).status).toBe('too_many_failures')
    })
  })

  test('a group is written as one: every payment in it, one nonce, or nothing', async () => {
    const records = await Promise.all(['1', '2', '3'].map((nonce) => claimed(nonce)))
    written(await journal.refused(records[1]!, refuse('payment_expired')))
    const together = records.map((record) => ({ record, undone: 0 }))
    expect(await journal.signed(together, tx('a', 0n), hold)).toMatchObject({ moved: [records[1]?.pid] })
    expect((await journal.lane(NETWORK, SIGNER)).open).toEqual([])
    const rest = [together[0]!, together[2]!]
    expect(await journal.signed(rest, tx('a', 0n), hold)).toMatchObject([{ state: 'signed' }, { state: 'signed' }])
    const { open } = await journal.lane(NETWORK, SIGNER)
    expect(open.map(({ pids }) => [...pids].sort())).toEqual([rest.map(({ record: { pid } }) => pid).sort()])
  })

  test('ENG-8 what outbids is written once: who was not told that it is there writes the same bytes again', async () => {
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    expect(await journal.outbid(NETWORK, tx('b', 0n), hold)).toBe('written')
    expect(await journal.outbid(NETWORK, tx('b', 0n), hold)).toBe('written')
    const known = await journal.load(signed.pid)
    expect(known?.attempts.map(({ transaction, status }) => [transaction.hash, status])).toEqual([
      ['a', 'signed'],
      ['b', 'signed'],
    ])
  })

  test('ENG-8 those that outbid each other are one place for the payment, and what lands says what became of the rest', async () => {
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    expect(await journal.outbid(NETWORK, tx('b', 0n), hold)).toBe('written')
    const [record] = await journal.loadAll([signed.pid])
    expect(record?.attempts.map(({ transaction: { hash }, status }) => [hash, status])).toEqual([
      ['a', 'signed'],
      ['b', 'signed'],
    ])
    const settled = written(await journal.settled(record!, { ...evidence, transaction: 'b' }))
    expect(await journal.load(signed.pid)).toEqual(settled)
    expect(settled.attempts.map(({ status }) => status)).toEqual(['void', 'landed'])
  })

  test('INV-22 a block that is gone takes its evidence along, and what was in it may land again', async () => {
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    const settled = written(await journal.settled(signed, evidence))
    const reorged = written(await journal.reorged(settled))
    expect(await journal.load(signed.pid)).toEqual(reorged)
    expect(reorged).toMatchObject({ state: 'reorged', attempts: [{ status: 'signed' }] })
    expect(await sign(reorged, tx('b', 1n))).toBe('moved')
    const again = written(await journal.settled(reorged, { ...evidence, blockHash: 'c' }))
    expect(written(await journal.final(again))).toMatchObject({ state: 'final', evidence: { blockHash: 'c' } })
  })

  describe('INV-6 what nobody has said of a payment may still land for it', () => {
    const spent: readonly SignedTransaction['hash'][] = ['a']
    const another: readonly (readonly [string, (other: SettlementRecord) => Promise<unknown>])[] = [
      ['whose number is gone', () => journal.spent(spent)],
      ['that was given up for another payment', (other) => journal.closed(other, other.attempts[0]!, 'void')],
      ['that failed another payment', (other) => journal.closed(other, other.attempts[0]!, 'failed')],
      ['that moved the money of another payment', (other) => journal.settled(other, evidence)],
    ]
    test.each(another)('%s, and when it is given up another is signed', async (_, happens) => {
      const records = await Promise.all(['1', '2'].map((nonce) => claimed(nonce)))
      const together = records.map((record) => ({ record, undone: 0 }))
      const signed = await journal.signed(together, tx('a', 0n), hold)
      if (!Array.isArray(signed)) throw new Error('not signed')
      const [other, mine]: readonly SettlementRecord[] = signed
      await happens(other!)
      const [known] = await journal.loadAll([mine!.pid])
      expect(known?.attempts.map(({ status }) => status)).toEqual(['sent'])
      const closed = written(await journal.closed(known!, known!.attempts[0]!, 'void'))
      expect(closed.attempts.map(({ status }) => status)).toEqual(['void'])
      expect(await sign(closed, tx('b', 1n))).toMatchObject({ attempts: [{ status: 'void' }, { status: 'signed' }] })
    })
  })

  test('INV-6 what was given up and lands all the same is where the payment landed, and what was signed after it is not', async () => {
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    const given = written(await journal.closed(signed, signed.attempts[0]!, 'void'))
    const again = written(await sign(given, tx('b', 1n)))
    const settled = written(await journal.settled(again, evidence))
    const rides = async () => {
      const { db } = store.withTables<JournalTables>()
      return (await db.selectFrom('ride').select('status').orderBy('slot').execute()).map(({ status }) => status)
    }
    expect(await rides()).toEqual(['landed', 'void'])
    const reorged = written(await journal.reorged(settled))
    expect(await rides()).toEqual(['live', 'void'])
    written(await journal.settled(reorged, evidence))
    expect(await rides()).toEqual(['landed', 'void'])
  })

  test('what failed because what was given up had moved the money before is not held against the payer', async () => {
    const strict = createJournal({ store, clock: () => 1000, replica: 'r', limits: { open: 9, failures: 1 } })
    const claim = async (nonce: string) => (await strict.claim(claimOf(nonce), 'r')).status
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    const given = written(await journal.closed(signed, signed.attempts[0]!, 'void'))
    const again = written(await sign(given, tx('b', 1n)))
    const failed = written(await journal.closed(again, again.attempts[1]!, 'failed'))
    expect(await claim('2')).toBe('too_many_failures')
    written(await journal.settled(failed, evidence))
    expect(await claim('2')).toBe('won')
  })

  test('FAC-102 a quota holds over all replicas, and what is known takes nothing of it', async () => {
    const others = ['a', 'b', 'c'].map((replica) => createJournal({ store, clock: () => 1000, replica }))
    const quotas = [{ ring: 'tenant', key: 'tenant t', perSecond: 1, burst: 5 }] as const
    const ask = (at: Journal, nonce: string, now = { quotas }) => at.claim(claimOf(nonce), 'r', now)
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(others[n % 3] ?? journal, `q${n}`)))
    const won = answers.flatMap(({ status }, n) => (status === 'won' ? [n] : []))
    expect(won).toHaveLength(5)
    expect(answers.filter(({ status }) => status === 'over_quota')).toEqual(
      Array(25).fill({ status: 'over_quota', ring: 'tenant', limit: { perSecond: 1 }, retryAfter: 1 }),
    )
    expect(await ask(journal, `q${won[0]}`)).toEqual({ status: 'taken' })
    const later = createJournal({ store, clock: () => 3000, replica: 'd' })
    const two = [await ask(later, 'later1'), await ask(later, 'later2'), await ask(later, 'later3')]
    expect(two.map(({ status }) => status)).toEqual(['won', 'won', 'over_quota'])
  })

  test('FAC-102 what was refused gives its token back, to all replicas, and never more than the quota holds', async () => {
    const other = createJournal({ store, clock: () => 1000, replica: 'a' })
    const quotas = [{ ring: 'payer', key: 'payer p', perSecond: 1, burst: 2 }] as const
    let nonce = 0
    const ask = async (at: Journal) => (await at.claim(claimOf(`g${nonce++}`), 'r', { quotas })).status
    await journal.giveBack(['payer p'])
    expect([await ask(journal), await ask(other), await ask(other)]).toEqual(['won', 'won', 'over_quota'])
    await Promise.all([journal.giveBack(['payer p']), other.giveBack(['payer p'])])
    expect([await ask(other), await ask(journal), await ask(journal)]).toEqual(['won', 'won', 'over_quota'])
    for (let n = 0; n < 5; n++) await other.giveBack(['payer p'])
    expect([await ask(other), await ask(journal), await ask(journal)]).toEqual(['won', 'won', 'over_quota'])
  })

  test('FAC-102 what a tenant, and a payer, has under way is counted over all replicas', async () => {
    const other = createJournal({ store, clock: () => 1000, replica: 'a' })
    const quotas = [{ ring: 'tenant', key: 'tenant t', perSecond: 100, burst: 100 }] as const
    const ask = (at: Journal, nonce: string, tenant: string) =>
      at.claim({ ...claimOf(nonce), tenant }, 'r', { quotas, open: { tenant: 3 } })
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => ask(n % 2 ? other : journal, `o${n}`, 't')))
    const won = answers.flatMap((answer) => (answer.status === 'won' ? [answer.record] : []))
    expect(won).toHaveLength(3)
    expect((await ask(other, 'mine', 'u')).status).toBe('won')
    expect(await other.claim(claimOf('more'), 'r', { open: { payer: 4 } })).toMatchObject({
      ...{ ring: 'payer', limit: { maxOpen: 4 } },
    })
    if (won[0] === undefined) throw new Error('nothing won')
    await journal.refused(won[0], refuse('payment_expired'))
    expect((await ask(other, 'next', 't')).status).toBe('won')
  })

  test('I17 every event is chained to the one before it: nothing can be changed or left out unseen', async () => {
    for (const nonce of ['1', '2']) {
      const signed = written(await sign(await claimed(nonce), tx(nonce, BigInt(nonce))))
      written(await journal.settled(signed, { ...evidence, transaction: nonce }))
    }
    const { db } = store.withTables<JournalTables>()
    expect(await verifyEvents(db)).toEqual({
      ok: true,
      events: 6,
      heads: [expect.objectContaining({ writer: 'r', seq: 6 })],
    })
    const change = (set: Partial<JournalTables['event']>, seq: number) =>
      store
        .withTables<JournalTables>()
        .transaction((trx) => trx.updateTable('event').set(set).where('seq', '=', seq).execute())
    await change({ to_state: 'refused' }, 2)
    expect(await verifyEvents(db)).toEqual({ ok: false, writer: 'r', seq: 2 })
    await change({ to_state: 'settled' }, 2)
    expect(await verifyEvents(db)).toMatchObject({ ok: true })
    await store.withTables<JournalTables>().transaction((trx) => trx.deleteFrom('event').where('seq', '=', 3).execute())
    expect(await verifyEvents(db)).toEqual({ ok: false, writer: 'r', seq: 4 })
  })

  test('what the chain says again after a loss of power is not waited for at the disk; what others are told is', async () => {
    const asked: (boolean | undefined)[] = []
    const tables = store.withTables<JournalTables>()
    const transaction: typeof tables.transaction = (fn, options) => {
      asked.push(options?.durable)
      return tables.transaction(fn, options)
    }
    // The journal has no other tables.
    const watched: Store = { ...store, withTables: () => ({ ...tables, transaction }) as never }
    const quiet = createJournal({ store: watched, clock: () => 1000, replica: 'q' })
    const telling = createJournal({ store: watched, clock: () => 1000, replica: 't', telling: () => [] })
    const first = written(await sign(await claimed('1'), tx('a', 0n)))
    const second = written(await sign(await claimed('2'), tx('b', 1n)))
    written(await quiet.settled(first, { ...evidence, transaction: 'a' }))
    written(await telling.settled(second, { ...evidence, transaction: 'b' }))
    // Landed by somebody else: nothing of ours was signed, so the claim itself may be lost.
    written(await quiet.settled(await claimed('3'), { ...evidence, transaction: 'c' }))
    expect(asked.map((durable = true) => durable)).toEqual([false, true, true])
  })

  test('C09 what others have to be told is there until it is marked, by the same id', async () => {
    const told = createJournal({ store, clock: () => 1000, replica: 't', telling: () => [] })
    const signed = written(await sign(await claimed(), tx('a', 0n)))
    written(await told.settled(signed, evidence))
    const messages = await told.outbox.take(10)
    expect(messages).toMatchObject([{ topic: 'settled', pid: signed.pid }])
    expect(await told.outbox.take(10)).toEqual(messages)
    await told.outbox.published(messages.map(({ id }) => id))
    expect(await told.outbox.take(10)).toEqual([])
  })
}
