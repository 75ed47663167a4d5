import { network, type Pid, paymentId, requirementsId, type SignedTransaction } from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createJournalView } from '../src/admin.js'
import { createJournal, type Journal } from '../src/journal/journal.js'
import { processHost } from '../src/journal/process-host.js'
import type { Claim, SettlementRecord } from '../src/journal/record.js'

// What an operator finds in a journal, however long it is.

const NETWORK = network('base-sepolia')
const [ANN, BOB] = [`0x${'Aa'.repeat(20)}`, `0x${'bB'.repeat(20)}`]
let store: Store
let journal: Journal
let now = 0
/** The database's. */
let time = 0

beforeEach(async () => {
  time = 0
  store = await openMemoryStore({ clock: () => time })
  journal = createJournal({ store, clock: () => now++, replica: 'r' })
  await journal.migrate()
})
afterEach(() => store.close())

function claimOf(nonce: number, payer: string, payTo = '0x02'): Claim {
  const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x0A', payTo, extra: {} }
  const requirements = { ...terms, maxTimeoutSeconds: 60 }
  const payment = { x402Version: 2, scheme: 'exact', network: NETWORK, payload: { nonce } } as const
  return {
    pid: paymentId([NETWORK, `${nonce}`]),
    rid: requirementsId(requirements),
    payer,
    expiresAt: 2000,
    request: { payment, requirements },
    requestText: '{}',
  }
}

const claim = (count: number, payer: string, from: number) =>
  Promise.all(Array.from({ length: count }, (_, at) => journal.claim(claimOf(from + at, payer), 'r')))

test('a payer’s payments are found behind thousands of newer ones, however the address is written', async () => {
  await claim(3, ANN, 0)
  await claim(4500, BOB, 100)
  const view = createJournalView(store)
  for (const text of [ANN, ANN.toLowerCase(), ` ${ANN.toUpperCase().replace('0X', '0x')} `]) {
    const found = await view.payments(text)
    expect(found.map(({ pid }) => pid)).toEqual([2, 1, 0].map((nonce) => paymentId([NETWORK, `${nonce}`])))
  }
  const newest = await view.payments(BOB)
  expect(newest.map(({ pid }) => pid)).toEqual(
    Array.from({ length: 50 }, (_, at) => paymentId([NETWORK, `${4599 - at}`])),
  )
  for (const text of ['0xcc', '%', "' or 1=1 --", '\0', `${ANN}\0`]) expect(await view.payments(text)).toEqual([])
})

test('a payment is found by what people copy of an id: its beginning, with its end or without', async () => {
  await claim(3, ANN, 0)
  await claim(2, BOB, 10)
  const view = createJournalView(store)
  const pid = paymentId([NETWORK, '1'])
  const namesOf = async (text: string) => (await view.payments(text)).map((each) => each.pid)
  for (const text of [pid.slice(0, 8), `${pid.slice(0, 10)}…${pid.slice(-6)}`, `${pid.slice(0, 8)}...${pid.slice(-4)}`])
    expect(await namesOf(text)).toEqual([pid])
  expect(await namesOf(`${ANN.slice(0, 8)}…${ANN.slice(-4)}`)).toHaveLength(3)
  expect(await namesOf(BOB.slice(0, 10))).toHaveLength(2)
  for (const text of [`${pid.slice(0, 8)}…zzzz`, `${pid.slice(0, 8)}…${'0'.repeat(9)}`, pid.slice(0, 5)])
    expect(await namesOf(text)).toEqual([])
})

test('accounts are shown in one spelling, so that the same one looks the same', async () => {
  await journal.claim(claimOf(1, ANN.toLowerCase(), ANN), 'r')
  const [shown] = await createJournalView(store).payments()
  expect(shown).toMatchObject({ payer: ANN.toLowerCase(), payTo: ANN.toLowerCase(), asset: '0x0a' })
})

test('a payment is found by its own name and by its transaction, and what is open is counted', async () => {
  await claim(2, ANN, 0)
  const [first] = await journal.loadAll([paymentId([NETWORK, '0'])])
  if (first === undefined) throw new Error('not claimed')
  const hash = `0x${'ab'.repeat(32)}`
  const block = { blockNumber: 7n, blockHash: '0x07', amount: 7n }
  await journal.settled(first, { transaction: hash, logIndex: 0, ...block })
  const view = createJournalView(store)
  for (const text of [first.pid, hash, hash.toUpperCase().replace('0X', '0x')]) {
    expect(await view.payments(text)).toMatchObject([{ pid: first.pid, transaction: hash, state: 'settled' }])
  }
  expect((await view.payments()).map(({ state }) => state)).toEqual(['claimed', 'settled'])
  expect(await view.open()).toMatchObject([{ state: 'claimed', count: 1 }])
  expect([
    await view.settledSince(0, [NETWORK]),
    await view.settledSince(0, []),
    await view.settledSince(now, [NETWORK]),
  ]).toEqual([1, 0, 0])
})

