// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const SvmExactExtra: Shape<z.output<typeof schema.SvmExactExtra>> = { type: 'object', properties: {
  feePayer: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  memo: { type: 'string', minLength: 1, maxLength: 256 },
  recentBlockhash: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  lastValidBlockHeight: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,19})$/ },
}, required: ['feePayer'] }
export const SvmTransactionPayload: Shape<z.output<typeof schema.SvmTransactionPayload>> = { type: 'object', properties: {
  transaction: { type: 'string' },
}, required: ['transaction'] }
