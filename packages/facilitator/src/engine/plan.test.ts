import { type ChainOutcome, refuse } from '@groat/core'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../journal/record.js'
import { type Known, MAX_ATTEMPTS, plan, pollDelay } from './plan.js'

const EXPIRES = 1000
const now = 0
const live: Attempt = { transaction: { hash: 'a', signer: 's', nonce: 0n, raw: 'raw' }, status: 'signed', slot: 's' }
const out: Attempt = { ...live, status: 'sent' }
const failed: Attempt = { ...live, status: 'failed' }
const settled: ChainOutcome = {
  status: 'settled',
  transaction: 'a',
  logIndex: 0,
  blockNumber: 1n,
  blockHash: 'b',
  amount: 1n,
}
const pending: ChainOutcome = { status: 'pending' }
const dead: ChainOutcome = { status: 'dead', refusal: refuse('payment_expired') }
const bad = refuse('invalid_exact_evm_insufficient_balance')

function known(state: Known['record']['state'], attempts: readonly Attempt[], rest: Partial<Known> = {}): Known {
  return { record: { state, attempts, expiresAt: EXPIRES }, now, ...rest }
}

describe('unsigned', () => {
  test('is checked, then signed', () => expect(plan(known('claimed', []))).toEqual({ do: 'check' }))
  test('refused: the chain is asked first, for somebody else may have landed it', () => {
    expect(plan(known('claimed', [], { verdict: bad }))).toEqual({ do: 'look' })
    expect(plan(known('claimed', [], { verdict: bad, chain: pending }))).toEqual({ do: 'refuse', refusal: bad })
    expect(plan(known('claimed', [], { verdict: bad, chain: settled }))).toEqual({ do: 'settle', evidence: settled })
  })
  test('expired: likewise', () => {
    const late = { now: EXPIRES * 1000 }
    expect(plan(known('claimed', [], late))).toEqual({ do: 'look' })
    expect(plan(known('claimed', [], { ...late, chain: pending }))).toEqual({
      do: 'refuse',
      refusal: refuse('payment_expired'),
    })
  })
})

describe('signed', () => {
  test('EVM-EXACT-169 what may still move the money, and once more if it were signed again, is left alone', () => {
    const gone: Attempt = { ...live, status: 'void' }
    expect(plan(known('sent', [gone], { chain: pending }))).toEqual({ do: 'check' })
    expect(plan(known('sent', [gone], { chain: { ...pending, alone: true } }))).toEqual({ do: 'wait' })
  })
  test('is sent, looked for, and waited for', () => {
    expect(plan(known('signed', [live]))).toEqual({ do: 'send', attempt: live })
    expect(plan(known('sent', [out]))).toEqual({ do: 'look' })
    expect(plan(known('sent', [out], { chain: pending }))).toEqual({ do: 'wait' })
    expect(plan(known('sent', [out], { chain: settled }))).toEqual({ do: 'settle', evidence: settled })
  })
  test('that could not be sent is looked for, waited for, and sent again', () => {
    const said = { status: 'unknown', reason: 'rpc_unreachable' } as const
    expect(plan(known('signed', [live], { said }))).toEqual({ do: 'look' })
    expect(plan(known('signed', [live], { said, chain: pending }))).toEqual({ do: 'wait' })
    expect(plan(known('signed', [live]))).toEqual({ do: 'send', attempt: live })
  })
  test('whose nonce is taken, as one node says, is looked for: it may be in a block that other nodes do not have yet', () => {
    const said = { status: 'nonce_taken' } as const
    expect(plan(known('signed', [live], { said }))).toEqual({ do: 'look' })
    expect(plan(known('signed', [live], { said, chain: settled }))).toEqual({ do: 'settle', evidence: settled })
    expect(plan(known('signed', [live], { said, chain: pending }))).toEqual({ do: 'wait' })
  })
  test('INV-8 sent or not, whose nonce is gone is given up when the chain was asked after that', () => {
    const gone = { gone: true, chain: pending }
    expect(plan(known('sent', [out], gone))).toEqual({ do: 'close', attempt: out, as: 'void' })
    expect(plan(known('signed', [live], gone))).toEqual({ do: 'close', attempt: live, as: 'void' })
    expect(plan(known('sent', [out], { ...gone, gone: false }))).toEqual({ do: 'wait' })
    expect(plan(known('sent', [out], { gone: true }))).toEqual({ do: 'look' })
    expect(plan(known('sent', [out], { gone: true, chain: settled }))).toEqual({ do: 'settle', evidence: settled })
    expect(plan(known('sent', [out], { gone: true, chain: dead }))).toMatchObject({ do: 'bury' })
    const reverted: ChainOutcome = { status: 'reverted', transaction: 'a', refusal: bad }
    const close = { do: 'close', attempt: out, as: 'failed' }
    expect(plan(known('sent', [out], { gone: true, chain: reverted }))).toEqual(close)
  })
  test('that failed is closed, and only its own failure counts', () => {
    const reverted = (transaction: string): ChainOutcome => ({ status: 'reverted', transaction, refusal: bad })
    expect(plan(known('sent', [out], { chain: reverted('a') }))).toEqual({ do: 'close', attempt: out, as: 'failed' })
    expect(plan(known('sent', [out], { chain: reverted('other') }))).toEqual({ do: 'wait' })
  })
  test('whose number was given up before its failure was final is closed all the same', () => {
    const gone: Attempt = { ...out, status: 'void' }
    const chain: ChainOutcome = { status: 'reverted', transaction: 'a', refusal: bad }
    expect(plan(known('sent', [gone], { chain }))).toEqual({ do: 'close', attempt: gone, as: 'failed' })
  })
  test('after a failure it is checked and signed again, while that can help', () => {
    expect(plan(known('sent', [failed]))).toEqual({ do: 'look' })
    expect(plan(known('sent', [failed], { chain: pending }))).toEqual({ do: 'check' })
    expect(plan(known('sent', [failed], { chain: pending, verdict: bad }))).toEqual({ do: 'wait' })
    const many = Array.from({ length: MAX_ATTEMPTS }, (_, at) => ({ ...failed, slot: `${at}` }))
    expect(plan(known('sent', many, { chain: pending }))).toEqual({ do: 'wait' })
    expect(plan(known('sent', [failed], { chain: pending, now: EXPIRES * 1000 }))).toEqual({ do: 'wait' })
  })
  test('is buried only on proof', () => {
    expect(plan(known('sent', [out], { chain: dead }))).toEqual({ do: 'bury', refusal: refuse('payment_expired') })
    expect(plan(known('sent', [out], { chain: pending, verdict: bad, now: EXPIRES * 9000 }))).toEqual({ do: 'wait' })
  })
})

