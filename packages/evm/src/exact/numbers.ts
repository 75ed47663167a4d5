import type { SentTransaction } from '@groat/core'
import type { Address } from '../address.js'
import type { EvmChain } from '../chain.js'

/** Whether other transactions have used up the numbers of all of these, for good. */
export async function areGone(
  { rpc }: Pick<EvmChain, 'rpc'>,
  sent: readonly SentTransaction[],
  final: bigint,
): Promise<boolean> {
  // The signers are accounts of the chain. A node that has no state as old as that proves nothing.
  const mined = await Promise.all(
    sent.map(({ signer }) => rpc.minedNonce(signer.toLowerCase() as Address, final).catch(() => 0n)),
  )
  return sent.every(({ nonce }, i) => nonce !== undefined && nonce < (mined[i] ?? 0n))
}
