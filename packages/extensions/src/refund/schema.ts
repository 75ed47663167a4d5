import * as z from 'zod/mini'

const Amount = z.string().check(z.regex(/^[1-9][0-9]{0,77}$/))
const Name = z.string().check(z.regex(/^[a-zA-Z0-9_-]{16,128}$/))
const Account = z.string().check(z.regex(/^(?:0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$/))
const Url = z.string().check(z.regex(/^https?:\/\/[!-~]{1,2000}$/))

/** What a seller announces under `groat-refund`. */
export const RefundTerms = z.looseObject({
  version: z.literal(1),
  endpoint: Url,
  windowSeconds: z.number().check(z.positive()),
  partial: z.boolean(),
  policyUrl: z.optional(Url),
})

/** What a payer sends to the endpoint. */
export const RefundRequest = z.looseObject({
  version: z.literal(1),
  network: z.string().check(z.regex(/^(?:eip155:[1-9][0-9]{0,15}|solana:[1-9A-HJ-NP-Za-km-z]{32})$/)),
  transaction: z.string().check(z.regex(/^(?:0x[0-9a-fA-F]{64}|[1-9A-HJ-NP-Za-km-z]{64,90})$/)),
  payer: Account,
  payTo: Account,
  asset: Account,
  amount: Amount,
  reason: z
    .string()
    .check(
      z.regex(/^(?:service_not_delivered|service_defective|duplicate_payment|overcharge|customer_request|other)$/),
    ),
  refundTo: Account,
  idempotencyKey: Name,
  audience: Url,
  issuedAt: z.number().check(z.positive()),
  signature: z.string().check(z.regex(/^(?:0x[0-9a-fA-F]{2,8192}|[1-9A-HJ-NP-Za-km-z]{64,90})$/)),
})

/** What the endpoint answers. */
export const RefundReply = z.looseObject({
  status: z.string().check(z.regex(/^(?:executed|pending|denied)$/)),
  refundOf: z.optional(z.string()),
  amount: z.optional(Amount),
  transaction: z.optional(z.string()),
  code: z.optional(z.string()),
})