test('what a settlement costs is what its transaction cost, shared by all that were in it', async () => {
  await claim(5, ANN, 0)
  const all = await journal.loadAll([0, 1, 2, 3, 4].map((nonce) => paymentId([NETWORK, `${nonce}`])))
  const block = { blockNumber: 7n, blockHash: '0x07', amount: 7n }
  const view = createJournalView(store)
  expect(await view.meanFee(NETWORK)).toBeUndefined()
  for (const [at, record] of all.entries()) {
    const [hash, fee] = at < 4 ? ['ab', 400n] : ['cd', 150n]
    await journal.settled(record, { transaction: `0x${hash.repeat(32)}`, logIndex: at, fee, ...block })
  }
  expect(await view.meanFee(NETWORK)).toBe(110n)
})

test('a lane is shown with its next number, and with what is under way in it', async () => {
  await journal.leases.renew(60_000)
  const hold = await journal.leases.acquire(NETWORK, '0xf1', 60_000)
  await claim(2, ANN, 0)
  const records = await journal.loadAll([0, 1].map((nonce) => paymentId([NETWORK, `${nonce}`])))
  const view = createJournalView(store)
  const lane = { signer: '0xf1', owner: 'r' }
  expect(await view.lanes(NETWORK)).toEqual([{ ...lane, open: 0 }])
  for (const [at, record] of records.entries()) {
    await journal.signed(
      [{ record, undone: 0 }],
      { hash: `h${at}`, signer: '0xf1', nonce: BigInt(4 + at), raw: '0x' },
      hold,
    )
  }
  expect(await view.lanes(NETWORK)).toEqual([{ ...lane, open: 2, next: 6, lowest: 4, highest: 5 }])
  await journal.spent(['h0', 'h1'])
  expect(await view.lanes(NETWORK)).toEqual([{ ...lane, open: 0, next: 6 }])
})

test('a lane names the replica that signs in it, and says when its time has run out, by the time of the database', async () => {
  const view = createJournalView(store)
  const hold = await journal.leases.acquire(NETWORK, '0xf1', 60_000)
  if (hold === undefined) throw new Error('not free')
  await journal.leases.acquire(NETWORK, '0xf2', 10)
  time = 11
  expect(await view.lanes(NETWORK)).toEqual([
    { signer: '0xf1', open: 0, owner: 'r' },
    { signer: '0xf2', open: 0, owner: 'r', lapsed: true },
  ])
  await journal.leases.release(hold)
  expect((await view.lanes(NETWORK))[0]).toEqual({ signer: '0xf1', open: 0 })
})

test('replicas are listed with what is left of their time and the lanes they hold: the living first, in one order', async () => {
  const view = createJournalView(store)
  const other = createJournal({ store, clock: () => now, replica: 'other' })
  expect(await view.replicas()).toEqual([])
  await other.leases.renew(5000)
  await other.leases.acquire(NETWORK, '0xf2', 5000)
  time = 6000
  await journal.leases.renew(15_000)
  for (const signer of ['0xf1', '0xf3']) await journal.leases.acquire(NETWORK, signer, 15_000)
  const here = { host: processHost(), process: process.pid }
  expect(await view.replicas()).toEqual([
    { id: 'r', ...here, alive: true, seconds: 15, lanes: 2 },
    { id: 'other', ...here, alive: false, seconds: 1, lanes: 1 },
  ])
  // Whichever of the living was heard of last.
  for (const leases of [other.leases, journal.leases]) {
    await leases.renew(15_000)
    time += 10
    expect((await view.replicas()).map(({ id }) => id)).toEqual(['other', 'r'])
  }
  // Who left says so, and of who broke off long ago nothing is left to be seen to.
  time += 25 * 3_600_000
  await journal.leases.renew(15_000)
  expect((await view.replicas()).map(({ id }) => id)).toEqual(['r'])
  await journal.leases.leave()
  expect(await view.replicas()).toEqual([])
})

