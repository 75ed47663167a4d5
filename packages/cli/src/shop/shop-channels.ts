import { type Facilitator, network, networkFamily, type SchemeServer } from '@groat/core'
import { privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { type ChannelLedger, createChannelLedger } from '@groat/evm/batch-settlement/ledger'
import { type ClaimManager, type ClaimRun, createClaimManager } from '@groat/evm/batch-settlement/manager'
import { batchEvm } from '@groat/evm/batch-settlement/server'
import { createEvmChain } from '@groat/evm/chain'
import type { AnyStore } from '@groat/store'
import type { BooksConfig, ChannelsConfig } from '../config/shop-config.js'

/** Channels that pay a shop. */
export type ShopChannels = {
  readonly ledger: ChannelLedger
  /** Claims from channels whose payer is on its way out, and no others. */
  watch(): Promise<readonly ClaimRun[]>
  /** Claims what every channel owes, and has it sent to the account that is paid. */
  claim(): Promise<readonly ClaimRun[]>
  readonly claimSeconds: number
}

/** Opens the channels of a shop over its own database, with one claimer for each EVM chain whose node the file names. Throws what those throw. */
export async function openChannels(
  store: AnyStore,
  facilitator: Facilitator,
  { key, gasKey, claimSeconds }: ChannelsConfig,
  { rpc }: Pick<BooksConfig, 'rpc'>,
): Promise<ShopChannels> {
  const authorizer = privateKeyAccount(key)
  const ledger = await createChannelLedger(store, { facilitator, authorizer })
  const managers: ClaimManager[] = []
  for (const [name, url] of Object.entries(rpc)) {
    const id = network(name)
    if (networkFamily(id) !== 'eip155') continue
    const chain = await createEvmChain({ network: id, rpc: url, signers: [gasKey] })
    managers.push(createClaimManager({ chain, ledger, authorizer }))
  }
  return {
    ledger,
    claimSeconds,
    watch: () => each(managers, (manager) => manager.watch()),
    claim: () => each(managers, (manager) => manager.run()),
  }
}

/** Sells for vouchers out of channels. Throws `X402Error` `invalid_config`. */
export function sellsChannels({ key, withdrawDelay }: ChannelsConfig): SchemeServer {
  const receiverAuthorizer = privateKeyAccount(key).address
  return batchEvm({ receiverAuthorizer, ...(withdrawDelay === undefined ? {} : { withdrawDelay }) })
}

/** One chain after the other; one that cannot be asked keeps no other from its turn. Throws the first that failed, when all had theirs. */
async function each(
  managers: readonly ClaimManager[],
  work: (manager: ClaimManager) => Promise<ClaimRun>,
): Promise<readonly ClaimRun[]> {
  const runs: ClaimRun[] = []
  const failures: unknown[] = []
  for (const manager of managers) {
    try {
      runs.push(await work(manager))
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return runs
}
