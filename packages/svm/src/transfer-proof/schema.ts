import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { transferProofOnSvm } from './proof.js'

const AddressText = z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{32,44}$/))
const SignatureText = z.string().check(z.regex(/^[1-9A-HJ-NP-Za-km-z]{64,88}$/))

/** The `payload` of a payment that was made before: a transfer that is on chain, and its sender's word on what it was for. */
export const TransferProofPayload = z.looseObject({
  transaction: SignatureText,
  from: AddressText,
  resource: z.string(),
  validBefore: AtomicAmount,
  signature: SignatureText,
})

/** The `extra` of an offer that is paid by a proof: whose claims it is good for. */
export const TransferProofExtra = z.looseObject({ audience: z.optional(z.string()) })

/** `transfer-proof` on Solana, as data. */
export const transferProofScheme = defineScheme({
  ...transferProofOnSvm,
  payload: TransferProofPayload,
  extra: TransferProofExtra,
})
