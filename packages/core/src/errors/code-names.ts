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

  // exact on Solana. Names as in practice, where it has one.
  'invalid_exact_svm_unsupported_scheme',
  'invalid_exact_svm_network_mismatch',
  'invalid_exact_svm_payload_missing_fee_payer',
  'invalid_exact_svm_fee_payer_not_managed_by_facilitator',
  'invalid_exact_svm_payload_transaction_could_not_be_decoded',
  'unsupported_transaction_version',
  'invalid_exact_svm_payload_lookup_table',
  'invalid_exact_svm_payload_excessive_signers',
  'invalid_exact_svm_fee_payer_mismatch',
  'invalid_exact_svm_payload_signature_invalid',
  'invalid_exact_svm_payload_fee_payer_not_isolated',
  'invalid_exact_svm_payload_fee_above_limit',
  'invalid_exact_svm_payload_transaction_instructions_length',
  'invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction',
  'invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction_too_high',
  'invalid_exact_svm_payload_transaction_instructions_compute_price_instruction',
  'invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high',
  'invalid_exact_svm_payload_no_transfer_instruction',
  'invalid_exact_svm_payload_transaction_fee_payer_transferring_funds',
  'invalid_exact_svm_payload_mint_mismatch',
  'invalid_exact_svm_payload_recipient_mismatch',
  'invalid_exact_svm_payload_amount_mismatch',
  'invalid_exact_svm_payload_unknown_fourth_instruction',
  'invalid_exact_svm_payload_unknown_fifth_instruction',
  'invalid_exact_svm_payload_unknown_sixth_instruction',
  'invalid_exact_svm_payload_unknown_seventh_instruction',
  'invalid_exact_svm_payload_memo_count',
  'invalid_exact_svm_payload_memo_mismatch',
  'invalid_exact_svm_mint_extension_not_allowed',
  'invalid_exact_svm_destination_ata_missing',
  'invalid_exact_svm_destination_ata_unusable',
  'invalid_exact_svm_insufficient_balance',
  'invalid_exact_svm_transaction_simulation_failed',
  'invalid_exact_svm_transaction_failed',
  'invalid_exact_svm_balance_change_mismatch',
  'invalid_exact_svm_smart_wallet_program_not_allowed',
  'invalid_exact_svm_smart_wallet_alt_resolution_failed',
  'invalid_exact_svm_smart_wallet_transfer_mismatch',
  'recent_blockhash_not_known',
  'fee_payer_not_allowed',
  // What the first generation says of the same; written in version 1 only.
  'network_mismatch',
  'fee_payer_not_managed_by_facilitator',
  'transaction_simulation_failed',
  'transaction_failed',

  // upto on Solana. Names as in practice.
  'settlement_program_missing',
  'invalid_upto_svm_payload_open_transaction',
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
