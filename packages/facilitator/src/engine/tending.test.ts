import { expect, test } from 'vitest'
import { claimed } from '../../test/one-payment.js'
import type { Attempt, Evidence } from '../journal/record.js'
import { needs } from './tending.js'

const transaction = { hash: 'a', signer: '0x0f', nonce: 7n, raw: '' }
const slot = { id: 's', transactions: [transaction] }
const attempt: Attempt = { transaction, status: 'sent', slot: 's' }
const another: Attempt = { transaction: { ...transaction, hash: 'b', nonce: 8n }, status: 'sent', slot: 't' }
const sent = { ...claimed, state: 'sent', attempts: [attempt] } as const
const evidence: Evidence = { transaction: 'a', logIndex: 0, blockNumber: 1n, blockHash: 'b', amount: 1n }

test.each([
  ['that waits for it', sent, true],
  ['that is over', { ...sent, state: 'dead' as const }, false],
  ['that it has settled', { ...sent, state: 'settled' as const, evidence }, true],
  [
    'that another has settled',
    { ...sent, state: 'settled' as const, evidence: { ...evidence, transaction: 'b' } },
    false,
  ],
  [
    'that has given it up, though its number is free again: another is signed for it',
    { ...sent, attempts: [{ ...attempt, status: 'void' as const }, another] },
    false,
  ],
])('INV-6 whether more is paid for a payment %s', (_, record, expected) => {
  expect(needs(record, slot)).toBe(expected)
})
