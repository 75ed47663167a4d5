import * as z from 'zod/mini'
import { AnyObject, AtomicAmount, absent, Seconds, Text } from './shared.js'

/** One offer. */
export const PaymentRequirements = z.looseObject({
  scheme: Text,
  network: Text,
  maxAmountRequired: AtomicAmount,
  resource: Text,
  description: z.string(),
  mimeType: z.optional(z.string()),
  outputSchema: absent(AnyObject),
  payTo: Text,
  maxTimeoutSeconds: Seconds,
  asset: Text,
  extra: absent(AnyObject),
})

/** The challenge, in the body of the 402. */
export const PaymentRequired = z.looseObject({
  x402Version: z.literal(1),
  error: z.optional(z.string()),
  accepts: z.array(PaymentRequirements).check(z.minLength(1)),
})

/** What a client presents, in the `X-PAYMENT` header. */
export const PaymentPayload = z.looseObject({
  x402Version: z.literal(1),
  scheme: Text,
  network: Text,
  payload: AnyObject,
})

/** The body of `/verify`. */
export const VerifyRequest = z.looseObject({
  x402Version: z.literal(1),
  paymentPayload: PaymentPayload,
  paymentRequirements: PaymentRequirements,
})

/** The body of `/settle`. */
export const SettleRequest = VerifyRequest

/** The answer of `/verify`. */
export const VerifyResponse = z.looseObject({
  isValid: z.boolean(),
  invalidReason: absent(z.string()),
  payer: absent(z.string()),
})

/** The answer of `/settle`, and the receipt in the `X-PAYMENT-RESPONSE` header. */
export const SettleResponse = z.looseObject({
  success: z.boolean(),
  errorReason: absent(z.string()),
  errorMessage: absent(z.string()),
  payer: absent(z.string()),
  transaction: z.string(),
  network: z.string(),
})
