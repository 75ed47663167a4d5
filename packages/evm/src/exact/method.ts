import type {
  ChainOutcome,
  InspectContext,
  PaymentPayload,
  PaymentRequirements,
  SentTransaction,
  Verdict,
} from '@groat/core'
import type { Address } from '../address.js'
import type { EvmCall, EvmChain } from '../chain.js'
import type { CallRequest } from '../rpc.js'

/** A payment that has been inspected, with its terms and the chain it is for. */
export type ExactRequest = {
  readonly chain: EvmChain
  readonly payment: PaymentPayload
  readonly terms: PaymentRequirements
}

/** As whom, with how much gas and at what time a settlement is tried. */
export type Trial = InspectContext & {
  readonly from?: Address
  readonly gas: bigint
  /** Atomic units that other payments of this payer, which are under way, will take. */
  readonly reserved?: bigint | undefined
}

/** How far the chain is searched, and when an end counts as passed. */
export type OutcomeOptions = {
  /** Blocks in which a transfer that somebody else handed in is looked for. */
  readonly lookbackBlocks: bigint
  /** Seconds by which a block's clock must have passed a payment's end before it counts as dead. */
  readonly expiryMarginSeconds: bigint
}

/**
 * A call that moves money; `moreGas` where it needs more than a settlement of this facilitator may use otherwise, `gas` where it has a limit of
 * its own.
 */
export type MoneyCall = Omit<EvmCall, 'gas'> & { readonly moreGas?: bigint; readonly gas?: bigint }

/** One transfer method on chain. What it is given has been inspected. */
export interface ChainMethod {
  /** Every check that asks the chain. Throws `X402Error` `rpc_unreachable` and the like. */
  verify(request: ExactRequest, trial: Trial): Promise<Verdict>
  /** Does what has to be on chain before the call that moves the money can be made. Harmless to repeat. */
  enable?(request: ExactRequest, trial: Trial): Promise<Verdict>
  /** The call that moves the money. */
  prepare(request: ExactRequest): MoneyCall | Promise<MoneyCall>
  /**
   * What became of it; `failed` when a transaction of ours did, though that is not final. Settled is said only of the token's own logs. Throws
   * `X402Error` `rpc_unreachable` and the like.
   */
  outcome(
    request: ExactRequest,
    sent: readonly SentTransaction[],
    options: OutcomeOptions,
  ): Promise<ChainOutcome & { readonly failed?: true }>
}

/**
 * Whether a call that succeeded when nothing was paid for its gas succeeds as it will be paid for: the payer's code sees the difference, and so
 * whether it is only tried (EVM-EXACT-074).
 */
export async function succeedsPaid(chain: EvmChain, call: CallRequest): Promise<boolean> {
  if (call.from === undefined || call.gas === undefined) return true
  return (await chain.rpc.call({ ...call, fees: await chain.fees(call.gas) })).ok
}
