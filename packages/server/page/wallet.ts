import type { Network, SchemeClient } from '@groat/core'

/** A wallet of the browser, as the page knows it. */
export type Wallet = {
  readonly name: string
  /** A data URL. */
  readonly icon: string
  serves(network: string): boolean
  /** Asks for an account, and gives what pays with it. */
  connect(network: Network): Promise<SchemeClient>
}
