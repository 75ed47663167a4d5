// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const OfferPayload: Shape<z.output<typeof schema.OfferPayload>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  resourceUrl: { type: 'string', maxLength: 2048 },
  scheme: { type: 'string', maxLength: 2048 },
  network: { type: 'string', maxLength: 2048 },
  asset: { type: 'string', maxLength: 2048 },
  payTo: { type: 'string', maxLength: 2048 },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  validUntil: { type: 'number' },
}, required: ['version', 'resourceUrl', 'scheme', 'network', 'asset', 'payTo', 'amount'] }
export const SignedArtifact: Shape<z.output<typeof schema.SignedArtifact>> = { type: 'object', properties: {
  format: { type: 'string', pattern: /^(?:eip712|jws)$/ },
  payload: { type: 'object' },
  signature: { type: 'string', minLength: 1, maxLength: 8192 },
}, required: ['format', 'signature'] }
export const OfferReceiptInfo: Shape<z.output<typeof schema.OfferReceiptInfo>> = { type: 'object', properties: {
  offers: { maxItems: 32, type: 'array', items: SignedArtifact },
  receipt: SignedArtifact,
} }
export const ReceiptPayload: Shape<z.output<typeof schema.ReceiptPayload>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  network: { type: 'string', maxLength: 2048 },
  resourceUrl: { type: 'string', maxLength: 2048 },
  payer: { type: 'string', maxLength: 2048 },
  issuedAt: { type: 'number' },
  transaction: { type: 'string', maxLength: 2048 },
}, required: ['version', 'network', 'resourceUrl', 'payer', 'issuedAt'] }
