import * as z from 'zod/mini'

/** What a seller announces under `groat-request-binding`. */
export const BindingTerms = z.looseObject({
  version: z.literal(1),
  required: z.boolean(),
})

/** What a payer puts there: with the salt, the seller computes the nonce that was signed. */
export const BindingInfo = z.looseObject({
  version: z.literal(1),
  required: z.boolean(),
  salt: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
})
