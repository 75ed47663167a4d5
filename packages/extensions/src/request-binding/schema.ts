import * as z from 'zod/mini'

/** Headers that a payment is for as well. */
const Names = z.array(z.string().check(z.regex(/^[a-z0-9-]{1,64}$/))).check(z.minLength(1), z.maxLength(16))

/** What a seller announces under `groat-request-binding`. */
export const BindingTerms = z.looseObject({
  version: z.literal(1),
  required: z.boolean(),
  headers: z.optional(Names),
})

/** What a payer puts there: with the salt, the seller computes the nonce that was signed. */
export const BindingInfo = z.looseObject({
  version: z.literal(1),
  required: z.boolean(),
  headers: z.optional(Names),
  salt: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
})
