import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { transferProofOnEvm } from './proof.js'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))
const HashText = z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/))

/** The `payload` of a payment that was made before: a transfer that is on chain, and its sender's word on what it was for. */
export const TransferProofPayload = z.looseObject({
  transaction: HashText,
  from: AddressText,
  resource: z.string(),
  validBefore: AtomicAmount,
  signature: z.string(),
})

/** The `extra` of an offer that is paid by a proof: whose claims it is good for. */
export const TransferProofExtra = z.looseObject({ audience: z.optional(z.string()) })

/** `transfer-proof` on EVM chains, as data. */
export const transferProofScheme = defineScheme({
  ...transferProofOnEvm,
  payload: TransferProofPayload,
  extra: TransferProofExtra,
})
