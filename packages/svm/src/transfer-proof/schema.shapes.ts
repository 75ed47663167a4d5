// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const TransferProofExtra: Shape<z.output<typeof schema.TransferProofExtra>> = { type: 'object', properties: {
  audience: { type: 'string' },
} }
export const TransferProofPayload: Shape<z.output<typeof schema.TransferProofPayload>> = { type: 'object', properties: {
  transaction: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{64,88}$/ },
  from: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  resource: { type: 'string' },
  validBefore: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  signature: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{64,88}$/ },
}, required: ['transaction', 'from', 'resource', 'validBefore', 'signature'] }
