import type { Family } from '../model/result.js'
import { UnreachableError } from '../target/process.js'
import { startEvmRail } from './evm.js'
import type { Rail } from './rail.js'
import { startSvmRail } from './svm.js'

/** Starts a chain of a family, or uses the one that runs at a URL. */
export async function startRail(family: Family, rpcUrl?: string): Promise<Rail> {
  try {
    return await (family === 'evm' ? startEvmRail(rpcUrl) : startSvmRail(rpcUrl))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UnreachableError(
      `the ${family === 'evm' ? 'EVM' : 'Solana'} chain ${rpcUrl ?? ''} cannot be used: ${why}`,
      { cause },
    )
  }
}

/** A chain of the caller, or a new one that is stopped with the others. */
export async function takeRail(
  family: Family,
  {
    given,
    rpcUrl,
    closing,
  }: { given?: readonly Rail[] | undefined; rpcUrl?: string | undefined; closing: (() => Promise<void>)[] },
): Promise<Rail> {
  const found = given?.find((rail) => rail.family === family)
  if (found !== undefined) return found
  const rail = await startRail(family, rpcUrl)
  closing.push(() => rail.stop())
  return rail
}
