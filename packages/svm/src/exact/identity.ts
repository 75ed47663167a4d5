import { type Network, type Pid, paymentId, sha256Hex } from '@groat/core'

/** The scheme's name and chains. */
export const exactOnSvm = { name: 'exact', family: 'solana' } as const

/**
 * The identity of a payment (SVM-EXACT-013): a chain takes a message once, whatever stands in the signature slots around it.
 *
 * @example
 * messageId(network('solana'), message)
 */
export function messageId(network: Network, message: Uint8Array): Pid {
  return paymentId([network, sha256Hex(message)])
}

/**
 * Seconds after which a message that could land just now can land no more: 150 blocks, when the chain is slow. Nothing in a
 * message says how old it is.
 */
export const MAX_LIFE_SECONDS = 120
