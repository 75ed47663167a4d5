import { defineExtension } from '@groat/core'
import * as shapes from './schema.shapes.js'

/** `payment-identifier`: the payer names one logical payment, so that a retry of it is not a second one. */
export const paymentIdentifier = defineExtension({ key: 'payment-identifier', info: shapes.IdentifierInfo })

/** The `schema` that travels with it: that of a completed `info`. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    required: { type: 'boolean' },
    id: { type: 'string', minLength: 16, maxLength: 128, pattern: '^[a-zA-Z0-9_-]+$' },
  },
  required: ['required'],
} as const
