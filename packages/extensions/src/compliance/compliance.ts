import { canonicalJson, defineExtension, type Fitting, type JsonObject, sha256Hex } from '@groat/core'
import * as shapes from './schema.shapes.js'

/**
 * `groat-compliance`, an experiment: what sellers and facilitators have to know of a payer before they take money, and the record of the sale afterwards. Nothing in it names a person: names
 * and addresses stay between buyer and seller, and only a digest of them travels.
 */
export const complianceExtension = defineExtension({ key: 'groat-compliance', info: shapes.ComplianceInfo })

/** Who sells. */
export type SellerParty = Pick<Fitting<typeof shapes.SellerParty>, 'name' | 'country' | 'taxId'>

/** What is said of a payer: country (ISO 3166), `person` or `business`, a word for the purpose, and the digest of a record that the seller keeps. */
export type PayerFields = Pick<Fitting<typeof shapes.PayerFields>, 'country' | 'kind' | 'purpose' | 'recordDigest'>

/** A field that can be asked for. */
export type PayerField = keyof PayerFields

/** What was sold to whom. */
export type ComplianceRecord = {
  readonly version: 1
  readonly tier: 'minimal'
  readonly seller: SellerParty
  readonly buyer: PayerFields
  readonly resource: string
  readonly network: string
  readonly asset: string
  /** Atomic units. */
  readonly amount: string
  readonly payer: string
  readonly payTo: string
  readonly transaction: string
}

/** The fields, in their order. */
export const PAYER_FIELDS = ['country', 'kind', 'purpose', 'recordDigest'] as const satisfies readonly PayerField[]

/** The `schema` that travels with it: that of a completed `info`. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    version: { type: 'integer', const: 1 },
    required: { type: 'boolean' },
    asks: { type: 'array', items: { enum: [...PAYER_FIELDS] } },
    seller: { type: 'object', required: ['name', 'country'] },
    payer: {
      type: 'object',
      properties: {
        country: { type: 'string', pattern: '^[A-Z]{2}$' },
        kind: { enum: ['person', 'business'] },
        purpose: { type: 'string', pattern: '^[a-z0-9_-]{1,64}$' },
        recordDigest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      },
    },
  },
  required: ['version', 'required', 'asks', 'seller'],
} as const

/**
 * Names a record: SHA-256, in hex, over its canonical JSON (RFC 8785) (EXT-COMPLY-007). A record of personal data that buyer and seller hold is named the same way.
 *
 * @example
 * recordDigest(record) // 'c1f5…'
 */
export function recordDigest(record: JsonObject): string {
  return sha256Hex(canonicalJson(record))
}

/** The fields of an object, and nothing else of it. */
export function fieldsOf(from: PayerFields, names: readonly string[] = PAYER_FIELDS): PayerFields {
  const { country, kind, purpose, recordDigest } = from
  return {
    ...(country !== undefined && names.includes('country') && { country }),
    ...(kind !== undefined && names.includes('kind') && { kind }),
    ...(purpose !== undefined && names.includes('purpose') && { purpose }),
    ...(recordDigest !== undefined && names.includes('recordDigest') && { recordDigest }),
  }
}
