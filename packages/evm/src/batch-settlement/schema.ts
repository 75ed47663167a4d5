import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { batchOnEvm } from './identity.js'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))
const Word = z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/))

/** What makes a channel the one it is. */
export const BatchChannelConfig = z.looseObject({
  payer: AddressText,
  payerAuthorizer: AddressText,
  receiver: AddressText,
  receiverAuthorizer: AddressText,
  token: AddressText,
  withdrawDelay: z.number(),
  salt: Word,
})

/** How much of a channel may be claimed, in all. */
export const BatchVoucher = z.looseObject({ channelId: Word, maxClaimableAmount: AtomicAmount, signature: z.string() })

/** The `payload` of a payment out of a channel. */
export const BatchVoucherPayload = z.looseObject({
  type: z.literal('voucher'),
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
})

/** The `payload` of a payment that fills its channel too. */
export const BatchDepositPayload = z.looseObject({
  type: z.literal('deposit'),
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
  deposit: z.looseObject({
    amount: AtomicAmount,
    authorization: z.looseObject({
      erc3009Authorization: z.optional(
        z.looseObject({ validAfter: AtomicAmount, validBefore: AtomicAmount, salt: Word, signature: z.string() }),
      ),
      permit2Authorization: z.optional(
        z.looseObject({
          from: AddressText,
          permitted: z.looseObject({ token: AddressText, amount: AtomicAmount }),
          spender: AddressText,
          nonce: AtomicAmount,
          deadline: AtomicAmount,
          witness: z.looseObject({ channelId: Word }),
          signature: z.string(),
        }),
      ),
    }),
  }),
})

/** The rows of a claim. */
const Rows = z.array(
  z.looseObject({
    voucher: z.looseObject({ channel: BatchChannelConfig, maxClaimableAmount: AtomicAmount }),
    signature: z.string(),
    totalClaimed: AtomicAmount,
  }),
)

/** What a seller has claimed: rows, and the word of their authorizer. */
export const BatchClaimPayload = z.looseObject({
  type: z.literal('claim'),
  claims: Rows,
  claimAuthorizerSignature: z.optional(z.string()),
})

/** What a seller has sent to it: all that was claimed in a token. */
export const BatchSettlePayload = z.looseObject({
  type: z.literal('settle'),
  receiver: AddressText,
  token: AddressText,
})

/** What a seller gives back, after what it has earned. */
export const BatchRefundPayload = z.looseObject({
  type: z.literal('refund'),
  channelConfig: BatchChannelConfig,
  voucher: BatchVoucher,
  amount: z.optional(AtomicAmount),
  refundNonce: z.optional(AtomicAmount),
  claims: z.optional(Rows),
  refundAuthorizerSignature: z.optional(z.string()),
  claimAuthorizerSignature: z.optional(z.string()),
})

/** The `extra` of an offer that is paid out of a channel. */
export const BatchEvmExtra = z.looseObject({
  receiverAuthorizer: AddressText,
  withdrawDelay: z.number(),
  name: z.optional(z.string()),
  version: z.optional(z.string()),
  assetTransferMethod: z.optional(z.string()),
  minDeposit: z.optional(AtomicAmount),
})

/** `batch-settlement` on EVM chains, as data. */
export const batchEvmScheme = defineScheme({
  ...batchOnEvm,
  payload: z.union([BatchVoucherPayload, BatchDepositPayload]),
  extra: BatchEvmExtra,
})
