import {
  type AnsweredPayment,
  check,
  type ExtensionClient,
  isJsonObject,
  type JsonObject,
  refuse,
  sameAddress,
  X402Error,
} from '@groat/core'
import { complianceExtension, fieldsOf, type PayerFields, recordDigest } from './compliance.js'
import * as shapes from './schema.shapes.js'

export { type ComplianceRecord, type PayerFields, recordDigest } from './compliance.js'

/**
 * The payer's half of `groat-compliance`: tells sellers those of the fields that they ask for, and holds the record in the receipt against what was paid (a flaw `record_mismatch`).
 * Where a seller requires one that is not among them, nothing is signed (`compliance_required`, with the names of what is missing) (EXT-COMPLY-009).
 * Throws `X402Error` `invalid_config` for fields that are none.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [payerFields({ country: 'PL', kind: 'business' })] })
 */
export function payerFields(own: PayerFields): ExtensionClient {
  const fitting = check(shapes.PayerFields, own)
  if (!fitting.ok) throw new X402Error('invalid_config', { field: 'payerFields', reason: fitting.detail })
  return {
    extension: complianceExtension,
    lacks: ({ info }) => {
      const asked = check(shapes.ComplianceInfo, info)
      if (!asked.ok || !asked.value.required) return undefined
      const given = fieldsOf(own)
      const missing = asked.value.asks.filter((name) => !Object.hasOwn(given, name))
      return missing.length === 0 ? undefined : refuse('compliance_required', missing.join(', '))
    },
    attach: ({ info }) => {
      const asked = check(shapes.ComplianceInfo, info)
      if (!asked.ok || !isJsonObject(info)) return undefined
      // Nobody is told more than they ask for.
      return { info: { ...info, payer: { ...fieldsOf(own, asked.value.asks) } } }
    },
    check: async ({ info }, about) => flawOf(info, about),
  }
}

function flawOf(info: unknown, { offer, payer, receipt, challenge }: AnsweredPayment): string | undefined {
  const answered = check(shapes.ComplianceReceipt, info)
  if (!answered.ok) return 'record_unreadable'
  const { record, digest } = answered.value
  // What was sent is what is named, with members that we do not know.
  const sent = (info as JsonObject).record
  if (!isJsonObject(sent) || recordDigest(sent) !== digest) return 'record_mismatch'
  const isOfPayment =
    record.network === receipt.network &&
    record.transaction === receipt.transaction &&
    record.amount === (receipt.amount ?? offer.amount).toString() &&
    record.resource === (challenge.resource?.url ?? record.resource) &&
    sameAddress(record.asset, offer.asset) &&
    sameAddress(record.payTo, offer.payTo) &&
    sameAddress(record.payer, payer)
  return isOfPayment ? undefined : 'record_mismatch'
}
