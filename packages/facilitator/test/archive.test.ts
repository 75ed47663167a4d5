import { paymentId, refuse, requirementsId, sha256Hex } from '@groat/core'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startPostgres } from '../../store/test/embedded-postgres.js'
import { archiveJournal, auditJournal, createFacilitator, verifyArchives } from '../src/index.js'
import { createJournal } from '../src/journal/journal.js'
import type { JournalTables } from '../src/journal/tables.js'
import { createFakeScheme, FakeChain, makePayment } from './fake-chain.js'

// Payments that ended leave the journal for a file; what they were, and that they are used up, stays known.

const DAY = 86_400_000
let store: Store
let lines: string

beforeEach(async () => {
  store = await openMemoryStore()
  lines = ''
})
afterEach(() => store.close())

/** Its blocks are final as soon as they are there. */
class FinalChain extends FakeChain {
  head = async () => ({ latest: this.block, safe: this.block, final: this.block })
  blockHash = async (number: bigint) => sha256Hex(number.toString())
}

const tables = () => store.withTables<JournalTables>()
const append = async (text: string) => {
  lines += text
}
const count = async (table: keyof JournalTables) => (await tables().db.selectFrom(table).selectAll().execute()).length
async function* linesOf(text: string): AsyncIterable<string> {
  yield* text.split('\n')
}

async function work(presented: readonly ReturnType<typeof makePayment>[], chain = new FinalChain()) {
  const service = createFacilitator({ schemes: [createFakeScheme(chain)], store, watchInterval: 10, outbox: true })
  await service.start()
  const outcomes = []
  for (const request of presented) outcomes.push((await service.settle(request)).status)
  const isFinal = async () =>
    expect(await tables().db.selectFrom('settlement').select('pid').where('state', '=', 'settled').execute()).toEqual(
      [],
    )
  await vi.waitFor(isFinal, { timeout: 20_000 })
  for (;;) {
    const told = await service.outbox.take(100)
    if (told.length === 0) break
    await service.outbox.published(told.map(({ id }) => id))
  }
  return { service, outcomes, chain }
}

test('what ended long ago is moved, the chains go on, and the ledger stays', async () => {
  const payments = Array.from({ length: 6 }, () => makePayment())
  const { service, outcomes } = await work([...payments, makePayment({ signature: 'bad' })])
  expect(outcomes).toEqual([...payments.map(() => 'settled'), 'refused'])
  const before = await auditJournal({ store })
  expect(before).toMatchObject({ ok: true, settlements: 7 })

  // Nothing is old enough yet, then all is.
  expect(await archiveJournal({ store, before: Date.now() - DAY, append })).toEqual({ payments: 0, events: 0 })
  const moved = await archiveJournal({ store, before: Date.now() + DAY, append })
  expect(moved.payments).toBeGreaterThanOrEqual(5)
  expect(await count('event')).toBe((before.events.ok ? before.events.events : 0) - moved.events)
  expect(await count('evidence')).toBe(6)
  expect(await count('ride')).toBe(6 - (await emptied('final')))

  const after = await auditJournal({ store })
  expect(after).toMatchObject({ ok: true, settlements: 7, sums: before.sums, differences: [] })
  const archives = await verifyArchives(linesOf(lines))
  expect(archives).toMatchObject({ ...moved, broken: [] })
  if (!after.events.ok || !before.events.ok) throw new Error('broken')
  const [head] = after.events.heads
  expect(archives.ends.get(head?.writer ?? '')).toEqual({ seq: head?.from?.seq, hash: head?.from?.hash })
  expect(after.events.heads.map(({ from: _, ...end }) => end)).toEqual(before.events.heads)

  // The writer goes on where it was, in the same process and after a restart.
  expect((await service.settle(makePayment())).status).toBe('settled')
  await service.stop()
  expect(await auditJournal({ store })).toMatchObject({ ok: true, settlements: 8 })
})

test('INV-1 what was archived is refused for ever, as long as anybody can present it', async () => {
  const payment = makePayment({ validBefore: Math.floor(Date.now() / 1000) + 3600 })
  const { service, chain } = await work([payment, makePayment(), makePayment()])
  await archiveJournal({ store, before: Date.now() + DAY, append })
  expect(await emptied('final')).toBeGreaterThan(0)
  expect(await service.settle(payment)).toMatchObject({ status: 'refused', code: 'payment_already_used' })
  await service.stop()
  expect(chain.seen).toHaveLength(3)
})

