import type { Network } from '../model/network.js'
import type { PaymentPayload } from '../model/payment.js'

/** What the chain says came to an account: to compare books with. */
export interface TransferReader {
  readonly network: Network
  /**
   * Everything of an asset that came to an account, from the block of the first of these transactions on that the chain knows; `undefined`
   * when it knows none of them. Throws `X402Error` `rpc_unreachable` and the like when the chain cannot be asked.
   */
  received(asset: string, account: string, since: readonly string[]): Promise<readonly ChainTransfer[] | undefined>
  /** What one transaction brought to an account. */
  brought(transaction: string, asset: string, account: string): Promise<readonly ChainTransfer[]>
  /**
   * Whether a signed payment can land in no block any more, by the chain's own clock; `expiresAt` in seconds since 1970. One that landed
   * before is not told from one that did not.
   */
  isOver(payment: PaymentPayload, expiresAt: number): Promise<boolean>
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
