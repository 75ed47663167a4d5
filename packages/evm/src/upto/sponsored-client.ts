import type { SchemeClient } from '@groat/core'
import { type AllowanceNodes, withAllowance } from '../sponsoring/paying.js'
import { type UptoEvmClientOptions, uptoEvm } from './client.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'
export type { AllowanceNodes } from '../sponsoring/paying.js'

/** What the payer's half needs. */
export type UptoEvmWithSponsoringOptions = UptoEvmClientOptions & {
  /**
   * Nodes to ask what Permit2 is allowed to take, by network. A payment that could not settle is then not signed, and where the seller announces gas
   * sponsoring, what Permit2 lacks is signed along: a permit of exactly the ceiling, or an approval. Without a node Permit2 is taken to be approved.
   */
  readonly rpc: AllowanceNodes
}

/**
 * Pays `upto` offers as `uptoEvm` does, also from accounts that never let Permit2 take the token. A module of its own, so that pages that do not need it do not
 * load it.
 *
 * Besides what `uptoEvm` refuses: `permit2_allowance_required`; a node that cannot be reached is thrown (`rpc_unreachable`, …).
 *
 * @example
 * const scheme = uptoEvmWithSponsoring({ account, rpc: { [network('base')]: 'https://mainnet.base.org' } })
 */
export function uptoEvmWithSponsoring({ rpc, ...options }: UptoEvmWithSponsoringOptions): SchemeClient {
  return withAllowance(uptoEvm(options), { ...options, rpc, through: ({ amount }) => amount })
}
