import * as z from 'zod/mini'

/** What a payer puts under `payment-identifier`: the name of one logical payment, which a retry repeats. */
export const IdentifierInfo = z.looseObject({
  required: z.boolean(),
  id: z.string().check(z.regex(/^[a-zA-Z0-9_-]{16,128}$/)),
})
