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
