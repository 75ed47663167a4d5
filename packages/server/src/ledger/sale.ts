import type { Network, Pid } from '@groat/core'

/** What was sold with one payment: what the books say of it. */
export type Sale = {
  readonly pid: Pid
  /** The route's name. */
  readonly route: string
  /** What was paid for, without its query. */
  readonly resource: string
  readonly scheme: string
  readonly network: Network
  /** The token's address. */
  readonly asset: string
  readonly payer: string
  readonly payTo: string
  /** Atomic units that are charged. */
  readonly amount: bigint
  /** Milliseconds since 1970. */
  readonly at: number
  readonly group?: string
  readonly description?: string
  /** How many uses one payment bought, where it bought several. */
  readonly uses?: number
  /** Set where the payment is a promise that the chain keeps later: a voucher. */
  readonly offChain?: boolean
  /** Set where the payment is in escrow: it is earned by what is captured of it. */
  readonly held?: boolean
}
