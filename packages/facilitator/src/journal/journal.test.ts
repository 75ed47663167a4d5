import {
  type FacilitatorRequest,
  network,
  paymentId,
  refuse,
  requirementsId,
  type SignedTransaction,
} from '@groat/core'
import { openMemoryStore, type Store } from '@groat/store'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createJournal, type Journal, type Written } from './journal.js'
import { type Claim, type Evidence, type SettlementRecord, settlementOf } from './record.js'
import { edges, isOpen, openStates, type SettlementState } from './state.js'
import type { JournalTables } from './tables.js'

const NETWORK = network('base-sepolia')
const SIGNER = '0xf1'
let store: Store
let journal: Journal

beforeEach(async () => {
  store = await openMemoryStore()
  journal = createJournal(store, () => 1000)
  await journal.migrate()
})
afterEach(() => store.close())

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

const claimed = async (nonce = '1') => (await journal.claim(claimOf(nonce))).record

test('what settles with nothing sent is used up, and stays so', async () => {
  const record = written(await journal.waived(await claimed()))
  expect(settlementOf(record, 2)).toEqual({
    status: 'settled',
    receipt: { payer: '0x03', network: NETWORK, transaction: '', amount: 0n },
  })
  expect(await journal.claim(claimOf('1'))).toMatchObject({ won: false, record: { state: 'settled', attempts: [] } })
  expect(
    await journal.waived(await claimed('2').then((other) => ({ ...other, state: 'claimed', pid: record.pid }))),
  ).toBe('moved')
})

describe('claim', () => {
  test('ENG-2 one of many wins, and the others see what it claimed', async () => {
    const claims = await Promise.all(Array.from({ length: 20 }, () => journal.claim(claimOf('1'))))
    expect(claims.filter(({ won }) => won)).toHaveLength(1)
    expect(new Set(claims.map(({ record }) => JSON.stringify({ ...record, amount: 0 }))).size).toBe(1)
  })

  test('a refusal binds nobody: it is claimed anew, under any terms', async () => {
    const first = await claimed()
    written(await journal.refused(first, refuse('invalid_exact_evm_signature', 'why')))
    expect(await journal.load(first.pid)).toMatchObject({
      state: 'refused',
      refusal: { ok: false, code: 'invalid_exact_evm_signature', detail: 'why' },
    })
    const again = await journal.claim(claimOf('1', { other: 'terms' }))
    expect(again.won).toBe(true)
    expect(again.record.rid).not.toBe(first.rid)
    const { refusal: _, ...stored } = (await journal.load(first.pid)) ?? {}
    expect(stored).toEqual(again.record)
  })

  test('nothing else does', async () => {
    const record = written(await journal.signed(await claimed(), tx('a', 0n)))
    expect((await journal.claim(claimOf('1'))).won).toBe(false)
    written(await journal.dead(record, refuse('payment_expired')))
    expect((await journal.claim(claimOf('1'))).won).toBe(false)
  })
})

test('a record comes back as it was written', async () => {
  const signed = written(await journal.signed(await claimed(), tx('a', 0n)))
  const sent = written(await journal.sent(signed, tx('a', 0n)))
  expect(await journal.load(sent.pid)).toEqual(sent)
  expect(await journal.open()).toEqual([sent])
  const settled = written(await journal.settled(sent, evidence))
  expect(await journal.load(sent.pid)).toEqual(settled)
  expect(settled).toMatchObject({ state: 'settled', evidence, attempts: [{ status: 'landed' }] })
  expect(await journal.open()).toEqual([])
})

describe('nonces', () => {
  test('INV-7 the bytes and their nonce are written together or not at all', async () => {
    written(await journal.signed(await claimed('1'), tx('a', 0n)))
    const second = await claimed('2')
    expect(await journal.signed(second, tx('b', 0n))).toBe('nonce_used')
    expect(await journal.load(second.pid)).toEqual(second)
    expect((await journal.lane(NETWORK, SIGNER)).next).toBe(1n)
    written(await journal.signed(second, tx('b', 5n)))
    expect((await journal.lane(NETWORK, SIGNER)).next).toBe(6n)
  })

  test('what cannot be written uses none up', async () => {
    const record = await claimed()
    written(await journal.signed(record, tx('a', 0n)))
    expect(await journal.signed(record, tx('b', 1n))).toBe('moved')
    expect((await journal.lane(NETWORK, SIGNER)).next).toBe(1n)
  })

  test('a lane starts from what may still land, the lowest first', async () => {
    for (const [nonce, hash] of ['a', 'b', 'c'].entries()) {
      const record = written(await journal.signed(await claimed(hash), tx(hash, BigInt(nonce))))
      if (hash === 'b') written(await journal.dead(record, refuse('payment_expired')))
    }
    const { open } = await journal.lane(NETWORK, SIGNER)
    expect(open.map(({ transaction, ended }) => [transaction, ended])).toEqual([
      [tx('a', 0n), false],
      [tx('b', 1n), true],
      [tx('c', 2n), false],
    ])
    await journal.spent('b')
    expect((await journal.lane(NETWORK, SIGNER)).open).toHaveLength(2)
  })
})

test('INV-6 a second transaction that may land is refused by the database itself', async () => {
  const record = written(await journal.signed(await claimed(), tx('a', 0n)))
  expect(await journal.signed(record, tx('b', 1n))).toBe('moved')
  const closed = written(await journal.closed(record, tx('a', 0n), 'void'))
  written(await journal.signed(closed, tx('b', 1n)))
  const attempts = store.withTables<JournalTables>().db.selectFrom('attempt').select(['hash', 'status'])
  expect(await attempts.orderBy('nonce').execute()).toEqual([
    { hash: 'a', status: 'void' },
    { hash: 'b', status: 'signed' },
  ])
})

test('ENG-10, FAC-037 one log credits one payment', async () => {
  const first = written(await journal.signed(await claimed('1'), tx('a', 0n)))
  const second = written(await journal.signed(await claimed('2'), tx('b', 1n)))
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
    expect(all.filter((state) => reached(state).has(state))).toEqual(['claimed', 'refused'])
    expect([...reached('signed')].sort()).toEqual(['dead', 'sent', 'settled'])
    expect(all.filter(isOpen)).toEqual([...openStates])
  })

  test('that are not joined by an edge are a mistake of ours, and nothing is written', async () => {
    const record = await claimed()
    await expect(journal.dead(record, refuse('payment_expired'))).rejects.toThrow('claimed to dead')
    expect(await journal.load(record.pid)).toEqual(record)
  })

  test('of a record that has moved on in the meantime are left alone', async () => {
    const record = await claimed()
    const signed = written(await journal.signed(record, tx('a', 0n)))
    expect(await journal.refused(record, refuse('payment_expired'))).toBe('moved')
    expect(await journal.load(record.pid)).toEqual(signed)
  })
})
