import { type Network, networkReference } from '@groat/core'

/**
 * The chain id of an EVM network, or `undefined` when its reference is not a plain decimal number below 2^53.
 *
 * @example
 * chainIdOf(network('base')) // 8453n
 */
export function chainIdOf(network: Network): bigint | undefined {
  const reference = networkReference(network)
  if (!network.startsWith('eip155:') || !/^[1-9][0-9]{0,15}$/.test(reference)) return undefined
  const id = BigInt(reference)
  return id <= BigInt(Number.MAX_SAFE_INTEGER) ? id : undefined
}
