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

/** The `payload` of a payment by Permit2. */
export const Permit2Payload = z.looseObject({
  signature: z.string(),
  permit2Authorization: z.looseObject({
    from: AddressText,
    permitted: z.looseObject({ token: AddressText, amount: AtomicAmount }),
    spender: AddressText,
    nonce: AtomicAmount,
    deadline: AtomicAmount,
    witness: z.looseObject({ to: AddressText, validAfter: AtomicAmount }),
  }),
})

/** The `extra` of an offer that is paid by Permit2: the method, and the token's EIP-712 domain where it understands EIP-2612. */
export const Permit2Extra = z.looseObject({
  assetTransferMethod: z.literal('permit2'),
  name: z.optional(z.string().check(z.minLength(1))),
  version: z.optional(z.string().check(z.minLength(1))),
})

/** The `payload` of a payment by ERC-7710: a permission to move the delegator's money, in the form of its manager. */
export const Erc7710Payload = z.looseObject({
  delegationManager: AddressText,
  permissionContext: z.string().check(z.regex(/^0x(?:[0-9a-fA-F]{2})+$/)),
  delegator: AddressText,
})

/** The `extra` of an offer that is paid by ERC-7710: the method, who may redeem, and through which managers. */
export const Erc7710Extra = z.looseObject({
  assetTransferMethod: z.literal('erc7710'),
  facilitators: z.optional(z.array(AddressText)),
  delegationManagers: z.optional(z.array(AddressText)),
  name: z.optional(z.string().check(z.minLength(1))),
  version: z.optional(z.string().check(z.minLength(1))),
})

/** `exact` on EVM chains, as data. */
export const exactEvmScheme = defineScheme({
  ...exactOnEvm,
  payload: z.union([Eip3009Payload, Permit2Payload, Erc7710Payload]),
  extra: z.union([Eip3009Extra, Permit2Extra, Erc7710Extra]),
})
