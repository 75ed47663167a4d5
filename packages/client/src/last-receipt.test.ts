import { expect, test } from 'vitest'
import { lastReceipt } from './last-receipt.js'

test('a stream says its receipt in its last event, be it the only one', () => {
  expect(lastReceipt('data: hi\n\nevent: payment-response\ndata: eyJh\n\n')).toBe('eyJh')
  expect(lastReceipt('event: payment-response\ndata: eyJh\n\n')).toBe('eyJh')
})

test('what is not the last event, or not whole, says nothing', () => {
  for (const text of [
    '',
    'data: hi\n\n',
    'event: payment-response\ndata: eyJh\n\ndata: more\n\n',
    'event: payment-response\ndata: eyJh\n',
    'data: event: payment-response\ndata: eyJh\n\n',
  ]) {
    expect(lastReceipt(text)).toBeUndefined()
  }
})
