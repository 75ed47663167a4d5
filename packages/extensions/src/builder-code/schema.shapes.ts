// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const BuilderCodes: Shape<z.output<typeof schema.BuilderCodes>> = { type: 'object', properties: {
  a: { type: 'string', pattern: /^[a-z0-9_]{1,32}$/ },
  w: { type: 'string', pattern: /^[a-z0-9_]{1,32}$/ },
  s: { maxItems: 10, type: 'array', items: { type: 'string', pattern: /^[a-z0-9_]{1,32}$/ } },
} }
