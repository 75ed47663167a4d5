import * as z from 'zod/mini'

const Code = z.string().check(z.regex(/^[a-z0-9_]{1,32}$/))

/** Who had a part in a payment: the app `a`, the wallet `w`, and services `s`. */
export const BuilderCodes = z.looseObject({
  a: z.optional(Code),
  w: z.optional(Code),
  s: z.optional(z.array(Code).check(z.maxLength(10))),
})
