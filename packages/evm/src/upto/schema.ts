import { defineScheme } from '@groat/core'
import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'
import { uptoOnEvm } from './identity.js'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))

/** The `payload` of an `upto` payment by Permit2. What the signature's bytes mean is the payer's affair. */
export const UptoEvmPayload = z.looseObject({
  signature: z.string(),
  permit2Authorization: z.looseObject({
    from: AddressText,
    permitted: z.looseObject({ token: AddressText, amount: AtomicAmount }),
    spender: AddressText,
    nonce: AtomicAmount,
    deadline: AtomicAmount,
    witness: z.looseObject({ to: AddressText, facilitator: AddressText, validAfter: AtomicAmount }),
  }),
})

/** The `extra` of an offer that is paid by `upto`: who may settle, and the token's EIP-712 domain for those who sponsor gas. */
export const UptoEvmExtra = z.looseObject({
  facilitatorAddress: AddressText,
  name: z.optional(z.string()),
  version: z.optional(z.string()),
  assetTransferMethod: z.optional(z.literal('permit2')),
})

/** `upto` on EVM chains, as data. */
export const uptoEvmScheme = defineScheme({ ...uptoOnEvm, payload: UptoEvmPayload, extra: UptoEvmExtra })
