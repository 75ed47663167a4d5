import type { ErrorCode, FacilitatorRequest, Network, Pid } from '@groat/core'

/**
 * Where a refund stands: `asked` waits for a second person, `approved` is to be paid, `signed` may have been paid, and nothing else is signed
 * for it until that is known. The rest are ends.
 */
export type RefundState = 'asked' | 'approved' | 'signed' | 'settled' | 'rejected'

/** What is given back for one payment. There is one refund for a payment, or none. */
export type Refund = {
  /** The payment. */
  readonly pid: Pid
  readonly state: RefundState
  readonly network: Network
  readonly asset: string
  /** Atomic units; never above what was paid. */
  readonly amount: bigint
  readonly paid: bigint
  /** Who paid: nobody else ever gets it. */
  readonly payer: string
  readonly reason: string
  readonly askedBy: string
  readonly approvedBy?: string
  /** From 0; another one begins only when the last is proved dead. */
  readonly attempt: number
  readonly transaction?: string
  /** Why the last try did not settle. */
  readonly code?: ErrorCode
  /** Milliseconds since 1970. */
  readonly askedAt: number
}

/** One signature of the refund key, as the journal keeps it: written down before anybody else sees it. */
export type RefundAttempt = {
  readonly pid: Pid
  readonly attempt: number
  /** The identity of the payment that it is. */
  readonly refundPid: Pid
  readonly from: string
  readonly request: FacilitatorRequest
  /** Seconds since 1970 after which it can land no more. */
  readonly expiresAt: number
  readonly state: 'signed' | 'settled' | 'dead'
  readonly transaction?: string
}

/** What became of asking for a refund, or of approving one. */
export type RefundAnswer =
  | { readonly ok: true; readonly refund: Refund }
  | {
      readonly ok: false
      readonly code: 'refund_not_found' | 'refund_exists' | 'refund_above_paid' | 'refund_needs_other'
    }
