import { defineExtension, type Fitting } from '@groat/core'
import * as shapes from './schema.shapes.js'

/** `builder-code`: who had a part in a payment, written behind the call that settles it (ERC-8021). It is attribution for statistics and proves nothing. */
export const builderCode = defineExtension({
  key: 'builder-code',
  info: shapes.BuilderCodes,
  grows: { s: 10 },
  owned: ['a'],
})

/** Codes of one payment. */
export type BuilderCodes = Pick<Fitting<typeof shapes.BuilderCodes>, 'a' | 'w' | 's'>

/** Whether text is a code: 1 to 32 of lower-case letters, digits and `_`. */
export const isCode = (text: unknown): text is string => typeof text === 'string' && /^[a-z0-9_]{1,32}$/.test(text)

/** Services that one side may name. */
export const MAX_SERVICES = 5

/** The `schema` that travels with it. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    a: { type: 'string', pattern: '^[a-z0-9_]{1,32}$' },
    w: { type: 'string', pattern: '^[a-z0-9_]{1,32}$' },
    s: { type: 'array', items: { type: 'string', pattern: '^[a-z0-9_]{1,32}$' }, maxItems: 11 },
  },
  additionalProperties: false,
} as const
