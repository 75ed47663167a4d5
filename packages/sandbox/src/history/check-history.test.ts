import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { checkHistory } from './check-history.js'
import type { EventRow, History } from './history.js'

// A history in which all is well, and for every invariant a copy of it that somebody has tampered with.

const network = 'eip155:84532'
const [asset, seller, payer, signer] = ['0xa5', '0x5e', '0xba', '0xf1']

function chained(steps: readonly (readonly [pid: string, from: string | null, to: string, at: number])[]): EventRow[] {
  let prev_hash = '0'.repeat(64)
  return steps.map(([pid, from_state, to_state, at], seq) => {
    const said = JSON.stringify([prev_hash, 'w', seq, pid, from_state, to_state, at, null])
    const hash = createHash('sha256').update(said).digest('hex')
    const row = { writer: 'w', seq, pid, from_state, to_state, at, code: null, prev_hash, hash }
    prev_hash = hash
    return row
  })
}

const settlement = {
  network,
  scheme: 'exact',
  payer,
  pay_to: seller,
  asset,
  amount: '10',
  valid_before: 1,
  state: 'settled',
}
const transfer = { network, transaction: '0x01', blockHash: '0xb1', asset, from: payer, to: seller, value: '10' }
const evidence = { network, transaction: '0x01', block_hash: '0xb1', amount: '10', fee: '5' }
const delivery = { mode: 'strict' as const, at: 60, firstByteAt: 61 }
const signature = {
  at: 5,
  origin: 'https://shop',
  payTo: seller,
  asset,
  network,
  amount: '10',
  lifetimeSeconds: 60,
  dead: [],
}

/** Two payments in one transaction. */
const good = {
  journal: {
    settlement: [
      { ...settlement, pid: 'p1', rid: 'r1' },
      { ...settlement, pid: 'p2', rid: 'r2' },
    ],
    attempt: [{ hash: '0x01', slot: 's0', network, signer, nonce: 0, raw: '0xraw', fee: '5', signed_at: 20 }],
    ride: [
      { slot: 's0', pid: 'p1', status: 'landed' },
      { slot: 's0', pid: 'p2', status: 'landed' },
    ],
    evidence: [
      { ...evidence, pid: 'p1', log_index: 0 },
      { ...evidence, pid: 'p2', log_index: 1 },
    ],
    event: chained([
      ['p1', null, 'claimed', 10],
      ['p2', null, 'claimed', 11],
      ['p1', 'claimed', 'signed', 20],
      ['p2', 'claimed', 'signed', 20],
      ['p1', 'signed', 'sent', 30],
      ['p1', 'sent', 'settled', 50],
      ['p2', 'signed', 'settled', 50],
    ]),
  },
  chain: {
    transfers: [
      { ...transfer, logIndex: 0 },
      { ...transfer, logIndex: 1 },
    ],
    transactions: [{ network, hash: '0x01', signer, at: 25, raw: '0xraw', fee: '5' }],
    opening: [{ network, asset, account: payer, balance: '20' }],
  },
  answers: [
    { pid: 'p1', rid: 'r1', at: 40, status: 'unknown' as const },
    { pid: 'p1', rid: 'r1', at: 55, status: 'settled' as const, transaction: '0x01', logIndex: 0, amount: '10' },
  ],
  spellings: [
    { pid: 'p1', spelling: 'one' },
    { pid: 'p1', spelling: 'one' },
    { pid: 'p2', spelling: 'two' },
  ],
  deliveries: [{ ...delivery, pid: 'p1' }],
  obligations: [{ pid: 'p2', kind: 'refunded' as const, since: 60 }],
  handlers: [{ pid: 'p1', at: 52, claimedAt: 9 }],
  receipts: [{ pid: 'p1', transaction: '0x01', logIndex: 0, verifies: true }],
  refunds: [{ pid: 'p2', to: payer, amount: '10', journalled: true }],
  wallet: {
    budgets: [{ id: 'day', limit: '20' }],
    entries: [
      { at: 1, kind: 'reserve' as const, budget: 'day', intent: 'i1', amount: '10' },
      { at: 2, kind: 'reserve' as const, budget: 'day', intent: 'i2', amount: '10' },
      { at: 3, kind: 'release' as const, budget: 'day', intent: 'i2', amount: '10' },
      { at: 4, kind: 'commit' as const, budget: 'day', intent: 'i1', amount: '10' },
      { at: 5, kind: 'reserve' as const, budget: 'day', intent: 'i3', amount: '10' },
    ],
    signatures: [{ ...signature, intent: 'i1', pid: 'p1' }],
    requests: [{ pid: 'p1', issuer: 'https://shop', origin: 'https://shop' }],
    policy: {
      origins: ['https://shop'],
      assets: [asset],
      networks: [network],
      payTo: [seller],
      maxAmount: '10',
      maxLifetimeSeconds: 60,
    },
  },
  guards: [
    { pid: 'p1', at: 12, said: 'allowed' as const },
    { pid: 'p2', at: 12, said: 'allowed' as const },
  ],
  outward: { texts: ['{"success":true}'], secrets: ['key-in-a-url'] },
  process: { unhandled: 0, longestBlockMs: 20, memoryMiB: [100, 110] },
  limits: { feePerPayment: '5', failedFeesPerPayerHour: '5', grace: 1000 },
} satisfies History

