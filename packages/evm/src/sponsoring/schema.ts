import { AtomicAmount } from '@groat/core/schema'
import * as z from 'zod/mini'

const AddressText = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/))
const VersionText = z.string().check(z.regex(/^[0-9]+(?:\.[0-9]+)*$/))

/** What a payer puts under `eip2612GasSponsoring`: a permit (EIP-2612) that lets Permit2 take the amount. */
export const Eip2612Info = z.looseObject({
  from: AddressText,
  asset: AddressText,
  spender: AddressText,
  amount: AtomicAmount,
  nonce: AtomicAmount,
  deadline: AtomicAmount,
  signature: z.string().check(z.regex(/^0x[0-9a-fA-F]{130}$/)),
  version: VersionText,
})

/** What a payer puts under `erc20ApprovalGasSponsoring`: a signed transaction that approves Permit2, for somebody else to pay and send. */
export const Erc20ApprovalInfo = z.looseObject({
  from: AddressText,
  asset: AddressText,
  spender: AddressText,
  amount: AtomicAmount,
  signedTransaction: z.string().check(z.regex(/^0x(?:[0-9a-fA-F]{2})+$/)),
  version: VersionText,
})
