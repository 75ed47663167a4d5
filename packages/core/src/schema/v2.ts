import * as z from 'zod/mini'
import { AnyObject, AtomicAmount, absent, NetworkId, Seconds, Text } from './shared.js'

const PrintableTag = z.string().check(z.regex(/^[ -~]{1,32}$/))

/** What is sold. */
export const ResourceInfo = z.looseObject({
  url: Text,
  description: absent(z.string()),
  mimeType: absent(z.string()),
  serviceName: absent(PrintableTag),
  tags: absent(z.array(PrintableTag).check(z.maxLength(5))),
  iconUrl: absent(z.string().check(z.maxLength(2048))),
})

/** One offer; also what a payment echoes as `accepted`. */
export const PaymentRequirements = z.looseObject({
  scheme: Text,
  network: NetworkId,
  amount: AtomicAmount,
  asset: Text,
  payTo: Text,
  maxTimeoutSeconds: Seconds,
  extra: absent(AnyObject),
})

/** The challenge, in the `PAYMENT-REQUIRED` header. */
export const PaymentRequired = z.looseObject({
  x402Version: z.literal(2),
  error: absent(z.string()),
  resource: absent(ResourceInfo),
  accepts: z.array(PaymentRequirements).check(z.minLength(1)),
  extensions: absent(AnyObject),
})

/** What a client presents, in the `PAYMENT-SIGNATURE` header. */
export const PaymentPayload = z.looseObject({
  x402Version: z.literal(2),
  accepted: PaymentRequirements,
  payload: AnyObject,
  resource: absent(ResourceInfo),
  extensions: absent(AnyObject),
})

/** The body of `/verify`. */
export const VerifyRequest = z.looseObject({
  x402Version: z.literal(2),
  paymentPayload: PaymentPayload,
  paymentRequirements: PaymentRequirements,
})

/** The body of `/settle`. */
export const SettleRequest = VerifyRequest

/** The answer of `/verify`. */
export const VerifyResponse = z.looseObject({
  isValid: z.boolean(),
  invalidReason: absent(z.string()),
  invalidMessage: absent(z.string()),
  payer: absent(z.string()),
  extensions: absent(AnyObject),
  extra: absent(AnyObject),
})

/** The answer of `/settle`, and the receipt in the `PAYMENT-RESPONSE` header. */
export const SettleResponse = z.looseObject({
  success: z.boolean(),
  errorReason: absent(z.string()),
  errorMessage: absent(z.string()),
  payer: absent(z.string()),
  transaction: z.string(),
  network: z.string(),
  amount: absent(z.string()),
  extensions: absent(AnyObject),
  extra: absent(AnyObject),
})

/** One supported (version, scheme, network). */
export const SupportedKind = z.looseObject({
  x402Version: z.number(),
  scheme: Text,
  network: Text,
  extra: absent(AnyObject),
})

/** The answer of `/supported`, for every version. */
export const SupportedResponse = z.looseObject({
  kinds: z.array(SupportedKind),
  extensions: z.optional(z.array(z.string())),
  signers: z.optional(z.record(z.string(), z.array(z.string()))),
})
