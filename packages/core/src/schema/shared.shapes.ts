// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type * as z from 'zod/mini'
import type { Shape } from '../codec/check.js'
import type * as schema from './shared.js'

export const AnyObject: Shape<z.output<typeof schema.AnyObject>> = { type: 'object' }
export const AtomicAmount: Shape<z.output<typeof schema.AtomicAmount>> = { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ }
export const ChallengeEnvelope: Shape<z.output<typeof schema.ChallengeEnvelope>> = { type: 'object', properties: {
  x402Version: { anyOf: [{ type: 'number', const: 1 }, { type: 'number', const: 2 }] },
  error: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  accepts: { minItems: 1, maxItems: 64, type: 'array' },
  extensions: { anyOf: [AnyObject, { type: 'null' }] },
}, required: ['x402Version', 'accepts'] }
export const NetworkId: Shape<z.output<typeof schema.NetworkId>> = { type: 'string', pattern: /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/ }
export const Seconds: Shape<z.output<typeof schema.Seconds>> = { type: 'number', exclusiveMinimum: 0 }
export const Text: Shape<z.output<typeof schema.Text>> = { type: 'string', minLength: 1 }
