/**
 * Every code that Groat says, to a peer or to its user. Append only: a code is never renamed, moved to another meaning or reused.
 * Codes that the protocol or its practice names keep their names. What each means stands in `codes.ts`.
 */
export const codeNames = [
  // The exchange.
  'payment_required',
  'no_matching_requirements',
  'invalid_payload',
  'invalid_x402_version',
  'invalid_payment_requirements',
  'invalid_network',
  'unsupported_scheme',
  'extension_echo_mismatch',
  'resource_mismatch',
  'settlement_pending',
  'payment_in_flight',
  'payment_already_used',
  'idempotency_mismatch',
  'payment_expired',
  'asset_not_allowed',
  'settlement_not_found',

  // exact on EVM. Names as in practice.
  'invalid_exact_evm_scheme',
  'invalid_exact_evm_network_mismatch',
  'invalid_exact_evm_missing_eip712_domain',
  'invalid_exact_evm_signature',
  'invalid_exact_evm_recipient_mismatch',
  'invalid_exact_evm_payload_authorization_valid_before',
  'invalid_exact_evm_payload_authorization_valid_after',
  'invalid_exact_evm_payload_authorization_value_mismatch',
  'invalid_exact_evm_authorization_value',
  'invalid_exact_evm_authorization_lifetime',
  'invalid_exact_evm_insufficient_balance',
  'invalid_exact_evm_nonce_already_used',
  'invalid_exact_evm_eip3009_not_supported',
  'invalid_exact_evm_token_name_mismatch',
  'invalid_exact_evm_token_version_mismatch',
  'invalid_exact_evm_transaction_simulation_failed',
  'invalid_exact_evm_transaction_failed',
  'invalid_exact_evm_transfer_event_mismatch',
  'invalid_exact_evm_failed_to_parse_signature',
  'asset_not_deployed_contract',
  'eip6492_factory_not_allowed',
  'unsupported_transfer_method',

  // The resource server.
  'facilitator_unreachable',
  'facilitator_invalid_answer',
  'handler_failed',
  'response_too_large',
  'request_too_large',
  'unsupported_media_type',
  'method_not_allowed',
  'not_found',

  // The settlement engine and its chains.
  'rpc_unreachable',
  'rpc_invalid_answer',
  'rpc_wrong_chain',
  'signer_out_of_gas',
  'fee_above_limit',
  'unexpected_verify_error',
  'unexpected_settle_error',
  'store_unavailable',
  'store_busy',
  'shutting_down',

  // Configuration: said at start, in one line.
  'invalid_config',
  'duplicate_route',
  'invalid_price',
  'price_too_small',
  'price_too_large',
  'invalid_pay_to',
  'unknown_asset',
  'unsupported_offer',
  'missing_scheme',

  // The payer’s side: why nothing was signed, or why the answer could not be had.
  'no_acceptable_offer',
  'amount_over_limit',
  'budget_exceeded',
  'asset_not_known',
  'domain_mismatch',
  'origin_not_allowed',
  'insecure_origin',
  'cross_origin_redirect',
  'version_not_allowed',
  'lifetime_over_limit',
  'recipient_not_allowed',
  'payment_already_attempted',
  'payment_refused',
  'payment_unresolved',
  'body_not_replayable',
  'signer_failed',
  'invalid_challenge',
  'seller_unreachable',
] as const

/** A code of the registry. */
export type ErrorCode = (typeof codeNames)[number]

/**
 * Tells whether a text is a code of the registry.
 *
 * @example
 * isErrorCode('invalid_payload') // true
 */
export function isErrorCode(text: string): text is ErrorCode {
  return names.includes(text)
}

// Wider, for the question whether any text is one of them.
const names: readonly string[] = codeNames
