import { check, type ErrorCode, extensionInfo, type PaymentPayload } from '@groat/core'
import { complianceExtension, fieldsOf, type PayerField, type PayerFields } from './compliance.js'
import * as shapes from './schema.shapes.js'

export { complianceExtension, type PayerField, type PayerFields } from './compliance.js'

/** What a payment says of its payer, or why that cannot be relied upon. */
export type ReadFields =
  | { readonly ok: true; readonly fields: PayerFields | undefined }
  | { readonly ok: false; readonly code: Extract<ErrorCode, 'compliance_required' | 'compliance_invalid'> }

/**
 * Reads what a payment says of its payer, for whoever screens it. What is there and cannot be read is `compliance_invalid`; what is `required` and not there, or asked for by the echo
 * of a seller that requires it, is `compliance_required` (EXT-COMPLY-005). All of it is the payer's own word.
 *
 * @example
 * const read = readPayerFields(payment, ['country'])
 */
export function readPayerFields({ extensions }: PaymentPayload, required: readonly PayerField[] = []): ReadFields {
  const isThere = extensions !== undefined && Object.hasOwn(extensions, complianceExtension.key)
  if (!isThere) {
    return required.length === 0 ? { ok: true, fields: undefined } : { ok: false, code: 'compliance_required' }
  }
  const read = check(shapes.ComplianceInfo, extensionInfo(extensions, complianceExtension.key))
  if (!read.ok) return { ok: false, code: 'compliance_invalid' }
  const { payer, asks } = read.value
  const needed: readonly string[] = read.value.required ? [...required, ...asks] : required
  const fields: Readonly<Record<string, unknown>> = payer === undefined ? {} : fieldsOf(payer)
  const isComplete = needed.every((name) => Object.hasOwn(fields, name))
  if (!isComplete) return { ok: false, code: 'compliance_required' }
  return { ok: true, fields: payer && fieldsOf(payer) }
}
