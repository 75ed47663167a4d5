// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const IdentifierInfo: Shape<z.output<typeof schema.IdentifierInfo>> = { type: 'object', properties: {
  required: { type: 'boolean' },
  id: { type: 'string', pattern: /^[a-zA-Z0-9_-]{16,128}$/ },
}, required: ['required', 'id'] }