type Good = typeof good
const withJournal = (change: Partial<History['journal']>): History => ({
  ...good,
  journal: { ...good.journal, ...change },
})
const [first, second] = good.journal.evidence as unknown as [
  Good['journal']['evidence'][0],
  Good['journal']['evidence'][0],
]
const withEvents = (...steps: Parameters<typeof chained>[0]) => withJournal({ event: chained(steps) })
/** The first payment was refused at 12, and presented again. */
const refusedFirst = withEvents(
  ['p1', null, 'claimed', 10],
  ['p1', 'claimed', 'refused', 12],
  ['p1', 'refused', 'claimed', 14],
  ['p1', 'claimed', 'signed', 20],
  ['p1', 'signed', 'settled', 50],
)
const [handle] = good.handlers as unknown as [Good['handlers'][0]]

const tampered: readonly (readonly [id: string, how: string, history: History])[] = [
  ['INV-1', 'delivered twice', { ...good, deliveries: [...good.deliveries, ...good.deliveries] }],
  ['INV-1', 'delivered after the pass ended', { ...good, deliveries: [{ ...delivery, pid: 'p1', until: 59 }] }],
  ['INV-2', 'a byte left early', { ...good, deliveries: [{ ...delivery, pid: 'p1', firstByteAt: 49 }] }],
  ['INV-2', 'delivered without a settlement', { ...good, deliveries: [{ ...delivery, pid: 'p9' }] }],
  ['INV-3', 'settled, and nothing for it', { ...good, obligations: [] }],
  [
    'INV-3',
    'delivered and refunded',
    { ...good, obligations: [...good.obligations, { pid: 'p1', kind: 'refunded', since: 60 }] },
  ],
  [
    'INV-3',
    'a claim that nobody answers',
    { ...good, obligations: [{ pid: 'p2', kind: 'entitled', since: 60 }], endsAt: 5000 },
  ],
  ['INV-4', 'a success without a log', { ...good, chain: { ...good.chain, transfers: good.chain.transfers.slice(1) } }],
  [
    'INV-4',
    'a log of another payee',
    { ...good, chain: { ...good.chain, transfers: good.chain.transfers.map((log) => ({ ...log, to: '0xee' })) } },
  ],
  ['INV-4', 'a log of a block that is gone', withJournal({ evidence: [{ ...first, block_hash: '0xb0' }, second] })],
  [
    'INV-4',
    'an answer with another transaction',
    { ...good, answers: [{ pid: 'p1', rid: 'r1', at: 55, status: 'settled', transaction: '0x02' }] },
  ],
  ['INV-5', 'told under other terms', { ...good, answers: [{ pid: 'p1', rid: 'r9', at: 55, status: 'settled' }] }],
  [
    'INV-6',
    'two live places',
    withJournal({
      ride: [
        ...good.journal.ride,
        { slot: 's1', pid: 'p1', status: 'live' },
        { slot: 's2', pid: 'p1', status: 'live' },
      ],
    }),
  ],
  ['INV-6', 'landed twice', withJournal({ ride: [...good.journal.ride, { slot: 's1', pid: 'p1', status: 'landed' }] })],
  ['INV-7', 'a transaction that nobody wrote down', withJournal({ attempt: [] })],
  [
    'INV-7',
    'sent before it was written down',
    { ...good, chain: { ...good.chain, transactions: [{ network, hash: '0x01', signer, at: 19 }] } },
  ],
  [
    'INV-7',
    'other bytes',
    { ...good, chain: { ...good.chain, transactions: [{ network, hash: '0x01', signer, raw: '0xother' }] } },
  ],
  [
    'INV-8',
    'refused, and settled all the same',
    { ...good, answers: [{ pid: 'p1', rid: 'r1', at: 40, status: 'refused' }] },
  ],
  [
    'INV-8',
    'refused, and settled all the same, though it had been refused before this was asked',
    {
      ...refusedFirst,
      answers: [{ pid: 'p1', rid: 'r1', askedAt: 13, at: 40, status: 'refused' }],
    },
  ],
  [
    'INV-8',
    'never at its end',
    withJournal({ settlement: good.journal.settlement.map((row) => ({ ...row, state: 'sent' })) }),
  ],
  [
    'INV-8',
    'signed anew while it was unknown',
    {
      ...good,
      wallet: {
        ...good.wallet,
        signatures: [
          { ...signature, intent: 'i1', pid: 'p1' },
          { ...signature, intent: 'i1', pid: 'p7' },
        ],
      },
    },
  ],
  ['INV-9', 'an atomic unit too little', withJournal({ evidence: [{ ...first, amount: '9' }, second] })],
  ['INV-9', 'one log for two payments', withJournal({ evidence: [first, { ...second, log_index: 0 }] })],
  ['INV-9', 'settled and not booked', withJournal({ evidence: [first] })],
  [
    'INV-9',
    'gas that was not paid',
    withJournal({ attempt: good.journal.attempt.map((row) => ({ ...row, fee: '4' })) }),
  ],
  ['INV-10', 'more than was authorised', withJournal({ evidence: [{ ...first, amount: '11' }, second] })],
  [
    'INV-10',
    'told another amount',
    { ...good, answers: [{ pid: 'p1', rid: 'r1', at: 55, status: 'settled', amount: '9' }] },
  ],
  [
    'INV-11',
    'signed for more than there is',
    { ...good, chain: { ...good.chain, opening: [{ network, asset, account: payer, balance: '19' }] } },
  ],
  [
    'INV-11',
    'signed for what an undone block gives back only later',
    {
      ...good,
      chain: {
        ...good.chain,
        opening: [{ network, asset, account: payer, balance: '19' }],
        returned: [{ network, asset, account: payer, amount: '1', from: 1_000_000, until: 2_000_000 }],
      },
    },
  ],
  ['INV-12', 'a transaction too dear', { ...good, limits: { ...good.limits, feePerPayment: '2' } }],
  [
    'INV-12',
    'failures too dear',
    {
      ...withJournal({ ride: [{ slot: 's0', pid: 'p1', status: 'failed' }] }),
      limits: { feePerPayment: '5', failedFeesPerPayerHour: '4' },
    },
  ],
  [
    'INV-13',
    'reserved beyond the budget',
    { ...good, wallet: { ...good.wallet, budgets: [{ id: 'day', limit: '19' }] } },
  ],
  [
    'INV-14',
    'a longer life than allowed',
    { ...good, wallet: { ...good.wallet, policy: { ...good.wallet.policy, maxLifetimeSeconds: 59 } } },
  ],
  [
    'INV-14',
    'another payee',
    { ...good, wallet: { ...good.wallet, policy: { ...good.wallet.policy, payTo: ['0xee'] } } },
  ],
  [
    'INV-15',
    'shown to somebody else',
    { ...good, wallet: { ...good.wallet, requests: [{ pid: 'p1', issuer: 'https://shop', origin: 'https://other' }] } },
  ],
  [
    'INV-16',
    'signed though the guard failed',
    { ...good, guards: [...good.guards, { pid: 'p2', at: 15, said: 'failed' }] },
  ],
  ['INV-16', 'signed and never asked', { ...good, guards: good.guards.slice(1) }],
  ['INV-17', 'a handler without a claim', { ...good, handlers: [{ pid: 'p1', at: 52 }] }],
  ['INV-17', 'a claim after the handler', { ...good, handlers: [{ ...handle, claimedAt: 53 }] }],
  [
    'INV-18',
    'two identities of one payment',
    { ...good, spellings: [...good.spellings, { pid: 'p3', spelling: 'one' }] },
  ],
  [
    'INV-18',
    'two payments of one identity',
    { ...good, spellings: [...good.spellings, { pid: 'p1', spelling: 'three' }] },
  ],
  ['INV-19', 'a key in an answer', { ...good, outward: { ...good.outward, texts: ['at https://node/key-in-a-url'] } }],
  ['INV-20', 'a rejection that nobody handled', { ...good, process: { ...good.process, unhandled: 1 } }],
  ['INV-20', 'a blocked loop', { ...good, process: { ...good.process, longestBlockMs: 51 } }],
  ['INV-20', 'memory without end', { ...good, process: { ...good.process, memoryMiB: [100, 601] } }],
  ['INV-21', 'a fraction', withJournal({ evidence: [{ ...first, amount: '10.0' }, second] })],
  ['INV-22', 'a step that there is not', withEvents(['p1', null, 'claimed', 1], ['p1', 'claimed', 'final', 2])],
  ['INV-22', 'a step left out', withEvents(['p1', null, 'claimed', 1], ['p1', 'signed', 'settled', 2])],
  [
    'INV-22',
    'an entry that was changed',
    withJournal({ event: good.journal.event.map((row) => (row.seq === 2 ? { ...row, at: 21 } : row)) }),
  ],
  ['INV-22', 'an entry that was cut out', withJournal({ event: good.journal.event.filter(({ seq }) => seq !== 1) })],
  [
    'INV-23',
    'a receipt that does not verify',
    { ...good, receipts: good.receipts.map((each) => ({ ...each, verifies: false })) },
  ],
  [
    'INV-23',
    'two receipts of one log',
    { ...good, receipts: [...good.receipts, { pid: 'p2', transaction: '0x01', logIndex: 0, verifies: true }] },
  ],
  ['INV-24', 'refunded twice', { ...good, refunds: [...good.refunds, ...good.refunds] }],
  ['INV-24', 'more than was paid', { ...good, refunds: good.refunds.map((each) => ({ ...each, amount: '11' })) }],
  ['INV-24', 'to a stranger', { ...good, refunds: good.refunds.map((each) => ({ ...each, to: '0xee' })) }],
]

