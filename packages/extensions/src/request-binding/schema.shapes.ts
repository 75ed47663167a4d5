// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const BindingInfo: Shape<z.output<typeof schema.BindingInfo>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  required: { type: 'boolean' },
  headers: { minItems: 1, maxItems: 16, type: 'array', items: { type: 'string', pattern: /^[a-z0-9-]{1,64}$/ } },
  salt: { type: 'string', pattern: /^[0-9a-f]{32}$/ },
}, required: ['version', 'required', 'salt'] }
export const BindingTerms: Shape<z.output<typeof schema.BindingTerms>> = { type: 'object', properties: {
  version: { type: 'number', const: 1 },
  required: { type: 'boolean' },
  headers: { minItems: 1, maxItems: 16, type: 'array', items: { type: 'string', pattern: /^[a-z0-9-]{1,64}$/ } },
}, required: ['version', 'required'] }
