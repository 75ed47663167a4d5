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
 * The signers of a chain that are known to be unable to pay for fees: whatever they sign would never leave. Of a chain that does not tell, none.
 * Throws `X402Error` where the chain cannot be used for another reason.
 *
 * @example
 * await poorSigners(chain) // ['0x…']
 */
export async function poorSigners(chain: ChainDriver): Promise<readonly string[]> {
  const { signers, gasBalance } = chain
  const named = await readyChain(chain).then(
    () => undefined,
    (error: unknown) => {
      const signer = X402Error.is(error) && error.code === 'signer_out_of_gas' ? error.context.signer : undefined
      if (typeof signer !== 'string') throw error
      return signer
    },
  )
  const balances = gasBalance === undefined ? [] : await Promise.all(signers.map((signer) => gasBalance(signer)))
  return signers.filter((signer, at) => signer === named || balances[at] === 0n)
}
