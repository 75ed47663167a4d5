// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const AuthCapturePaymentInfo: Shape<z.output<typeof schema.AuthCapturePaymentInfo>> = { type: 'object', properties: {
  operator: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  payer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  receiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  maxAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  preApprovalExpiry: { type: 'number' },
  authorizationExpiry: { type: 'number' },
  refundExpiry: { type: 'number' },
  minFeeBps: { type: 'number' },
  maxFeeBps: { type: 'number' },
  feeReceiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  salt: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
}, required: ['operator', 'payer', 'receiver', 'token', 'maxAmount', 'preApprovalExpiry', 'authorizationExpiry', 'refundExpiry', 'minFeeBps', 'maxFeeBps', 'feeReceiver', 'salt'] }
export const AuthCaptureCapturePayload: Shape<z.output<typeof schema.AuthCaptureCapturePayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'capture' },
  paymentInfo: AuthCapturePaymentInfo,
  saltNonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  authorizerSignature: { type: 'string' },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeReceiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  expectedCapturableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  expectedRefundableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
}, required: ['type', 'paymentInfo', 'saltNonce', 'amount', 'feeAmount', 'feeReceiver', 'expectedCapturableAmount', 'expectedRefundableAmount'] }
export const AuthCaptureEip3009Payload: Shape<z.output<typeof schema.AuthCaptureEip3009Payload>> = { type: 'object', properties: {
  signature: { type: 'string' },
  authorization: { type: 'object', properties: {
    from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    to: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    value: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    validAfter: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    validBefore: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    nonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  }, required: ['from', 'to', 'value', 'validAfter', 'validBefore', 'nonce'] },
  salt: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  saltNonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeReceiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  authorizerSignature: { type: 'string' },
}, required: ['signature', 'authorization', 'salt'] }
export const AuthCaptureExtra: Shape<z.output<typeof schema.AuthCaptureExtra>> = { type: 'object', properties: {
  name: { type: 'string', minLength: 1 },
  version: { type: 'string', minLength: 1 },
  captureAuthorizer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  captureDeadline: { type: 'number' },
  refundDeadline: { type: 'number' },
  feeRecipient: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  minFeeBps: { type: 'number' },
  maxFeeBps: { type: 'number' },
  authCaptureEscrow: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  receiverAuthorizer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  policy: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  paymentFlow: { type: 'string' },
  captureMode: { type: 'string' },
  operatorType: { type: 'string' },
  assetTransferMethod: { type: 'string' },
}, required: ['name', 'version', 'captureAuthorizer', 'captureDeadline', 'refundDeadline', 'feeRecipient', 'minFeeBps', 'maxFeeBps'] }
export const AuthCapturePermit2Payload: Shape<z.output<typeof schema.AuthCapturePermit2Payload>> = { type: 'object', properties: {
  signature: { type: 'string' },
  permit2Authorization: { type: 'object', properties: {
    from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    permitted: { type: 'object', properties: {
      token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['token', 'amount'] },
    spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    deadline: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  }, required: ['from', 'permitted', 'spender', 'nonce', 'deadline'] },
  salt: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  saltNonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  feeReceiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  authorizerSignature: { type: 'string' },
}, required: ['signature', 'permit2Authorization', 'salt'] }
export const AuthCaptureRefundPayload: Shape<z.output<typeof schema.AuthCaptureRefundPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'refund' },
  paymentInfo: AuthCapturePaymentInfo,
  saltNonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  authorizerSignature: { type: 'string' },
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  expectedCapturableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  expectedRefundableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
}, required: ['type', 'paymentInfo', 'saltNonce', 'amount', 'expectedCapturableAmount', 'expectedRefundableAmount'] }
export const AuthCaptureVoidPayload: Shape<z.output<typeof schema.AuthCaptureVoidPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'void' },
  paymentInfo: AuthCapturePaymentInfo,
  saltNonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  authorizerSignature: { type: 'string' },
}, required: ['type', 'paymentInfo', 'saltNonce'] }
