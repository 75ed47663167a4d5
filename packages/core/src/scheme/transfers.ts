import type { Network } from '../model/network.js'

/** What the chain says came to an account: to compare books with. */
export interface TransferReader {
  readonly network: Network
  /**
   * Everything of an asset that came to an account, from the block of the first of these transactions on that the chain knows; nothing when it
   * knows none of them. Throws `X402Error` `rpc_unreachable` and the like when the chain cannot be asked.
   */
  received(asset: string, account: string, since: readonly string[]): Promise<readonly ChainTransfer[]>
  /** What one transaction brought to an account. */
  brought(transaction: string, asset: string, account: string): Promise<readonly ChainTransfer[]>
}

/** Money that moved on chain. */
export type ChainTransfer = {
  readonly transaction: string
  /** Where in the transaction it stands. */
  readonly index: number
  /** Absent where the chain does not say. */
  readonly from?: string
  /** Atomic units. */
  readonly amount: bigint
}
