import { expect, test } from 'vitest'
import { network } from '../model/network.js'
import type { Settlement } from '../model/outcome.js'
import { decodeReceipt, decodeSettlement, encodeReceipt, encodeSettlement } from './settlement.js'

const sepolia = network('base-sepolia')
const settled: Settlement = {
  status: 'settled',
  receipt: { payer: '0x22', network: sepolia, transaction: '0xabc123', amount: 7n },
}
const unknown: Settlement = { status: 'unknown', retryAfter: 2, transaction: '0xabc123' }
const refused: Settlement = {
  status: 'refused',
  code: 'invalid_exact_evm_insufficient_balance',
  payer: '0x22',
  detail: 'holds 3',
}

test('each outcome has one wire form', () => {
  expect(
    [settled, unknown, refused].map((outcome) => JSON.parse(JSON.stringify(encodeSettlement(2, sepolia, outcome)))),
  ).toEqual([
    { success: true, payer: '0x22', transaction: '0xabc123', network: 'eip155:84532', amount: '7' },
    { success: false, errorReason: 'settlement_pending', transaction: '0xabc123', network: 'eip155:84532' },
    {
      success: false,
      errorReason: 'invalid_exact_evm_insufficient_balance',
      errorMessage: 'holds 3',
      payer: '0x22',
      transaction: '',
      network: 'eip155:84532',
    },
  ])
})

test.each([settled, unknown, refused])('$status survives the receipt header of both versions', (outcome) => {
  for (const version of [1, 2] as const) {
    const { name, value } = encodeReceipt(version, sepolia, outcome)
    expect(decodeReceipt((header) => (header === name ? value : null))).toEqual({ ok: true, value: outcome })
  }
})

test('version 1 has its own network names and its own code for a wrong value', () => {
  const wrong: Settlement = { status: 'refused', code: 'invalid_exact_evm_payload_authorization_value_mismatch' }
  expect(encodeSettlement(1, sepolia, wrong)).toMatchObject({
    network: 'base-sepolia',
    errorReason: 'invalid_exact_evm_authorization_value',
  })
})

test('a reason outside the registry is kept as words, never as a code', () => {
  const wire = { success: false, errorReason: 'Facilitator said: boom', transaction: '', network: 'base-sepolia' }
  expect(decodeSettlement(wire)).toEqual({
    ok: true,
    value: { status: 'refused', code: 'unexpected_settle_error', detail: 'Facilitator said: boom' },
  })
  const composed = {
    success: false,
    errorReason: 'invalid_exact_evm_signature: bad',
    transaction: '',
    network: 'eip155:1',
  }
  expect(decodeSettlement(composed)).toMatchObject({ value: { code: 'invalid_exact_evm_signature' } })
})

test.each([
  {},
  null,
  [],
  { success: true },
  { success: 'true', transaction: '0x', network: 'eip155:1' },
  { success: true, transaction: null, network: 'eip155:1' },
  { success: true, transaction: '0x1', network: 'nowhere' },
])('%j is not a settlement', (wire) =>
  expect(decodeSettlement(wire)).toMatchObject({ ok: false, code: 'invalid_payload' }),
)
