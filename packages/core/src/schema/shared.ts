import * as z from 'zod/mini'

// The publishable subset: loose objects, regular expressions without flags, no refinement, transform or default.
// What a JSON Schema cannot say is checked one step later, in `codec/`.

/** Atomic units as text. */
export const AtomicAmount = z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,77})$/))

/** A CAIP-2 network id. */
export const NetworkId = z.string().check(z.regex(/^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/))

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
