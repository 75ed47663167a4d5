import { deployDelegationManager, deployDelegatorAccount, type EvmChain } from '@groat/sandbox'

/** The contracts by which session keys are held to their limits, as `groat wallet session` takes them from a file. */
export type DelegationContractsFile = {
  readonly manager: string
  /** Code that an account runs to obey the manager (EIP-7702). */
  readonly account: string
  readonly enforcers: Readonly<Record<string, string>>
}

/** Puts a delegation manager on the EVM chain of a sandbox, with everything that knows its limits. */
export async function deployDelegations(chain: EvmChain): Promise<DelegationContractsFile> {
  const { address: manager, enforcers } = await deployDelegationManager(chain)
  return { manager, account: await deployDelegatorAccount(chain, manager), enforcers }
}
