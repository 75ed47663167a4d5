import { defineScheme } from '@groat/core'
import * as z from 'zod/mini'
import { exactOnSvm } from './identity.js'

/** The `payload` of a payment on Solana: the whole transaction, which only the fee payer has still to sign. */
export const SvmTransactionPayload = z.looseObject({
  transaction: z.string(),
})

const AddressText = z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/))

/** The `extra` of an offer on Solana: who pays the fee, and what helps to build the transaction. */
export const SvmExactExtra = z.looseObject({
  feePayer: AddressText,
  memo: z.optional(z.string().check(z.minLength(1), z.maxLength(256))),
  recentBlockhash: z.optional(AddressText),
  lastValidBlockHeight: z.optional(z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,19})$/))),
})

/** `exact` on Solana, as data. */
export const exactSvmScheme = defineScheme({ ...exactOnSvm, payload: SvmTransactionPayload, extra: SvmExactExtra })