test('a payment shows what was signed for it and became of that, and is found by each of these transactions, whoever else is in it', async () => {
  await claim(4, ANN, 0)
  const pids = [0, 1, 2, 3].map((nonce) => paymentId([NETWORK, `${nonce}`]))
  const hold = await journal.leases.acquire(NETWORK, '0xf1', 60_000)
  const signed = async (records: readonly SettlementRecord[], tx: SignedTransaction) => {
    const written = await journal.signed(
      records.map((record) => ({ record, undone: 0 })),
      tx,
      hold,
    )
    if (typeof written === 'string' || !('map' in written)) throw new Error('not signed')
    return written
  }
  const inOrder = async () => {
    const records = await journal.loadAll(pids)
    return pids.map((pid) => records.find((record) => record.pid === pid))
  }
  const [one, two, three] = await inOrder()
  if (one === undefined || two === undefined || three === undefined) throw new Error('not claimed')
  const tx = (nonce: bigint, digits: string) => ({
    hash: `0x${digits.repeat(32)}`,
    signer: '0xf1',
    nonce,
    raw: '0xfeed',
  })
  const [group, dearer, alone] = [tx(4n, 'aa'), tx(4n, 'ab'), tx(5n, 'ac')]
  await signed([one, two], group)
  const [mine] = await signed([three], alone)
  if (mine === undefined) throw new Error('not signed')
  await journal.outbid(NETWORK, dearer, hold)
  await journal.sent(mine, alone)
  const view = createJournalView(store)
  const shown = async (text?: string) =>
    (await view.payments(text)).map(({ pid, state, transaction, attempts }) => ({
      at: pids.indexOf(pid as Pid),
      state,
      ...(transaction && { transaction }),
      ...(attempts && { attempts: attempts.map((each) => `${each.transaction.slice(2, 4)} ${each.status}`) }),
    }))
  const both = ['aa signed', 'ab signed']
  const [first, second] = [0, 1].map((at) => ({ at, state: 'signed', attempts: both }))
  expect(await shown()).toEqual([
    { at: 3, state: 'claimed' },
    { at: 2, state: 'sent', attempts: ['ac sent'] },
    second,
    first,
  ])
  for (const { hash } of [group, dearer]) {
    for (const text of [hash, hash.toUpperCase().replace('0X', '0x')])
      expect(await shown(text)).toEqual([second, first])
  }
  expect(await shown(alone.hash)).toEqual([{ at: 2, state: 'sent', attempts: ['ac sent'] }])
  expect(JSON.stringify(await view.payments())).not.toContain('feed')

  // What is found on chain is what counts from then on; a place that was lost is still told of.
  const [carried, , riding] = await inOrder()
  const [failed] = riding?.attempts ?? []
  if (riding === undefined || carried === undefined || failed === undefined) throw new Error('not there')
  const block = { logIndex: 0, blockNumber: 7n, blockHash: '0x07', amount: 7n }
  await journal.settled(carried, { transaction: dearer.hash, ...block }, 'mined')
  await journal.closed(riding, failed, 'failed')
  expect(await shown()).toEqual([
    { at: 3, state: 'claimed' },
    { at: 2, state: 'sent', attempts: ['ac failed'] },
    { at: 1, state: 'signed', attempts: ['aa void', 'ab landed'] },
    { at: 0, state: 'mined', transaction: dearer.hash },
  ])
  expect((await shown(alone.hash)).map(({ at }) => at)).toEqual([2])
})

test('what has failed and waits for its end does not count as waiting, what was signed does', async () => {
  await journal.leases.renew(60_000)
  const hold = (await journal.leases.acquire(NETWORK, '0xf1', 60_000)) ?? { fence: -1 }
  await claim(1, ANN, 0)
  const view = createJournalView(store)
  const record = (await journal.load(paymentId([NETWORK, '0']))) as SettlementRecord
  const oldest = async () => (await view.open()).map(({ state, oldest }) => [state, oldest !== undefined])
  expect(await oldest()).toEqual([['claimed', true]])
  const tx: SignedTransaction = { hash: 'a', signer: '0xf1', nonce: 0n, raw: '' }
  const signed = await journal.signed([{ record, undone: 0 }], tx, hold)
  const [mine] = signed as readonly SettlementRecord[]
  expect(await oldest()).toEqual([['signed', true]])
  await journal.closed(mine!, mine!.attempts[0]!, 'failed')
  expect(await oldest()).toEqual([['signed', false]])
})
