// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const UptoEvmExtra: Shape<z.output<typeof schema.UptoEvmExtra>> = { type: 'object', properties: {
  facilitatorAddress: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  name: { type: 'string' },
  version: { type: 'string' },
  assetTransferMethod: { type: 'string', const: 'permit2' },
}, required: ['facilitatorAddress'] }
export const UptoEvmPayload: Shape<z.output<typeof schema.UptoEvmPayload>> = { type: 'object', properties: {
  signature: { type: 'string' },
  permit2Authorization: { type: 'object', properties: {
    from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    permitted: { type: 'object', properties: {
      token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['token', 'amount'] },
    spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    deadline: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    witness: { type: 'object', properties: {
      to: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      facilitator: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      validAfter: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['to', 'facilitator', 'validAfter'] },
  }, required: ['from', 'permitted', 'spender', 'nonce', 'deadline', 'witness'] },
}, required: ['signature', 'permit2Authorization'] }
