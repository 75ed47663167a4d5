import * as z from 'zod/mini'
import { type Decoded, refuse } from '../model/outcome.js'

/**
 * A value checked against a wire schema. Refuses `invalid_payload` and names the first field that is wrong.
 *
 * @example
 * checkFields(v2.PaymentPayload, value)
 */
export function checkFields<T extends z.core.$ZodType>(schema: T, value: unknown): Decoded<z.output<T>> {
  const result = z.safeParse(schema, value)
  if (result.success) return { ok: true, value: result.data }
  const path = result.error.issues[0]?.path.map(String).join('.') ?? ''
  return refuse(
    'invalid_payload',
    path === '' ? 'not the expected object' : `${path.slice(0, 80)} is missing or malformed`,
  )
}
