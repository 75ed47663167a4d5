import type { ErrorCode } from './errors/code-names.js'
import type { Pid } from './model/identity.js'
import type { Network } from './model/network.js'

/** What observers are told. */
export type X402Event = {
  readonly type:
    | 'challenge_sent'
    | 'challenge_received'
    | 'payment_signed'
    | 'payment_presented'
    | 'payment_verified'
    | 'payment_refused'
    | 'payment_claimed'
    | 'payment_settled'
    | 'payment_final'
    | 'payment_reorged'
    | 'settlement_unknown'
    | 'transaction_sent'
    | 'delivery_released'
    | 'delivery_failed'
    | 'entitlement_used'
    | 'replica_started'
    | 'replica_stopped'
    | 'replica_gone'
    | 'lane_taken'
    | 'lane_left'
    | 'lane_lost'
    | 'lane_blocked'
    | 'lane_unblocked'
    | 'node_away'
    | 'node_back'
    | 'fault'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly pid?: Pid
  readonly network?: Network
  readonly scheme?: string
  readonly payer?: string
  readonly payTo?: string
  readonly asset?: string
  /** Atomic units. */
  readonly amount?: bigint
  readonly resource?: string
  readonly transaction?: string
  readonly code?: ErrorCode
  /** Where a facilitator has refused a payment: asked whether it would settle, or to settle it. */
  readonly during?: 'verify' | 'settle'
  /** Whose lane it is: the account that signs and pays for fees. */
  readonly signer?: string
  /** What is to be sent would cost, and what its limit has left, in the chain's own coin (wei, lamports), where that is too little. */
  readonly cost?: bigint
  readonly left?: bigint
  /** The process that it is about, as the journal names it. */
  readonly replica?: string
  /** The replica that had the lane until then, and was not heard of in time. */
  readonly from?: string
  readonly reference?: string
  /** The host of a chain's node, where it is about one. */
  readonly node?: string
  /** Seconds after which it makes sense to try again, where somebody said so. */
  readonly retryAfter?: number
}

/** A read-only observer. What it throws is dropped: it cannot change an outcome. */
export type OnEvent = (event: X402Event) => void

/**
 * Tells an observer, and keeps whatever it throws away from the caller.
 *
 * @example
 * notify(onEvent, { type: 'payment_verified', at: clock(), pid })
 */
export function notify(onEvent: OnEvent | undefined, event: X402Event): void {
  try {
    onEvent?.(event)
  } catch {
    // An observer must not change an outcome.
  }
}
