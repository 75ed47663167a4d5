import { X402Error } from '../errors/x402-error.js'
import { findRepeated } from '../model/address.js'
import type { Network } from '../model/network.js'

/**
 * A signer is one line of transactions: two lines under one name would sign against each other.
 * Throws `X402Error` `invalid_config`, which names the network and the `signer`, where one stands there twice.
 *
 * @example
 * assertSignersDiffer(network, ['0xab', '0xAB']) // throws
 */
export function assertSignersDiffer(network: Network, signers: readonly string[]): void {
  const repeated = findRepeated(signers)
  if (repeated === undefined) return
  throw new X402Error('invalid_config', {
    network,
    problem: 'a signer stands there twice',
    signer: signers[repeated.again],
  })
}
