import { expect, test } from 'vitest'
import { codeNames, type ErrorCode } from './code-names.js'
import { errorCodes, errorInfo } from './codes.js'
import { isErrorCode } from './is-error-code.js'
import { problem } from './problem.js'
import * as inBrowser from './registry.browser.js'
import { X402Error } from './x402-error.js'

test('every code reads well: a title without a full stop, a hint with one', () => {
  for (const [code, { title, hint, status }] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^[a-z0-9_]+$/)
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    expect(hint).toMatch(/^[A-Z].*\.$/)
    expect(status >= 400 && status < 600).toBe(true)
  }
})

test('every code has its row, in the order of the list', () => {
  expect(Object.keys(errorCodes)).toEqual(codeNames)
})

test('a problem says what happened, what to do and the coarse refusal detail', () => {
  expect(problem('payment_expired', { detail: 'validBefore was 3 s ago', reference: 'r-1' })).toEqual({
    type: 'urn:x402:error:payment_expired',
    title: 'The payment is no longer valid',
    status: 402,
    code: 'payment_expired',
    detail: 'validBefore was 3 s ago',
    detailCode: '402.5',
    hint: 'Sign again and check the clock.',
    retry: 'new-payment',
    reference: 'r-1',
  })
})

test('an error says what happened, where and what to do next, and is known by name across copies of the package', () => {
  const cause = new Error('connect ECONNREFUSED')
  const error = new X402Error('rpc_unreachable', { network: 'eip155:8453', tries: 3, nothing: undefined }, { cause })
  expect(error.message).toBe(
    'The chain cannot be reached.\n  network: eip155:8453\n  tries: 3\n  Try again later; nothing was decided about the payment. (rpc_unreachable)',
  )
  expect([error.cause, error.docs, Object.isFrozen(error.context)]).toEqual([
    cause,
    'urn:x402:error:rpc_unreachable',
    true,
  ])
  expect(X402Error.is(Object.assign(new Error('x'), { name: 'X402Error', code: 'rpc_unreachable' }))).toBe(true)
  expect(X402Error.is(new Error('x'))).toBe(false)
})

test('in a browser an error says its code and the facts', () => {
  expect(inBrowser.messageOf('rpc_unreachable', '\n  tries: 3')).toBe('rpc_unreachable\n  tries: 3')
})

test('in a browser whatever is written as a code is taken for one, and one that is not listed reads as unexpected', () => {
  expect(codeNames.every(inBrowser.isListed)).toBe(true)
  expect(['settlement.pending', 'Insufficient funds', ''].filter(inBrowser.isListed)).toEqual([])
  for (const text of ['constructor', 'code_of_tomorrow']) {
    expect(errorInfo(text as ErrorCode)).toBe(errorCodes.unexpected_settle_error)
  }
})

test('codes are told from other words, inherited names included', () => {
  expect([isErrorCode('settlement_pending'), isErrorCode('toString'), isErrorCode('')]).toEqual([true, false, false])
  expect(errorInfo('invalid_exact_evm_signature').detail).toBe('402.2')
})
