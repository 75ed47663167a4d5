import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { uptoOnSvm } from './identity.js'

const AddressText = z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/))
const Decimal = z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,19})$/))

/** A slot. The text of the scheme has a number, implementations send decimal text; both are read, text is sent. */
const Slot = z.union([Decimal, z.number()])

/** The `payload` of a payment by a channel: what is opened, and the transaction that opens it. */
export const UptoSvmPayload = z.looseObject({
  from: AddressText,
  maxAmount: AtomicAmount,
  deposit: AtomicAmount,
  expiresAt: z.number(),
  validAfter: z.number(),
  nonce: Decimal,
  openSlot: Slot,
  channelId: AddressText,
  authorizedSigner: AddressText,
  openTransaction: z.string(),
})

/** The `extra` of an offer that is paid by a channel. */
export const UptoSvmExtra = z.looseObject({
  feePayer: AddressText,
  receiverAuthorizer: AddressText,
  withdrawDelay: z.number(),
  tokenProgram: z.optional(AddressText),
  memo: z.optional(z.string().check(z.minLength(1), z.maxLength(256))),
  recentBlockhash: z.optional(AddressText),
  lastValidBlockHeight: z.optional(Decimal),
  recentSlot: z.optional(Slot),
  validAfter: z.optional(z.number()),
})

/** `upto` on Solana, as data. */
export const uptoSvmScheme = defineScheme({ ...uptoOnSvm, payload: UptoSvmPayload, extra: UptoSvmExtra })
