import * as z from 'zod/mini'

/** One line: no control character and no separator of lines. */
const Line = z.string().check(z.regex(/^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{0,512}$/))
const Time = z
  .string()
  .check(z.regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$/))

/** What a server asks an account to sign. No member of it can begin a line of its own. */
export const SignInInfo = z.looseObject({
  domain: Line,
  uri: Line,
  version: z.literal('1'),
  nonce: z.string().check(z.regex(/^[a-zA-Z0-9]{8,128}$/)),
  issuedAt: Time,
  statement: z.optional(Line),
  expirationTime: z.optional(Time),
  notBefore: z.optional(Time),
  requestId: z.optional(Line),
  resources: z.optional(z.array(Line).check(z.maxLength(16))),
})

/** What the header `SIGN-IN-WITH-X` holds: what was asked for, who signed it, and the signature. */
export const SignInProof = z.looseObject({
  domain: Line,
  uri: Line,
  version: z.literal('1'),
  nonce: z.string().check(z.regex(/^[a-zA-Z0-9]{8,128}$/)),
  issuedAt: Time,
  statement: z.optional(Line),
  expirationTime: z.optional(Time),
  notBefore: z.optional(Time),
  requestId: z.optional(Line),
  resources: z.optional(z.array(Line).check(z.maxLength(16))),
  address: z.string().check(z.regex(/^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/)),
  chainId: z.string().check(z.regex(/^(?:eip155:[1-9][0-9]{0,15}|solana:[1-9A-HJ-NP-Za-km-z]{32})$/)),
  type: z.string().check(z.regex(/^(?:eip191|ed25519)$/)),
  signature: z.string().check(z.regex(/^(?:0x[0-9a-fA-F]{2,8192}|[1-9A-HJ-NP-Za-km-z]{64,90})$/)),
})
