import type {
  CallOptions,
  Clock,
  ErrorCode,
  Facilitator,
  FacilitatorRequest,
  Inspection,
  Network,
  OnEvent,
  Pid,
  Random,
  SchemeFacilitator,
  Settlement,
} from '@groat/core'
import type { Store } from '@groat/store'
import type { FinalityLevel } from './engine/finality.js'
import type { Fault } from './fault.js'
import type { DeliveryStanding } from './journal/deliveries.js'
import type { ClaimBounds } from './journal/journal.js'
import type { Outbox } from './journal/outbox.js'
import type { SettlementRecord } from './journal/record.js'
import type { Timers } from './timers.js'
import type { CourierTiming } from './webhooks/courier.js'
import type { WebhookEndpoint } from './webhooks/endpoint.js'

/** A facilitator in this process: the port of core, and a life. */
export interface FacilitatorService extends Facilitator {
  /**
   * Brings the journal's tables up to date, checks every chain, and carries on with every open payment: each is looked up on chain before
   * this resolves. Until then nothing is verified or settled. A chain whose nodes do not answer keeps no other waiting: it is checked, and what is open there carried on with,
   * when they do. May be called again after it failed.
   * Throws `X402Error` `store_unavailable`, `rpc_unreachable` where no chain answers, `rpc_wrong_chain`, `shutting_down` when it is stopped meanwhile.
   */
  start(): Promise<void>
  /**
   * Takes nothing new, waits (25 s at most) for the settlements that somebody is waiting for, and stops. What is not at its end stays in
   * the journal and goes on at the next start. Closes neither the store nor the chains: whoever opened them does.
   */
  stop(): Promise<void>
  /** What others have to be told of payments; empty unless the facilitator was made with `outbox`. */
  readonly outbox: Outbox
  /** How the webhooks stand. */
  webhooks(): Promise<readonly DeliveryStanding[]>
  /** Whether payments can be taken now, and if not, why. Never throws. */
  health(): Promise<Health>
  /** `claim`: for whom a payment is claimed that is not known yet. Throws `quota_exceeded` besides, with `ring` and `retryAfter` (seconds). */
  settle(request: FacilitatorRequest, options?: SettleOptions): Promise<Settlement>
  settlement(pid: Pid, options?: CallOptions): Promise<Settlement | undefined>
  /** What the journal holds of a payment, without anything that could settle it elsewhere. */
  find(pid: Pid): Promise<StoredSettlement | undefined>
  /** What a payment is, read against its terms without a chain and without the journal. */
  inspect(request: Pick<FacilitatorRequest, 'payment' | 'requirements'>): Inspection
  /** As which this process is known to others on its journal. */
  readonly replica: string
  /** The schemes that are served. */
  readonly schemes: readonly SchemeFacilitator[]
}

/** How a payment is settled. */
export type SettleOptions = CallOptions & {
  readonly claim?: ClaimFor
  /** Only what is under way is followed: what would have to be claimed first is refused as `payment_in_flight`, for it has to be looked at anew. */
  readonly joins?: boolean
}

/** For whom a payment is claimed, and within what bounds, over all replicas. */
export type ClaimFor = ClaimBounds & {
  /** Whose webhooks tell of it. */
  readonly tenant?: string
}

/** A payment as the journal knows it, under the terms it was claimed with. */
export type StoredSettlement = Pick<
  SettlementRecord,
  'pid' | 'network' | 'scheme' | 'payer' | 'payTo' | 'asset' | 'amount'
> & { readonly settlement: Settlement }

/** Whether a facilitator can settle. */
export type Health = {
  readonly ready: boolean
  readonly reasons: readonly HealthReason[]
  /** What stands in nobody's way yet: a signer that cannot pay for fees, beside others that can. Absent when there is nothing to say. */
  readonly notes?: readonly HealthReason[]
}

/** One thing that stands in the way, or might. */
export type HealthReason =
  | { readonly part: 'service'; readonly state: 'starting' | 'stopping' }
  | { readonly part: 'store'; readonly code: ErrorCode }
  /** `signer`: the account, where it is only that one's. */
  | { readonly part: 'chain'; readonly network: Network; readonly code: ErrorCode; readonly signer?: string }
  /** `detail`: what the provider lacks, and what to do. */
  | { readonly part: 'screening'; readonly code: ErrorCode; readonly detail?: string }

/** What a facilitator is made of. */
export type FacilitatorOptions = {
  readonly schemes: readonly SchemeFacilitator[]
  /** Where the journal lives. It stays the caller's. */
  readonly store: Store
  readonly clock?: Clock
  /** How it waits; this process's own timers unless told. */
  readonly timers?: Timers
  readonly random?: Random
  readonly onEvent?: OnEvent
  /** Gets the full story of what callers only see a reference of. Its errors may hold URLs of nodes: keep it inside. */
  readonly onFault?: (fault: Fault) => void
  /** Seconds of validity a payment must have left, at verify and when its transaction is signed. Default 6. */
  readonly minRemainingSeconds?: number
  /** Milliseconds that `settle` waits for the end before it answers `unknown`. Default 25000. */
  readonly settleTimeout?: number
  /** Milliseconds that `stop` waits for running settlements. Default 25000. */
  readonly stopTimeout?: number
  /** Milliseconds after which a transaction that has not landed is sent again. Default 5000. */
  readonly rebroadcast?: number
  /**
   * Milliseconds by which the nodes of a network may be behind: as long is waited, after a nonce was seen to be gone, before what was signed under it counts as
   * gone too and the payment is signed again; and as long, what a payer has is asked at no block before that of its last payment. Default 5000.
   */
  readonly nodeLag?: (network: Network) => number | undefined
  /** Milliseconds after which a replica that was not heard of counts as gone, and others go on with its work. Default 15000. */
  readonly lease?: number
  /** Transactions of one signer that wait for their block at the same time; further payments wait and leave together. Default 4. */
  readonly depth?: number
  /** How deep the block of a payment has to be before it is called settled. Default 1, the block itself. */
  readonly finality?: (payment: PaymentValue) => FinalityLevel
  /** Milliseconds between two looks at whether settled payments are still in the chain. Default 2000. */
  readonly watchInterval?: number
  readonly limits?: FacilitatorLimits
  /** Whether what happens to payments is also kept to be told to others. Default false. */
  readonly outbox?: boolean
  /** Who is told, and how. */
  readonly webhooks?: WebhookOptions
}

/** Who is told of what happens to payments. */
export type WebhookOptions = CourierTiming & {
  readonly endpoints: readonly WebhookEndpoint[]
  /** Whether endpoints may be plain http, and at addresses that are not public. Default false. */
  readonly allowPrivate?: boolean
}

/** What a payment is worth, and where. */
export type PaymentValue = Pick<SettlementRecord, 'network' | 'asset' | 'amount'>

/** What protects the facilitator's own money. Costs in the chain's own coin (wei, lamports). */
export type FacilitatorLimits = {
  /** What the transaction of a payment may cost at the most, beside the chain's own limit; a group may cost what its payments may together. */
  readonly feePerPayment?: (payment: PaymentValue) => bigint | undefined
  /** What all transactions on a network may cost in an hour, all replicas together. While a usual one does not fit, nothing new is taken (`fee_above_limit`). */
  readonly feePerHour?: (network: Network) => bigint | undefined
  /** Payments that one payer may have open at a time. Default 64. */
  readonly openPerPayer?: number
  /** Transactions of one payer that may fail on our gas in an hour before nothing more is taken from it. Default 5. */
  readonly failuresPerPayer?: number
}
