// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const SignInInfo: Shape<z.output<typeof schema.SignInInfo>> = { type: 'object', properties: {
  domain: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  uri: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  version: { type: 'string', const: '1' },
  nonce: { type: 'string', pattern: /^[a-zA-Z0-9]{8,128}$/ },
  issuedAt: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  statement: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  expirationTime: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  notBefore: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  requestId: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  resources: { maxItems: 16, type: 'array', items: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ } },
}, required: ['domain', 'uri', 'version', 'nonce', 'issuedAt'] }
export const SignInProof: Shape<z.output<typeof schema.SignInProof>> = { type: 'object', properties: {
  domain: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  uri: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  version: { type: 'string', const: '1' },
  nonce: { type: 'string', pattern: /^[a-zA-Z0-9]{8,128}$/ },
  issuedAt: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  statement: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  expirationTime: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  notBefore: { type: 'string', pattern: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/ },
  requestId: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ },
  resources: { maxItems: 16, type: 'array', items: { type: 'string', pattern: /^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/ } },
  address: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/ },
  chainId: { type: 'string', pattern: /^(?:eip155:[1-9][0-9]{0,15}|solana:[1-9A-HJ-NP-Za-km-z]{32})$/ },
  type: { type: 'string', pattern: /^(?:eip191|ed25519)$/ },
  signature: { type: 'string', pattern: /^(?:0x[0-9a-fA-F]{2,8192}|[1-9A-HJ-NP-Za-km-z]{64,90})$/ },
}, required: ['domain', 'uri', 'version', 'nonce', 'issuedAt', 'address', 'chainId', 'type', 'signature'] }
