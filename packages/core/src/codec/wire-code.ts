import type { ErrorCode } from '../errors/code-names.js'
import type { X402Version } from '../model/payment.js'

/**
 * The name of a code in a protocol version: a few facts were renamed between the versions.
 *
 * @example
 * wireCode(1, 'invalid_exact_evm_payload_authorization_value_mismatch') // 'invalid_exact_evm_authorization_value'
 */
export function wireCode(version: X402Version, code: ErrorCode): ErrorCode {
  return (version === 1 ? v1Codes[code] : undefined) ?? code
}

const v1Codes: Partial<Record<ErrorCode, ErrorCode>> = {
  invalid_exact_evm_payload_authorization_value_mismatch: 'invalid_exact_evm_authorization_value',
  invalid_exact_svm_unsupported_scheme: 'unsupported_scheme',
  invalid_exact_svm_network_mismatch: 'network_mismatch',
  invalid_exact_svm_fee_payer_not_managed_by_facilitator: 'fee_payer_not_managed_by_facilitator',
  invalid_exact_svm_transaction_simulation_failed: 'transaction_simulation_failed',
  invalid_exact_svm_transaction_failed: 'transaction_failed',
}