const statusOf = (history: History, id: string) => checkHistory(history).find((finding) => finding.id === id)?.status

test('a history in which all is well holds all invariants', () => {
  expect(checkHistory(good).filter(({ status }) => status !== 'held')).toEqual([])
  expect(checkHistory(good).map(({ id }) => id)).toEqual(Array.from({ length: 24 }, (_, at) => `INV-${at + 1}`))
})

test.each(tampered)('%s is broken by this: %s', (id, _, history) => {
  expect(statusOf(history, id)).toBe('broken')
})

test('every invariant can be broken', () => {
  expect(new Set(tampered.map(([id]) => id))).toEqual(new Set(checkHistory(good).map(({ id }) => id)))
})

test('what was not recorded is not judged, and not called held', () => {
  const { journal, chain } = good
  const bare = checkHistory({ journal, chain: { transfers: chain.transfers, transactions: chain.transactions } })
  expect(bare.filter(({ status }) => status === 'not recorded').map(({ id }) => id)).toEqual(
    [1, 2, 3, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 23, 24].map((nth) => `INV-${nth}`),
  )
})

test('a refusal that was true when the payment was presented may be on its way while it is presented again', () => {
  const answers = [{ pid: 'p1', rid: 'r1', askedAt: 11, at: 40, status: 'refused' }] as const
  expect(statusOf({ ...refusedFirst, answers }, 'INV-8')).toBe('held')
})

test('what has come is held, what is not yet due is not missed, what a reorg undid was true once', () => {
  const pending = withJournal({
    settlement: good.journal.settlement.map((row) => ({ ...row, state: 'sent', valid_before: 100 })),
  })
  expect(statusOf({ ...pending, endsAt: 1000 }, 'INV-8')).toBe('held')
  const again = withEvents(
    ['p1', null, 'claimed', 10],
    ['p1', 'claimed', 'signed', 20],
    ['p1', 'signed', 'settled', 30],
    ['p1', 'settled', 'reorged', 40],
    ['p1', 'reorged', 'settled', 50],
    ['p2', null, 'claimed', 11],
    ['p2', 'claimed', 'refused', 12],
    ['p2', 'refused', 'claimed', 13],
    ['p2', 'claimed', 'signed', 20],
    ['p2', 'signed', 'settled', 50],
  )
  const told = [{ pid: 'p1', rid: 'r1', at: 35, status: 'settled' as const, transaction: '0x00' }]
  expect(checkHistory({ ...again, answers: told }).filter(({ status }) => status === 'broken')).toEqual([])
})
