import { type Clock, type ErrorCode, type SignedTransaction, X402Error } from '@groat/core'
import type { EvmCall, EvmChain } from './chain.js'
import type { Hex } from './hex.js'
import type { Receipt } from './rpc.js'

/** How long a transaction is waited for, and what it is called when it fails. */
export type SendingOptions = { readonly waitMs: number; readonly clock: Clock; readonly failed: ErrorCode }

/**
 * Sends a call from the chain's first signer and waits for its receipt.
 * Throws `X402Error` `invalid_config` without a signer, what the node rejects, and `failed` for what reverts or is not in a block in time.
 */
export async function sendCall(chain: EvmChain, call: EvmCall, options: SendingOptions): Promise<Receipt> {
  const [signer] = chain.signers
  if (signer === undefined || chain.nextNonce === undefined)
    throw new X402Error('invalid_config', { missing: 'signer' })
  return sendSigned(chain, await chain.sign(call, { signer, nonce: await chain.nextNonce(signer) }), options)
}

/**
 * Sends a transaction and waits for its receipt.
 * Throws `X402Error`: what the node rejects, and `failed` for what reverts or is not in a block in time.
 */
export async function sendSigned(
  chain: EvmChain,
  transaction: SignedTransaction,
  { waitMs, clock, failed }: SendingOptions,
): Promise<Receipt> {
  const said = await chain.send(transaction)
  if (said.status === 'rejected') throw new X402Error(said.code, { network: chain.network })
  const until = clock() + waitMs
  for (;;) {
    // The hash is the one that `sign` gave out.
    const receipt = await chain.rpc.receipt(transaction.hash as Hex)
    if (receipt?.success) return receipt
    if (receipt || clock() > until) throw new X402Error(failed, { transaction: transaction.hash })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
