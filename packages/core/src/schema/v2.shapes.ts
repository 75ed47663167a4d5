// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type * as z from 'zod/mini'
import type { Shape } from '../codec/check.js'
import * as shared from './shared.shapes.js'
import type * as schema from './v2.js'

export const PaymentRequirements: Shape<z.output<typeof schema.PaymentRequirements>> = { type: 'object', properties: {
  scheme: shared.Text,
  network: shared.NetworkId,
  amount: shared.AtomicAmount,
  asset: shared.Text,
  payTo: shared.Text,
  maxTimeoutSeconds: shared.Seconds,
  extra: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['scheme', 'network', 'amount', 'asset', 'payTo', 'maxTimeoutSeconds'] }
export const ResourceInfo: Shape<z.output<typeof schema.ResourceInfo>> = { type: 'object', properties: {
  url: shared.Text,
  description: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  mimeType: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  serviceName: { anyOf: [{ type: 'string', pattern: /^[ -~]{1,32}$/ }, { type: 'null' }] },
  tags: { anyOf: [{ maxItems: 5, type: 'array', items: { type: 'string', pattern: /^[ -~]{1,32}$/ } }, { type: 'null' }] },
  iconUrl: { anyOf: [{ type: 'string', maxLength: 2048 }, { type: 'null' }] },
}, required: ['url'] }
export const PaymentPayload: Shape<z.output<typeof schema.PaymentPayload>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 2 },
  accepted: PaymentRequirements,
  payload: shared.AnyObject,
  resource: { anyOf: [ResourceInfo, { type: 'null' }] },
  extensions: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['x402Version', 'accepted', 'payload'] }
export const PaymentRequired: Shape<z.output<typeof schema.PaymentRequired>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 2 },
  error: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  resource: { anyOf: [ResourceInfo, { type: 'null' }] },
  accepts: { minItems: 1, type: 'array', items: PaymentRequirements },
  extensions: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['x402Version', 'accepts'] }
export const SettleRequest: Shape<z.output<typeof schema.SettleRequest>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 2 },
  paymentPayload: PaymentPayload,
  paymentRequirements: PaymentRequirements,
}, required: ['x402Version', 'paymentPayload', 'paymentRequirements'] }
export const SettleResponse: Shape<z.output<typeof schema.SettleResponse>> = { type: 'object', properties: {
  success: { type: 'boolean' },
  errorReason: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  errorMessage: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  payer: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  transaction: { type: 'string' },
  network: { type: 'string' },
  amount: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  extensions: { anyOf: [shared.AnyObject, { type: 'null' }] },
  extra: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['success', 'transaction', 'network'] }
export const SupportedKind: Shape<z.output<typeof schema.SupportedKind>> = { type: 'object', properties: {
  x402Version: { type: 'number' },
  scheme: shared.Text,
  network: shared.Text,
  extra: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['x402Version', 'scheme', 'network'] }
export const SupportedResponse: Shape<z.output<typeof schema.SupportedResponse>> = { type: 'object', properties: {
  kinds: { type: 'array', items: SupportedKind },
  extensions: { type: 'array', items: { type: 'string' } },
  signers: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
}, required: ['kinds'] }
export const VerifyRequest: Shape<z.output<typeof schema.VerifyRequest>> = SettleRequest
export const VerifyResponse: Shape<z.output<typeof schema.VerifyResponse>> = { type: 'object', properties: {
  isValid: { type: 'boolean' },
  invalidReason: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  invalidMessage: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  payer: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  extensions: { anyOf: [shared.AnyObject, { type: 'null' }] },
  extra: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['isValid'] }
