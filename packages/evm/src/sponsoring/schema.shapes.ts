// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const Eip2612Info: Shape<z.output<typeof schema.Eip2612Info>> = { type: 'object', properties: {
  from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  asset: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  deadline: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  signature: { type: 'string', pattern: /^0x[0-9a-fA-F]{130}$/ },
  version: { type: 'string', pattern: /^[0-9]+(?:\.[0-9]+)*$/ },
}, required: ['from', 'asset', 'spender', 'amount', 'nonce', 'deadline', 'signature', 'version'] }
export const Erc20ApprovalInfo: Shape<z.output<typeof schema.Erc20ApprovalInfo>> = { type: 'object', properties: {
  from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  asset: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  signedTransaction: { type: 'string', pattern: /^0x(?:[0-9a-fA-F]{2})+$/ },
  version: { type: 'string', pattern: /^[0-9]+(?:\.[0-9]+)*$/ },
}, required: ['from', 'asset', 'spender', 'amount', 'signedTransaction', 'version'] }
