import type { Pid, Receipt } from '@groat/core'
import type { Answer } from './answer.js'
import type { Entitlements } from './entitlements.js'
import type { Sale } from './ledger/sale.js'

/**
 * Where the gate claims payments before any work is done for them (SRV-003). Every method is one atomic step, and what comes after a
 * claim needs the token that the claim gave out: a plain map does not fit this type.
 *
 * A claim goes `claimed` (work may be running) to `settling` (settlement may have been sent) to `settled`. Where the work comes first its
 * answer is kept from `settling` on; where the payment comes first a settled claim is `open`, an entitlement, until it is `delivered`.
 * Who holds a claim holds it for a lease. A `claimed` one whose lease ran out may be taken over; a `settling` one may only be settled
 * again; an open one may be worked for again. Faults of the store are thrown.
 */
export interface ClaimStore {
  /**
   * Names the store, the same for all who share it. It stands in every offer, so that a payment is good for the shops that know of one
   * another's claims and for no other.
   */
  readonly audience: string
  /** What payments bought beyond their own answer. */
  readonly entitlements: Entitlements
  claim(request: ClaimRequest): Promise<ClaimOutcome>
  /** Takes up a payment that was claimed before for this binding and may have been settled; never makes a claim. */
  resume(request: Omit<ClaimRequest, 'expiresAt'>): Promise<ClaimedBefore | undefined>
  /**
   * Says that settlement may be sent from now on, and keeps the work's answer where there is one. `false`: the lease ran out and the claim
   * is somebody else's; do not settle. `sale`: what the books say of it, where the store keeps any.
   */
  settling(token: ClaimToken, answer: Answer | undefined, leaseMs: number, sale?: Sale): Promise<boolean>
  /**
   * Lengthens the lease of a claim that is `settling` or open, and writes down what is charged, as decimal text, where that is known only
   * now. `false`: it is somebody else's.
   */
  renew(token: ClaimToken, leaseMs: number, charged?: string): Promise<boolean>
  /**
   * Records the receipt; a claim without an answer becomes open. `false`: the evidence already stands for another payment. Holding the
   * lease is not needed: what is settled is settled.
   */
  settled(token: ClaimToken, receipt: Receipt, evidence: string, sale?: Sale): Promise<boolean>
  /** Closes a claim that was open, or is settled without an answer; an answer that is given is kept to be sent again. */
  delivered(token: ClaimToken, answer: Answer | undefined): Promise<void>
  /**
   * Closes an open claim by giving its money back: the refund is written in the same step. `false`: it is not open, not ours any more, its
   * payment cannot be refunded, or the buyer has had something of it: a part of the answer, or a use beside it.
   * Absent where refunds are not kept.
   */
  refund?(token: ClaimToken, reason: string): Promise<boolean>
  /**
   * Ends the lease of a `settling` or open claim, so that the payment can be presented again at once. `partly`: some of the answer was sent;
   * the claim counts how often.
   */
  pause(token: ClaimToken, partly: boolean): Promise<void>
  /** Forgets the claim: nothing was charged. Does nothing when the claim is no longer the token's. */
  release(token: ClaimToken): Promise<void>
}

/** Milliseconds for which an answer is kept after its payment has expired: what was paid for at the last moment is still asked for. */
export const KEEP_ANSWER_MS = 15 * 60_000

/**
 * Milliseconds for which an answer is kept, after its payment has expired, whose settlement nobody has heard of. After that it has to make
 * room: should the payment be settled all the same, the work is done again.
 */
export const KEEP_UNSETTLED_ANSWER_MS = 24 * 3_600_000

/** Milliseconds for which what is still owed is kept after its payment has expired: an unknown settlement, an open entitlement. */
export const KEEP_UNSETTLED_MS = 30 * 24 * 3_600_000

/** What is claimed. */
export type ClaimRequest = {
  readonly pid: Pid
  /** The terms and the request that the payment was presented for: a kept answer serves nothing else. */
  readonly binding: string
  /** Seconds since 1970 after which the payment cannot be settled any more. Its answer is kept `KEEP_ANSWER_MS` longer. */
  readonly expiresAt: number
  readonly leaseMs: number
}

/** Proof of a claim. The fence changes whenever the claim changes hands. */
export type ClaimToken = { readonly pid: Pid; readonly fence: string }

/** What became of asking for a claim. */
export type ClaimOutcome =
  /** Ours, and new: verify, do the work. */
  | { readonly status: 'claimed'; readonly token: ClaimToken }
  /**
   * Ours; settlement may have been sent: settle again. Where there is an answer, never work again. `charged` is the answer's, kept
   * although the answer is not.
   */
  | { readonly status: 'settling'; readonly token: ClaimToken; readonly answer?: Answer; readonly charged?: string }
  /** Ours; paid for and not delivered: work, and deliver. `partly`: how often some of it was sent. */
  | { readonly status: 'open'; readonly token: ClaimToken; readonly receipt: Receipt; readonly partly: number }
  /** Somebody else holds it right now. */
  | { readonly status: 'busy' }
  /** It was presented for something else. */
  | { readonly status: 'mismatch' }
  /** Settled, and given back. */
  | { readonly status: 'refunded' }
  /** Settled; the answer while it is kept. */
  | { readonly status: 'settled'; readonly receipt: Receipt; readonly answer?: Answer }

/** What is found of a payment that was claimed before. */
export type ClaimedBefore = Exclude<ClaimOutcome, { readonly status: 'claimed' }>
