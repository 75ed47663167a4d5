import { network, paymentId, requirementsId } from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createJournalView } from '../src/admin.js'
import { createJournal, type Journal } from '../src/journal/journal.js'
import type { Claim } from '../src/journal/record.js'

// What an operator finds in a journal, however long it is.

const NETWORK = network('base-sepolia')
const [ANN, BOB] = [`0x${'Aa'.repeat(20)}`, `0x${'bB'.repeat(20)}`]
let store: Store
let journal: Journal
let now = 0

beforeEach(async () => {
  store = await openMemoryStore()
  journal = createJournal({ store, clock: () => now++, replica: 'r' })
  await journal.migrate()
})
afterEach(() => store.close())

function claimOf(nonce: number, payer: string): Claim {
  const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x01', payTo: '0x02', extra: {} }
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

test('a lane is shown with its next number, and with what is under way in it', async () => {
  await journal.leases.renew(60_000)
  const hold = await journal.leases.acquire(NETWORK, '0xf1', 60_000)
  await claim(2, ANN, 0)
  const records = await journal.loadAll([0, 1].map((nonce) => paymentId([NETWORK, `${nonce}`])))
  const view = createJournalView(store)
  expect(await view.lanes(NETWORK)).toEqual([{ signer: '0xf1', open: 0 }])
  for (const [at, record] of records.entries()) {
    await journal.signed(
      [{ record, undone: 0 }],
      { hash: `h${at}`, signer: '0xf1', nonce: BigInt(4 + at), raw: '0x' },
      hold,
    )
  }
  expect(await view.lanes(NETWORK)).toEqual([{ signer: '0xf1', open: 2, next: 6, lowest: 4, highest: 5 }])
  await journal.spent(['h0', 'h1'])
  expect(await view.lanes(NETWORK)).toEqual([{ signer: '0xf1', open: 0, next: 6 }])
})
