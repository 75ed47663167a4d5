// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const RefundReply: Shape<z.output<typeof schema.RefundReply>> = { type: 'object', properties: {
  status: { type: 'string', pattern: /^(?:executed|pending|denied)$/ },
  refundOf: { type: 'string' },
  amount: { type: 'string', pattern: /^[1-9][0-9]{0,77}$/ },
  transaction: { type: 'string' },
  code: { type: 'string' },
}, required: ['status'] }
export const RefundRequest: Shape<z.output<typeof schema.RefundRequest>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  network: { type: 'string', pattern: /^(?:eip155:[1-9][0-9]{0,15}|solana:[1-9A-HJ-NP-Za-km-z]{32})$/ },
  transaction: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{64}|[1-9A-HJ-NP-Za-km-z]{64,90})$/ },
  payer: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ },
  payTo: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ },
  asset: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ },
  amount: { type: 'string', pattern: /^[1-9][0-9]{0,77}$/ },
  reason: { type: 'string', pattern: /^(?:service_not_delivered|service_defective|duplicate_payment|overcharge|customer_request|other)$/ },
  refundTo: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ },
  idempotencyKey: { type: 'string', pattern: /^[a-zA-Z0-9_-]{16,128}$/ },
  audience: { type: 'string', pattern: /^https?:\/\/[!-~]{1,2000}$/ },
  issuedAt: { type: 'number', exclusiveMinimum: 0 },
  signature: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{2,8192}|[1-9A-HJ-NP-Za-km-z]{64,90})$/ },
}, required: ['version', 'network', 'transaction', 'payer', 'payTo', 'asset', 'amount', 'reason', 'refundTo', 'idempotencyKey', 'audience', 'issuedAt', 'signature'] }
export const RefundTerms: Shape<z.output<typeof schema.RefundTerms>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  endpoint: { type: 'string', pattern: /^https?:\/\/[!-~]{1,2000}$/ },
  windowSeconds: { type: 'number', exclusiveMinimum: 0 },
  partial: { type: 'boolean' },
  policyUrl: { type: 'string', pattern: /^https?:\/\/[!-~]{1,2000}$/ },
}, required: ['version', 'endpoint', 'windowSeconds', 'partial'] }
