import * as z from 'zod/mini'
import { ATOMIC_PATTERN } from '../model/money.js'
import { CAIP2_PATTERN } from '../model/network.js'

// The publishable subset: loose objects, regular expressions without flags, no refinement, transform or default.
// What a JSON Schema cannot say is checked one step later, in `codec/`.

/** Atomic units as text. */
export const AtomicAmount = z.string().check(z.regex(ATOMIC_PATTERN))

/** A CAIP-2 network id. */
export const NetworkId = z.string().check(z.regex(CAIP2_PATTERN))

/** Text with at least one character. */
export const Text = z.string().check(z.minLength(1))

/** A positive number of seconds. */
export const Seconds = z.number().check(z.gt(0))

/** An object of which nothing is known but that it is one. */
export const AnyObject = z.looseObject({})

/** Absent, or null as practice tolerates it. */
export function absent<T extends z.core.SomeType>(schema: T): z.ZodMiniOptional<z.ZodMiniNullable<T>> {
  return z.optional(z.nullable(schema))
}

/** A challenge of either version whose offers and resource are read one by one, so that a bad one does not hide the others. */
export const ChallengeEnvelope = z.looseObject({
  x402Version: z.union([z.literal(1), z.literal(2)]),
  error: absent(z.string()),
  accepts: z.array(z.unknown()).check(z.minLength(1), z.maxLength(64)),
  extensions: absent(AnyObject),
})