describe('ENG-11 a block that is not deep enough', () => {
  const shallow = { chain: settled, isDeep: false }
  const mined = (rest: Partial<Known>): Known => {
    const { record, ...more } = known('mined', [{ ...out, status: 'landed' }], rest)
    return { record: { ...record, evidence: settled }, ...more }
  }
  test('is written down and waited for', () => {
    expect(plan(known('sent', [out], shallow))).toEqual({ do: 'mine', evidence: settled })
    expect(plan(mined(shallow))).toEqual({ do: 'wait' })
    expect(plan(mined({}))).toEqual({ do: 'look' })
    expect(plan(mined({ chain: settled, isDeep: true }))).toEqual({ do: 'settle', evidence: settled })
  })
  test('that a node does not show is not gone as long as the chain has it', () => {
    expect(plan(mined({ chain: pending, stands: true }))).toEqual({ do: 'wait' })
  })
  test('that is gone is undone, also when another one has the payment', () => {
    expect(plan(mined({ chain: pending, stands: false }))).toEqual({ do: 'undo' })
    expect(plan(mined({ chain: { ...settled, blockHash: 'c' }, isDeep: true }))).toEqual({ do: 'undo' })
    expect(plan(known('reorged', [live]))).toEqual({ do: 'send', attempt: live })
  })
})

test('D33 whose money earlier payments will take waits, and does not spend gas', () => {
  expect(plan(known('claimed', [], { crowded: true, chain: pending }))).toEqual({ do: 'wait' })
  expect(plan(known('claimed', [], { crowded: true, now: EXPIRES * 1000 }))).toEqual({ do: 'look' })
})

test.each(['settled', 'final', 'refused', 'dead'] as const)('%s is the end', (state) => {
  expect(plan(known(state, [out], { chain: settled }))).toEqual({ do: 'done' })
})

test('polls quickly at first, then in proportion, then slowly', () => {
  expect([0, 10, 100, 1000, 10_000, 60_000].map(pollDelay)).toEqual([5, 5, 50, 500, 1000, 5000])
  const hour = 3_600_000
  expect([hour, 24 * hour, 9000 * hour].map(pollDelay)).toEqual([5000, 120_000, 600_000])
})
