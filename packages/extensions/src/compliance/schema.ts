import * as z from 'zod/mini'

const Country = z.string().check(z.regex(/^[A-Z]{2}$/))
const Line = z.string().check(z.regex(/^[ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]{1,128}$/))
const Text = z.string().check(z.maxLength(2048))

/** Who sells, in words of tax offices. */
export const SellerParty = z.looseObject({
  name: Line,
  country: Country,
  taxId: z.optional(Line),
})

/** What is said of a payer: nothing that names a person. */
export const PayerFields = z.looseObject({
  country: z.optional(Country),
  kind: z.optional(z.string().check(z.regex(/^(?:person|business)$/))),
  purpose: z.optional(z.string().check(z.regex(/^[a-z0-9_-]{1,64}$/))),
  recordDigest: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
})

/** What a seller announces under `groat-compliance`, and what a payer adds to it. */
export const ComplianceInfo = z.looseObject({
  version: z.literal(1),
  required: z.boolean(),
  asks: z.array(z.string().check(z.regex(/^(?:country|kind|purpose|recordDigest)$/))).check(z.maxLength(4)),
  seller: SellerParty,
  payer: z.optional(PayerFields),
})

/** What was sold to whom, as far as it can be told without naming a person. */
export const ComplianceRecord = z.looseObject({
  version: z.literal(1),
  tier: z.literal('minimal'),
  seller: SellerParty,
  buyer: PayerFields,
  resource: Text,
  network: Text,
  asset: Text,
  amount: z.string().check(z.regex(/^(0|[1-9][0-9]{0,77})$/)),
  payer: Text,
  payTo: Text,
  transaction: Text,
})

/** What a receipt holds under `groat-compliance`. */
export const ComplianceReceipt = z.looseObject({
  record: ComplianceRecord,
  digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
})
