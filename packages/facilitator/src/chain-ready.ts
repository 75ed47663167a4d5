import { type ChainDriver, X402Error } from '@groat/core'

/**
 * Whether a chain can be settled on; what it throws names the network, because a facilitator has several.
 *
 * @example
 * await readyChain(chain)
 */
export async function readyChain(chain: ChainDriver): Promise<void> {
  const { network } = chain
  await chain.ready().catch((error: unknown) => {
    if (!X402Error.is(error) || error.context.network !== undefined) throw error
    throw new X402Error(error.code, { network, ...error.context }, { cause: error })
  })
}

/**
 * Throws `X402Error` `signer_out_of_gas` when no signer of a chain has anything for fees: whatever is signed would never leave. Where one of
 * them has something, or the chain does not tell, there is nothing to say.
 *
 * @example
 * await fundedChain(chain)
 */
export async function fundedChain({ network, signers, gasBalance }: ChainDriver): Promise<void> {
  if (gasBalance === undefined) return
  const balances = await Promise.all(signers.map((signer) => gasBalance(signer)))
  if (balances.every((balance) => balance === 0n)) {
    throw new X402Error('signer_out_of_gas', { network, signer: signers.join(', ') })
  }
}
