import { type Network, networkReference } from '@groat/core'

/**
 * Tells whether a network is a Solana chain: its reference is the beginning of a genesis hash, 32 characters of base58.
 *
 * @example
 * isSvmNetwork(network('solana')) // true
 */
export function isSvmNetwork(network: Network): boolean {
  return network.startsWith('solana:') && /^[1-9A-HJ-NP-Za-km-z]{32}$/.test(networkReference(network))
}
