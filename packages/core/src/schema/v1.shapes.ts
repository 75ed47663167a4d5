// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type * as z from 'zod/mini'
import type { Shape } from '../codec/check.js'
import * as shared from './shared.shapes.js'
import type * as schema from './v1.js'

export const PaymentPayload: Shape<z.output<typeof schema.PaymentPayload>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 1 },
  scheme: shared.Text,
  network: shared.Text,
  payload: shared.AnyObject,
}, required: ['x402Version', 'scheme', 'network', 'payload'] }
export const PaymentRequirements: Shape<z.output<typeof schema.PaymentRequirements>> = { type: 'object', properties: {
  scheme: shared.Text,
  network: shared.Text,
  maxAmountRequired: shared.AtomicAmount,
  resource: shared.Text,
  description: { type: 'string' },
  mimeType: { type: 'string' },
  outputSchema: { anyOf: [shared.AnyObject, { type: 'null' }] },
  payTo: shared.Text,
  maxTimeoutSeconds: shared.Seconds,
  asset: shared.Text,
  extra: { anyOf: [shared.AnyObject, { type: 'null' }] },
}, required: ['scheme', 'network', 'maxAmountRequired', 'resource', 'description', 'payTo', 'maxTimeoutSeconds', 'asset'] }
export const PaymentRequired: Shape<z.output<typeof schema.PaymentRequired>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 1 },
  error: { type: 'string' },
  accepts: { minItems: 1, type: 'array', items: PaymentRequirements },
}, required: ['x402Version', 'accepts'] }
export const SettleRequest: Shape<z.output<typeof schema.SettleRequest>> = { type: 'object', properties: {
  x402Version: { type: 'number', const: 1 },
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
}, required: ['success', 'transaction', 'network'] }
export const VerifyRequest: Shape<z.output<typeof schema.VerifyRequest>> = SettleRequest
export const VerifyResponse: Shape<z.output<typeof schema.VerifyResponse>> = { type: 'object', properties: {
  isValid: { type: 'boolean' },
  invalidReason: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  payer: { anyOf: [{ type: 'string' }, { type: 'null' }] },
}, required: ['isValid'] }
