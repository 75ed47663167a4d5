import { v1, v2 } from '@groat/core/schema'
import * as z from 'zod/mini'

// What payments look like on transports without headers: the same objects, under keys of their own.

const Required = z.union([v2.PaymentRequired, v1.PaymentRequired])
const Payment = z.union([v2.PaymentPayload, v1.PaymentPayload])
const Receipt = z.union([v2.SettleResponse, v1.SettleResponse])

/** `_meta` of a call that is paid for. */
export const McpCallMeta = z.looseObject({ 'x402/payment': Payment })

/** `_meta` of a result that was paid for. */
export const McpResultMeta = z.looseObject({ 'x402/payment-response': Receipt })

/** The result of a call that has to be paid for. */
export const McpPaymentRequired = z.looseObject({
  isError: z.literal(true),
  structuredContent: Required,
  content: z.array(z.looseObject({ type: z.literal('text'), text: z.string() })).check(z.minLength(1)),
})

/** The error of a read that has to be paid for. */
export const McpPaymentError = z.looseObject({ code: z.literal(-32042), message: z.string(), data: Required })

/** Metadata of the status of a task that waits for a payment. */
export const A2aRequired = z.looseObject({
  'x402.payment.status': z.literal('payment-required'),
  'x402.payment.required': Required,
})

/** Metadata of a message that pays. */
export const A2aSubmitted = z.looseObject({
  'x402.payment.status': z.literal('payment-submitted'),
  'x402.payment.payload': Payment,
})

/** Metadata of the status of a task that was paid for. */
export const A2aCompleted = z.looseObject({
  'x402.payment.status': z.literal('payment-completed'),
  'x402.payment.receipts': z.array(Receipt).check(z.minLength(1)),
})

/** Metadata of the status of a task whose payment failed. */
export const A2aFailed = z.looseObject({
  'x402.payment.status': z.literal('payment-failed'),
  'x402.payment.error': z
    .string()
    .check(
      z.regex(
        /^(?:INSUFFICIENT_FUNDS|INVALID_SIGNATURE|EXPIRED_PAYMENT|DUPLICATE_NONCE|NETWORK_MISMATCH|INVALID_AMOUNT|SETTLEMENT_FAILED)$/,
      ),
    ),
})
