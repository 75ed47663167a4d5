import type { Asset } from '../model/asset.js'
import type { Refusal } from '../model/outcome.js'
import type { PaymentRequirements } from '../model/payment.js'

/** What a payment would do to balances, as a node says that has run it without a key and without sending it. */
export type PaymentEffect = {
  readonly ok: true
  /** `simulated`: run, and looked at afterwards. `called`: it would succeed; what it would leave is reckoned. */
  readonly how: 'simulated' | 'called'
  readonly changes: readonly BalanceChange[]
}

/** One account's balance before and after, in atomic units. */
export type BalanceChange = { readonly account: string; readonly before: bigint; readonly after: bigint }

/**
 * Runs what a payment moves on a node, before any key is touched. A refusal (`simulation_failed`, `insufficient_balance`) says why it would fail;
 * `undefined`: there is no node to be asked. Throws `X402Error` `rpc_unreachable` and the like.
 */
export type Simulate = (
  offer: PaymentRequirements,
  payer: string,
  asset: Asset,
) => Promise<PaymentEffect | Refusal | undefined>
