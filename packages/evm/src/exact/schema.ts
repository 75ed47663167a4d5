import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { exactOnEvm } from './eip3009.js'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))

/** The `payload` of a payment by EIP-3009. What the signature's bytes mean is the payer's affair. */
export const Eip3009Payload = z.looseObject({
  signature: z.string(),
  authorization: z.looseObject({
    from: AddressText,
    to: AddressText,
    value: AtomicAmount,
    validAfter: AtomicAmount,
    validBefore: AtomicAmount,
    nonce: z.string().check(z.regex(/^0x[0-9a-fA-F]{64}$/)),
  }),
})

/** The `extra` of an offer that is paid by EIP-3009: the token's EIP-712 domain. */
export const Eip3009Extra = z.looseObject({
  name: z.string().check(z.minLength(1)),
  version: z.string().check(z.minLength(1)),
  assetTransferMethod: z.optional(z.literal('eip3009')),
})

/** `exact` on EVM chains, as data. */
export const exactEvmScheme = defineScheme({ ...exactOnEvm, payload: Eip3009Payload, extra: Eip3009Extra })
