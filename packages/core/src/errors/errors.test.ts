import { expect, test } from 'vitest'
import { errorCodes, errorInfo, isErrorCode } from './codes.js'
import { problem } from './problem.js'
import { X402Error } from './x402-error.js'

test('every code reads well: a title without a full stop, a hint with one', () => {
  for (const [code, { title, hint, status }] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^[a-z0-9_]+$/)
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    expect(hint).toMatch(/^[A-Z].*\.$/)
    expect(status >= 400 && status < 600).toBe(true)
  }
})

test('no code is ever renamed, removed or given to something else', () => {
  // Append only. A line that goes missing here breaks somebody's program.
  expect(Object.keys(errorCodes)).toMatchInlineSnapshot(`
    [
      "payment_required",
      "no_matching_requirements",
      "invalid_payload",
      "invalid_x402_version",
      "invalid_payment_requirements",
      "invalid_network",
      "unsupported_scheme",
      "extension_echo_mismatch",
      "resource_mismatch",
      "settlement_pending",
      "payment_in_flight",
      "payment_already_used",
      "idempotency_mismatch",
      "payment_expired",
      "asset_not_allowed",
      "settlement_not_found",
      "invalid_exact_evm_scheme",
      "invalid_exact_evm_network_mismatch",
      "invalid_exact_evm_missing_eip712_domain",
      "invalid_exact_evm_signature",
      "invalid_exact_evm_recipient_mismatch",
      "invalid_exact_evm_payload_authorization_valid_before",
      "invalid_exact_evm_payload_authorization_valid_after",
      "invalid_exact_evm_payload_authorization_value_mismatch",
      "invalid_exact_evm_authorization_value",
      "invalid_exact_evm_authorization_lifetime",
      "invalid_exact_evm_insufficient_balance",
      "invalid_exact_evm_nonce_already_used",
      "invalid_exact_evm_eip3009_not_supported",
      "invalid_exact_evm_token_name_mismatch",
      "invalid_exact_evm_token_version_mismatch",
      "invalid_exact_evm_transaction_simulation_failed",
      "invalid_exact_evm_transaction_failed",
      "invalid_exact_evm_transfer_event_mismatch",
      "invalid_exact_evm_failed_to_parse_signature",
      "asset_not_deployed_contract",
      "eip6492_factory_not_allowed",
      "unsupported_transfer_method",
      "facilitator_unreachable",
      "facilitator_invalid_answer",
      "handler_failed",
      "response_too_large",
      "request_too_large",
      "unsupported_media_type",
      "method_not_allowed",
      "not_found",
      "rpc_unreachable",
      "rpc_invalid_answer",
      "rpc_wrong_chain",
      "signer_out_of_gas",
      "fee_above_limit",
      "unexpected_verify_error",
      "unexpected_settle_error",
      "store_unavailable",
      "store_busy",
      "shutting_down",
      "invalid_config",
      "duplicate_route",
      "invalid_price",
      "price_too_small",
      "price_too_large",
      "invalid_pay_to",
      "unknown_asset",
      "unsupported_offer",
      "missing_scheme",
      "no_acceptable_offer",
      "amount_over_limit",
      "budget_exceeded",
      "asset_not_known",
      "domain_mismatch",
      "origin_not_allowed",
      "insecure_origin",
      "cross_origin_redirect",
      "version_not_allowed",
      "lifetime_over_limit",
      "recipient_not_allowed",
      "payment_already_attempted",
      "payment_refused",
      "payment_unresolved",
      "body_not_replayable",
      "signer_failed",
      "invalid_challenge",
      "seller_unreachable",
    ]
  `)
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
  expect(JSON.stringify(error.toProblem())).not.toContain('eip155')
})

test('codes are told from other words, inherited names included', () => {
  expect([isErrorCode('settlement_pending'), isErrorCode('toString'), isErrorCode('')]).toEqual([true, false, false])
  expect(errorInfo('invalid_exact_evm_signature').detail).toBe('402.2')
})
