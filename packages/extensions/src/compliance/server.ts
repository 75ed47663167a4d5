import {
  check,
  type ExtensionServer,
  isJsonObject,
  type Json,
  refuse,
  type SettledPayment,
  X402Error,
} from '@groat/core'
import {
  type ComplianceRecord,
  complianceExtension,
  PAYER_FIELDS,
  type PayerFields,
  recordDigest,
  type SellerParty,
  WIRE_SCHEMA,
} from './compliance.js'
import { readPayerFields } from './facilitator.js'
import * as shapes from './schema.shapes.js'

export { type ComplianceRecord, type PayerFields, recordDigest, type SellerParty } from './compliance.js'

/** What a seller needs for compliance fields. */
export type ComplianceOptions = {
  readonly seller: SellerParty
  /** Keeps the record of a sale beside its digest. The same record may come more than once; one that throws is a fault, and the receipt stays without a record. */
  readonly keep?: (record: ComplianceRecord, digest: string) => void | Promise<void>
}

/**
 * The seller's half of `groat-compliance`: asks for fields, refuses a payment without them before anybody is asked for money (`compliance_required`, `compliance_invalid`), and puts
 * the record of the sale into the receipt. A route declares it as `{ asks: ['country', 'kind'] }`, with `required: false` where a payment may go without.
 * Throws `X402Error` `invalid_config`.
 *
 * @example
 * const paid = paywall({ ...shop, extensions: [complianceFields({ seller: { name: 'Shop', country: 'PL' } })] })
 * app.get('/report', paid({ price: '$5', extensions: { 'groat-compliance': { asks: ['country'] } } }), report)
 */
export function complianceFields({ seller, keep }: ComplianceOptions): ExtensionServer {
  const fitting = check(shapes.SellerParty, seller)
  if (!fitting.ok) throw new X402Error('invalid_config', { field: 'seller', reason: fitting.detail })
  const { name, country, taxId } = seller
  const party = { name, country, ...(taxId === undefined ? {} : { taxId }) }
  return {
    extension: complianceExtension,
    declare: (options) => {
      const { asks, required } = readOptions(options)
      return {
        announce: { info: { version: 1, required, asks: [...asks], seller: party }, schema: WIRE_SCHEMA },
        inspect: (payment) => {
          const read = readPayerFields(payment, required ? asks : [])
          return read.ok ? undefined : refuse(read.code)
        },
        settled: async (sale) => {
          const record = recordOf(sale, party)
          const digest = recordDigest(record)
          await keep?.(record, digest)
          return { info: { record, digest } }
        },
      }
    },
  }
}

type Asked = { readonly asks: readonly (keyof PayerFields)[]; readonly required: boolean }

function readOptions(options: Json): Asked {
  const { asks, required = true, ...others } = isJsonObject(options) ? options : { asks: null }
  const named: readonly Json[] = Array.isArray(asks) ? asks : []
  const known = PAYER_FIELDS.filter((field) => named.includes(field))
  const isGood = known.length > 0 && known.length === named.length && typeof required === 'boolean'
  if (isGood && Object.keys(others).length === 0) return { asks: known, required }
  const reason = `{ asks: [...], required }; fields are ${PAYER_FIELDS.join(', ')}`
  throw new X402Error('invalid_config', { field: `extensions.${complianceExtension.key}`, reason })
}

/** The record follows from the sale alone, so that it is the same whenever it is made. Its date is that of the transaction. */
function recordOf(sale: SettledPayment, seller: SellerParty): ComplianceRecord {
  const { payer, resource, requirements, payment, receipt } = sale
  const read = readPayerFields(payment)
  const buyer = read.ok ? { ...read.fields } : {}
  const { asset, payTo, amount } = requirements
  return {
    ...{ version: 1, tier: 'minimal' },
    ...{ seller, buyer, resource: resource.url, network: receipt.network, asset, payer, payTo },
    amount: (receipt.amount ?? amount).toString(),
    transaction: receipt.transaction,
  }
}
