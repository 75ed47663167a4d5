import { type Network, type Pid, paymentId } from '@groat/core'
import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import { PERMIT2, UPTO_PERMIT2_PROXY } from '../permit2/contracts.js'
import { definePermit, type PermitTransfer } from '../permit2/signing.js'
import { uptoOnEvm } from './identity.js'

/** What a payer signs: a ceiling, whom it goes to, and who alone may take it. Every part in its one spelling. */
export type UptoAuthorization = {
  readonly from: Address
  readonly token: Address
  /** Atomic units: the ceiling. */
  readonly amount: bigint
  /** One of the payer's Permit2 nonces: 256 bits in no order. */
  readonly nonce: bigint
  /** Seconds since 1970; valid until and in this second. */
  readonly deadline: bigint
  readonly to: Address
  /** The only account that can settle it. */
  readonly facilitator: Address
  /** Seconds since 1970; valid from this second on. */
  readonly validAfter: bigint
}

/**
 * The identity of a payment (EVM-UPTO-050): Permit2 takes a nonce of a payer once, however the rest is spelled.
 *
 * @example
 * uptoId(network('base'), authorization)
 */
export function uptoId(network: Network, { from, nonce }: Pick<UptoAuthorization, 'from' | 'nonce'>): Pid {
  return paymentId([network, PERMIT2, from, nonce.toString(), uptoOnEvm.name])
}

/**
 * The digest that the payer signs (EVM-UPTO-020).
 *
 * @example
 * uptoDigest(engine, 84532n, authorization) // 32 bytes
 */
export function uptoDigest(engine: SigningEngine, chainId: bigint, authorization: UptoAuthorization): Uint8Array {
  return uptoPermit.digest(engine, chainId, transferOf(authorization), witnessOf(authorization))
}

/**
 * The same as typed data, for wallets that show what they sign.
 *
 * @example
 * await account.signTypedData(uptoTypedData(84532n, authorization))
 */
export function uptoTypedData(chainId: bigint, authorization: UptoAuthorization): TypedData {
  return uptoPermit.typedData(chainId, transferOf(authorization), witnessOf(authorization))
}

type UptoWitness = { readonly to: Address; readonly facilitator: Address; readonly validAfter: bigint }

const uptoPermit = definePermit<UptoWitness>({
  name: 'Witness',
  fields: [
    { name: 'to', type: 'address' },
    { name: 'facilitator', type: 'address' },
    { name: 'validAfter', type: 'uint256' },
  ],
})

const transferOf = ({ token, amount, nonce, deadline }: UptoAuthorization): PermitTransfer => ({
  token,
  amount,
  spender: UPTO_PERMIT2_PROXY,
  nonce,
  deadline,
})

const witnessOf = ({ to, facilitator, validAfter }: UptoAuthorization): UptoWitness => ({ to, facilitator, validAfter })
