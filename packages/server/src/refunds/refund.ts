import type { ErrorCode, FacilitatorRequest, Network, Pid } from '@groat/core'

/**
 * Where a refund stands: `asked` waits for a second person, `approved` is to be paid, `signed` may have been paid, and nothing else is signed
 * for it until that is known. The rest are ends.
 */
export type RefundState = 'asked' | 'approved' | 'signed' | 'settled' | 'rejected'

/** What is given back of one payment. A payment may be given back in parts, which together are never more than it. */
export type Refund = {
  /** Its own name: the payment's, and that of the part where it has one. */
  readonly id: string
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
  /** The refund. */
  readonly id: string
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
      readonly code:
        | 'refund_not_found'
        | 'refund_exists'
        | 'refund_above_paid'
        | 'refund_needs_other'
        | 'refund_denied'
        | 'refund_of_used'
      /** Atomic units that a payer may ask for, where it asked for others. */
      readonly unused?: bigint
    }

/**
 * The name of a refund: a payment's first has the payment's own; each other part is named by whoever asks, so that who asks for the same part twice gets
 * it once. `undefined` for a name of anything but 1 to 40 letters, digits, `_` and `-`.
 *
 * @example
 * refundId(pid, 'second-file') // '3f…9a.second-file'
 */
export function refundId(pid: Pid, part?: string): string | undefined {
  if (part === undefined) return pid
  return /^[A-Za-z0-9_-]{1,40}$/.test(part) ? `${pid}.${part}` : undefined
}

/** Whether a text has the form of a refund's name. */
export const isRefundId = (text: string): boolean => /^[0-9a-f]{64}(\.[A-Za-z0-9_-]{1,40})?$/.test(text)
