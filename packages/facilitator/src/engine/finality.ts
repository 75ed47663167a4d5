import type { ChainDriver } from '@groat/core'

/** How deep the block of a payment has to be: so many blocks with it (1 is the block itself), or what the chain calls safe or final. */
export type FinalityLevel = number | 'safe' | 'final'

/**
 * Whether a block is as deep as that. Asks the chain only when more than the block itself is wanted. Throws `X402Error` of the chain.
 *
 * @example
 * await isDeepEnough(chain, 120n, 3) // true once block 122 is there
 */
export async function isDeepEnough(chain: ChainDriver, blockNumber: bigint, level: FinalityLevel): Promise<boolean> {
  if (level === 1 || chain.head === undefined) return true
  const { latest, safe, final } = await chain.head()
  if (typeof level === 'number') return latest - blockNumber + 1n >= BigInt(level)
  return blockNumber <= (level === 'safe' ? safe : final)
}
