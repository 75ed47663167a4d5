import { expect, test } from 'vitest'
import {
  applyHeaders,
  changedHeaders,
  type HeaderFields,
  makePrivate,
  problemAnswer,
  stripProtocolHeaders,
} from './answer.js'

function table(fields: Record<string, string>) {
  const headers = new Headers(fields)
  return {
    headers,
    get: (name: string) => headers.get(name),
    delete: (name: string) => headers.delete(name),
    set: (name: string, value: string | readonly string[]) => headers.set(name, value.toString()),
  }
}

test.each([
  [undefined, 'private'],
  ['', 'private'],
  ['public', 'private'],
  ['PUBLIC, max-age=60, S-MaxAge=600', 'private, max-age=60'],
  ['private', 'private'],
  ['private, max-age=1', 'private, max-age=1'],
  // Only the named fields would be private.
  ['private="x-a, x-b", max-age=1', 'private, max-age=1'],
  ['no-cache="set-cookie, x"', 'private, no-cache="set-cookie, x"'],
  ['no-store', 'no-store'],
  ['public, no-store', 'no-store'],
  ['no-store-please', 'private, no-store-please'],
])('HTTP-061 HTTP-062 Cache-Control %s becomes %s', (before, after) => {
  const headers = table(before === undefined ? {} : { 'cache-control': before })
  makePrivate(headers)
  expect(headers.get('cache-control')).toBe(after)
})

test.each([
  [undefined, 'PAYMENT-SIGNATURE, X-PAYMENT'],
  ['Origin', 'Origin, PAYMENT-SIGNATURE, X-PAYMENT'],
  ['x-payment,Origin', 'x-payment, Origin, PAYMENT-SIGNATURE'],
  ['*', '*'],
  ['Origin, *', '*'],
])('Vary %s becomes %s', (before, after) => {
  const headers = table(before === undefined ? {} : { vary: before })
  makePrivate(headers)
  expect(headers.get('vary')).toBe(after)
})

test('what the work changed is put onto whatever stands there later', () => {
  const before: HeaderFields = { 'x-a': '1', 'x-b': '2', 'set-cookie': ['a=1'] }
  const after: HeaderFields = {
    'x-a': '1',
    'x-c': '3',
    'set-cookie': ['a=1'],
    connection: 'close',
    'transfer-encoding': 'chunked',
    'payment-response': 'forged',
  }
  const changed = changedHeaders(before, after)
  expect(changed).toEqual({ headers: { 'x-c': '3' }, removed: ['x-b'] })
  const later = table({ 'x-a': 'other', 'x-b': 'other', 'x-d': 'other' })
  applyHeaders({ status: 200, body: '', ...changed }, later)
  expect(Object.fromEntries(later.headers)).toEqual({ 'x-a': 'other', 'x-c': '3', 'x-d': 'other' })
})

test('SRV-017 the protocol’s headers are taken away, in any case', () => {
  const headers = table({ 'PAYMENT-RESPONSE': 'x', 'x-Payment-Response': 'x', 'Payment-required': 'x', 'x-a': '1' })
  expect(stripProtocolHeaders(headers)).toBe(true)
  expect(stripProtocolHeaders(headers)).toBe(false)
  expect(Object.fromEntries(headers.headers)).toEqual({ 'x-a': '1' })
})

test('a problem says how long to wait when waiting helps', () => {
  expect(problemAnswer('settlement_pending', { retryAfter: 0.2, reference: 'ab' })).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1', 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  })
  expect(problemAnswer('idempotency_mismatch').headers).not.toHaveProperty('retry-after')
})