test('nothing open, nothing that is still to be told, and nothing after it, is moved', async () => {
  const chain = new FinalChain()
  const { service } = await work([makePayment(), makePayment()], chain)
  chain.automine = false
  const open = makePayment()
  expect(await service.settle(open, { signal: AbortSignal.timeout(300) })).toMatchObject({ status: 'unknown' })
  await service.stop()
  const events = await count('event')
  const moved = await archiveJournal({ store, before: Date.now() + DAY, append })
  expect(moved.payments).toBe(2)
  expect(await count('event')).toBe(events - moved.events)
  expect(await count('attempt')).toBe(1)
  // What was settled afterwards is not told to anybody yet.
  chain.automine = true
  chain.mine()
  const next = createFacilitator({ schemes: [createFakeScheme(chain)], store, watchInterval: 10, outbox: true })
  await next.start()
  expect(await next.settle(open)).toMatchObject({ status: 'settled' })
  await next.stop()
  expect(await archiveJournal({ store, before: Date.now() + DAY, append })).toEqual({ payments: 0, events: 0 })
  expect(await auditJournal({ store })).toMatchObject({ ok: true })
})

test.each(['sqlite', 'postgres'] as const)(
  'on %s a journal larger than one batch is moved in several',
  async (kind) => {
    const server = kind === 'postgres' ? await startPostgres() : undefined
    await store.close()
    store = server === undefined ? await openMemoryStore() : await openStore(server.url)
    const { service } = await work([makePayment(), makePayment(), makePayment()])
    await service.stop()
    const journal = createJournal({ store, clock: Date.now, replica: 'many' })
    await many(journal, 510)
    const before = await auditJournal({ store })
    const moved = await archiveJournal({ store, before: Date.now() + DAY, append })
    expect(moved.payments).toBe(513)
    expect(await auditJournal({ store })).toMatchObject({ ok: true, settlements: 513, sums: before.sums })
    expect(await verifyArchives(linesOf(lines))).toMatchObject({ ...moved, broken: [] })
    await store.close()
    await server?.remove()
    store = await openMemoryStore()
  },
)

/** Claims that were refused. */
async function many(journal: ReturnType<typeof createJournal>, payments: number): Promise<void> {
  const claims = Array.from({ length: payments }, (_, at) => {
    const request = makePayment()
    const pid = paymentId(['many', at.toString()])
    const about = { pid, rid: requirementsId(request.requirements), payer: `0x${at}`, expiresAt: 1 }
    return { ...about, request, requestText: '{}' }
  })
  await Promise.all(
    claims.map(async (claim) => {
      const claimed = await journal.claim(claim, 'many')
      if (claimed.status !== 'won') throw new Error(claimed.status)
      await journal.refused(claimed.record, refuse('payment_expired'))
    }),
  )
}

test('I17 an archive that was changed, or has a line too few, shows; one that was broken off and begun again does not', async () => {
  const { service } = await work([makePayment(), makePayment(), makePayment()])
  await service.stop()
  const broken = async (line: string) => {
    lines += line
    throw new Error('disk full')
  }
  await expect(archiveJournal({ store, before: Date.now() + DAY, append: broken })).rejects.toThrow('disk full')
  const { events } = await archiveJournal({ store, before: Date.now() + DAY, append })
  expect(await verifyArchives(linesOf(lines))).toMatchObject({ events, broken: [] })
  const each = lines.trim().split('\n')
  const isEvent = (line: string) => line.startsWith('{"kind":"event"')
  const changed = each.map((line) =>
    isEvent(line) ? line.replace('"to_state":"settled"', '"to_state":"refused"') : line,
  )
  expect((await verifyArchives(linesOf(changed.join('\n')))).broken.length).toBeGreaterThan(0)
  const second = each.filter(isEvent)[1]
  expect((await verifyArchives(linesOf(each.filter((line) => line !== second).join('\n')))).broken).toHaveLength(1)
})

async function emptied(state: 'final'): Promise<number> {
  const rows = tables()
    .db.selectFrom('settlement')
    .leftJoin('request', 'request.settlement', 'settlement.id')
    .select('pid')
    .where('body', 'is', null)
    .where('state', '=', state)
  return (await rows.execute()).length
}
