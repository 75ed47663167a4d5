import * as z from 'zod/mini'

const Text = z.string().check(z.maxLength(2048))
const Seconds = z.number()

/** What a signed offer says. */
export const OfferPayload = z.looseObject({
  version: z.literal(1),
  resourceUrl: Text,
  scheme: Text,
  network: Text,
  asset: Text,
  payTo: Text,
  amount: z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,77})$/)),
  validUntil: z.optional(Seconds),
})

/** What a signed receipt says. */
export const ReceiptPayload = z.looseObject({
  version: z.literal(1),
  network: Text,
  resourceUrl: Text,
  payer: Text,
  issuedAt: Seconds,
  transaction: z.optional(Text),
})

/** An offer or a receipt with its signature: a compact JWS, or EIP-712 beside what was signed. */
export const SignedArtifact = z.looseObject({
  format: z.string().check(z.regex(/^(?:eip712|jws)$/)),
  payload: z.optional(z.looseObject({})),
  signature: z.string().check(z.minLength(1), z.maxLength(8192)),
})

/** What a challenge or a receipt holds under `offer-receipt`. */
export const OfferReceiptInfo = z.looseObject({
  offers: z.optional(z.array(SignedArtifact).check(z.maxLength(32))),
  receipt: z.optional(SignedArtifact),
})
