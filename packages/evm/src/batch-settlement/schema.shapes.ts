// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const BatchChannelConfig: Shape<z.output<typeof schema.BatchChannelConfig>> = { type: 'object', properties: {
  payer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  payerAuthorizer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  receiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  receiverAuthorizer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  withdrawDelay: { type: 'number' },
  salt: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
}, required: ['payer', 'payerAuthorizer', 'receiver', 'receiverAuthorizer', 'token', 'withdrawDelay', 'salt'] }
export const BatchClaimPayload: Shape<z.output<typeof schema.BatchClaimPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'claim' },
  claims: { type: 'array', items: { type: 'object', properties: {
    voucher: { type: 'object', properties: {
      channel: BatchChannelConfig,
      maxClaimableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['channel', 'maxClaimableAmount'] },
    signature: { type: 'string' },
    totalClaimed: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  }, required: ['voucher', 'signature', 'totalClaimed'] } },
  claimAuthorizerSignature: { type: 'string' },
}, required: ['type', 'claims'] }
export const BatchVoucher: Shape<z.output<typeof schema.BatchVoucher>> = { type: 'object', properties: {
  channelId: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  maxClaimableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  signature: { type: 'string' },
}, required: ['channelId', 'maxClaimableAmount', 'signature'] }
export const BatchDepositPayload: Shape<z.output<typeof schema.BatchDepositPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'deposit' },
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
  deposit: { type: 'object', properties: {
    amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    authorization: { type: 'object', properties: {
      erc3009Authorization: { type: 'object', properties: {
        validAfter: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
        validBefore: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
        salt: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
        signature: { type: 'string' },
      }, required: ['validAfter', 'validBefore', 'salt', 'signature'] },
      permit2Authorization: { type: 'object', properties: {
        from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
        permitted: { type: 'object', properties: {
          token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
          amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
        }, required: ['token', 'amount'] },
        spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
        nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
        deadline: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
        witness: { type: 'object', properties: {
          channelId: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
        }, required: ['channelId'] },
        signature: { type: 'string' },
      }, required: ['from', 'permitted', 'spender', 'nonce', 'deadline', 'witness', 'signature'] },
    } },
  }, required: ['amount', 'authorization'] },
}, required: ['type', 'channelConfig', 'voucher', 'deposit'] }
export const BatchEvmExtra: Shape<z.output<typeof schema.BatchEvmExtra>> = { type: 'object', properties: {
  receiverAuthorizer: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  withdrawDelay: { type: 'number' },
  name: { type: 'string' },
  version: { type: 'string' },
  assetTransferMethod: { type: 'string' },
  minDeposit: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
}, required: ['receiverAuthorizer', 'withdrawDelay'] }
export const BatchRefundPayload: Shape<z.output<typeof schema.BatchRefundPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'refund' },
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
  amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  refundNonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  claims: { type: 'array', items: { type: 'object', properties: {
    voucher: { type: 'object', properties: {
      channel: BatchChannelConfig,
      maxClaimableAmount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['channel', 'maxClaimableAmount'] },
    signature: { type: 'string' },
    totalClaimed: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
  }, required: ['voucher', 'signature', 'totalClaimed'] } },
  refundAuthorizerSignature: { type: 'string' },
  claimAuthorizerSignature: { type: 'string' },
}, required: ['type', 'channelConfig', 'voucher'] }
export const BatchSettlePayload: Shape<z.output<typeof schema.BatchSettlePayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'settle' },
  receiver: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
}, required: ['type', 'receiver', 'token'] }
export const BatchVoucherPayload: Shape<z.output<typeof schema.BatchVoucherPayload>> = { type: 'object', properties: {
  type: { type: 'string', const: 'voucher' },
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
}, required: ['type', 'channelConfig', 'voucher'] }
