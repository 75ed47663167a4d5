// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const UptoSvmExtra: Shape<z.output<typeof schema.UptoSvmExtra>> = { type: 'object', properties: {
  feePayer: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  receiverAuthorizer: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  withdrawDelay: { type: 'number' },
  tokenProgram: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  memo: { type: 'string', minLength: 1, maxLength: 256 },
  recentBlockhash: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  lastValidBlockHeight: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,19})$/ },
  recentSlot: { anyOf: [{ type: 'string', pattern: /^(?:0|[1-9][0-9]{0,19})$/ }, { type: 'number' }] },
  validAfter: { type: 'number' },
}, required: ['feePayer', 'receiverAuthorizer', 'withdrawDelay'] }
export const UptoSvmPayload: Shape<z.output<typeof schema.UptoSvmPayload>> = { type: 'object', properties: {
  from: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  maxAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  deposit: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  expiresAt: { type: 'number' },
  validAfter: { type: 'number' },
  nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,19})$/ },
  openSlot: { anyOf: [{ type: 'string', pattern: /^(?:0|[1-9][0-9]{0,19})$/ }, { type: 'number' }] },
  channelId: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  authorizedSigner: { type: 'string', pattern: /^[1-9A-HJ-NP-Za-km-z]{32,44}$/ },
  openTransaction: { type: 'string' },
}, required: ['from', 'maxAmount', 'deposit', 'expiresAt', 'validAfter', 'nonce', 'openSlot', 'channelId', 'authorizedSigner', 'openTransaction'] }
