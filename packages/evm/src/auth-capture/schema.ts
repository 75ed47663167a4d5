import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { authCaptureOnEvm } from './identity.js'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))
const Word = z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/))

/** The `extra` of an offer whose money is held in escrow: who decides, until when, and for what fee. */
export const AuthCaptureExtra = z.looseObject({
  name: z.string().check(z.minLength(1)),
  version: z.string().check(z.minLength(1)),
  captureAuthorizer: AddressText,
  captureDeadline: z.number(),
  refundDeadline: z.number(),
  feeRecipient: AddressText,
  minFeeBps: z.number(),
  maxFeeBps: z.number(),
  authCaptureEscrow: z.optional(AddressText),
  receiverAuthorizer: z.optional(AddressText),
  policy: z.optional(AddressText),
  paymentFlow: z.optional(z.string()),
  captureMode: z.optional(z.string()),
  operatorType: z.optional(z.string()),
  assetTransferMethod: z.optional(z.string()),
})

/** What the seller adds to a payment that is paid out at once. */
const completion = {
  amount: z.optional(AtomicAmount),
  feeAmount: z.optional(AtomicAmount),
  feeReceiver: z.optional(AddressText),
  authorizerSignature: z.optional(z.string()),
}

/** The `payload` of a payment by EIP-3009. */
export const AuthCaptureEip3009Payload = z.looseObject({
  signature: z.string(),
  authorization: z.looseObject({
    from: AddressText,
    to: AddressText,
    value: AtomicAmount,
    validAfter: AtomicAmount,
    validBefore: AtomicAmount,
    nonce: Word,
  }),
  salt: Word,
  saltNonce: z.optional(Word),
  ...completion,
})

/** The `payload` of a payment by Permit2. */
export const AuthCapturePermit2Payload = z.looseObject({
  signature: z.string(),
  permit2Authorization: z.looseObject({
    from: AddressText,
    permitted: z.looseObject({ token: AddressText, amount: AtomicAmount }),
    spender: AddressText,
    nonce: AtomicAmount,
    deadline: AtomicAmount,
  }),
  salt: Word,
  saltNonce: z.optional(Word),
  ...completion,
})

/** The terms of a payment, as the escrow takes them. */
export const AuthCapturePaymentInfo = z.looseObject({
  operator: AddressText,
  payer: AddressText,
  receiver: AddressText,
  token: AddressText,
  maxAmount: AtomicAmount,
  preApprovalExpiry: z.number(),
  authorizationExpiry: z.number(),
  refundExpiry: z.number(),
  minFeeBps: z.number(),
  maxFeeBps: z.number(),
  feeReceiver: AddressText,
  salt: Word,
})

const about = { paymentInfo: AuthCapturePaymentInfo, saltNonce: Word, authorizerSignature: z.optional(z.string()) }
const balances = { expectedCapturableAmount: AtomicAmount, expectedRefundableAmount: AtomicAmount }

/** The `payload` with which a seller has money paid out that is held. */
export const AuthCaptureCapturePayload = z.looseObject({
  type: z.literal('capture'),
  ...about,
  amount: AtomicAmount,
  feeAmount: AtomicAmount,
  feeReceiver: AddressText,
  ...balances,
})

/** The `payload` with which a seller lets go of what is held. */
export const AuthCaptureVoidPayload = z.looseObject({ type: z.literal('void'), ...about })

/** The `payload` with which a seller gives back what was paid out. */
export const AuthCaptureRefundPayload = z.looseObject({
  type: z.literal('refund'),
  ...about,
  amount: AtomicAmount,
  ...balances,
})

/** `auth-capture` on EVM chains, as data. */
export const authCaptureEvmScheme = defineScheme({
  ...authCaptureOnEvm,
  payload: z.union([
    AuthCaptureEip3009Payload,
    AuthCapturePermit2Payload,
    AuthCaptureCapturePayload,
    AuthCaptureVoidPayload,
    AuthCaptureRefundPayload,
  ]),
  extra: AuthCaptureExtra,
})
