// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type * as z from 'zod/mini'
import type { Shape } from '../codec/check.js'
import type * as schema from './schema.js'

export const WebhookBody: Shape<z.output<typeof schema.WebhookBody>> = { type: 'object', properties: {
  type: { type: 'string', minLength: 1 },
  timestamp: { type: 'string', minLength: 1 },
  data: { type: 'object', properties: {
    pid: { type: 'string', minLength: 1 },
    sequence: { type: 'number' },
    network: { type: 'string', pattern: /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/ },
    scheme: { type: 'string', minLength: 1 },
    payer: { type: 'string', minLength: 1 },
    payTo: { type: 'string', minLength: 1 },
    asset: { type: 'string', minLength: 1 },
    amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    transaction: { type: 'string' },
    logIndex: { type: 'number' },
    code: { type: 'string' },
  }, required: ['pid', 'sequence', 'network', 'scheme', 'payer', 'payTo', 'asset', 'amount'] },
}, required: ['type', 'timestamp', 'data'] }
