// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const SellerParty: Shape<z.output<typeof schema.SellerParty>> = { type: 'object', properties: {
  name: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{1,128}$/ },
  country: { type: 'string', pattern: /^[A-Z]{2}$/ },
  taxId: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{1,128}$/ },
}, required: ['name', 'country'] }
export const PayerFields: Shape<z.output<typeof schema.PayerFields>> = { type: 'object', properties: {
  country: { type: 'string', pattern: /^[A-Z]{2}$/ },
  kind: { type: 'string', pattern: /^(?:person|business)$/ },
  purpose: { type: 'string', pattern: /^[a-z0-9_-]{1,64}$/ },
  recordDigest: { type: 'string', pattern: /^[0-9a-f]{64}$/ },
} }
export const ComplianceInfo: Shape<z.output<typeof schema.ComplianceInfo>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  required: { type: 'boolean' },
  asks: { maxItems: 4, type: 'array', items: { type: 'string', pattern: /^(?:country|kind|purpose|recordDigest)$/ } },
  seller: SellerParty,
  payer: PayerFields,
}, required: ['version', 'required', 'asks', 'seller'] }
export const ComplianceRecord: Shape<z.output<typeof schema.ComplianceRecord>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  tier: { type: 'string', const: 'minimal' },
  seller: SellerParty,
  buyer: PayerFields,
  resource: { type: 'string', maxLength: 2048 },
  network: { type: 'string', maxLength: 2048 },
  asset: { type: 'string', maxLength: 2048 },
  amount: { type: 'string', pattern: /^(0|[1-9][0-9]{0,77})$/ },
  payer: { type: 'string', maxLength: 2048 },
  payTo: { type: 'string', maxLength: 2048 },
  transaction: { type: 'string', maxLength: 2048 },
}, required: ['version', 'tier', 'seller', 'buyer', 'resource', 'network', 'asset', 'amount', 'payer', 'payTo', 'transaction'] }
export const ComplianceReceipt: Shape<z.output<typeof schema.ComplianceReceipt>> = { type: 'object', properties: {
  record: ComplianceRecord,
  digest: { type: 'string', pattern: /^[0-9a-f]{64}$/ },
}, required: ['record', 'digest'] }
