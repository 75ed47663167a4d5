import { type Network, type Pid, paymentId } from '@groat/core'
import type { TypedData } from '../account.js'
import type { Address } from '../address.js'
import type { SigningEngine } from '../crypto/signing.js'
import { type Authorization, defineAuthorization, type TokenDomain } from '../eip3009/signing.js'

/** The scheme's name and chains. */
export const exactOnEvm = { name: 'exact', family: 'eip155' } as const

export type { Authorization, TokenDomain } from '../eip3009/signing.js'

const transfer = defineAuthorization('TransferWithAuthorization')

/**
 * The identity of a payment (EVM-EXACT-068): a token takes a nonce of a payer once, however the rest is spelled.
 *
 * @example
 * authorizationId(network('base'), token, authorization)
 */
export function authorizationId(network: Network, token: Address, { from, nonce }: Authorization): Pid {
  return paymentId([network, token, from, nonce, exactOnEvm.name])
}

/**
 * The digest that the payer signs (EVM-EXACT-020, EVM-EXACT-021).
 *
 * @example
 * authorizationDigest(nobleEngine, domain, authorization) // 32 bytes
 */
export const authorizationDigest: (
  engine: SigningEngine,
  domain: TokenDomain,
  authorization: Authorization,
) => Uint8Array = transfer.digest

/**
 * The same as typed data, for wallets that show what they sign.
 *
 * @example
 * await account.signTypedData(authorizationTypedData(domain, authorization))
 */
export const authorizationTypedData: (domain: TokenDomain, authorization: Authorization) => TypedData =
  transfer.typedData
