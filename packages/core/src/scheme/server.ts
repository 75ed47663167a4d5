import type { Asset } from '../model/asset.js'
import type { Pid } from '../model/identity.js'
import type { JsonObject } from '../model/json.js'
import type { Network } from '../model/network.js'
import type { Refusal } from '../model/outcome.js'
import type { PaymentPayload, PaymentRequirements, SupportedKind } from '../model/payment.js'
import type { SchemeHalf } from './scheme.js'

/** The seller's half: it makes offers and reads payments, without a chain. */
export interface SchemeServer extends SchemeHalf {
  /** Whether an offer has parts that only the facilitator knows: none is made to a buyer before it was asked. */
  readonly offersNeedFacilitator?: boolean
  /** Whether an offer's amount is a ceiling: the work says how much of it is charged, down to nothing. */
  readonly metered?: boolean
  /** Whether a payment may settle without a transaction of its own. One for nothing always may. */
  readonly offChain?: boolean
  /** Whether what settles is held for the seller and not its own yet: it has earned what it captures of it. */
  readonly held?: boolean
  /**
   * Milliseconds for which an offer is made as it is, because there are times in it; it is answered for as long again. Absent: for ever.
   */
  readonly offersLast?: number
  /**
   * Makes an offer. Called at start for static prices, so what is wrong is said then.
   * Throws `X402Error` `invalid_pay_to`, `unknown_asset`, `unsupported_transfer_method`.
   */
  offer(terms: OfferTerms): PaymentRequirements
  /** What a challenge with this offer announces under `extensions`, as far as the facilitator lists it. */
  announces?(offer: PaymentRequirements): Readonly<Record<string, JsonObject>>
  /** Reads a payment against an offer: everything that can be known from the two and the clock alone. */
  inspect(payment: PaymentPayload, offer: PaymentRequirements, now: InspectContext): Inspection
  /**
   * What `inspect` cannot know without waiting, for payments whose identity stands on a chain for everybody to read: whether whoever presents one may.
   * Asked of payments that have been inspected, before anything is claimed, so that nobody else holds one up. Refuses, or says nothing. Throws
   * `X402Error` `rpc_unreachable` and the like.
   */
  vouch?(payment: PaymentPayload, offer: PaymentRequirements): Promise<Refusal | undefined>
}

/** What a seller asks for. */
export type OfferTerms = {
  readonly network: Network
  readonly asset: Asset
  /** Atomic units. */
  readonly amount: bigint
  readonly payTo: string
  readonly maxTimeoutSeconds: number
  readonly extra?: JsonObject
  /** What the facilitator says of this kind; some schemes take parts of their offer from it. */
  readonly kind?: SupportedKind
}

/** By which clock, and how much life a payment must have left. */
export type InspectContext = {
  /** Milliseconds since 1970. */
  readonly now: number
  /** Seconds of validity that must remain: time for the handler and for inclusion. */
  readonly minRemainingSeconds?: number
  /** Set where a facilitator is asked to settle: the terms then say what is charged, which a metered scheme lets be less than what was signed. */
  readonly settling?: boolean
}

/** What a payment is, once it has been read: who pays, which payment it is, until when it can be settled. */
export type Inspection = InspectedPayment | RefusedPayment

/** A payment that cannot be begun. */
export type RefusedPayment = Refusal & {
  readonly payer?: string
  /**
   * Set when nothing speaks against it but the time, or what whoever is asked would not settle: it may have been settled while it was good, or by another who would, and is answered by
   * what is known of it.
   */
  readonly late?: InspectedPayment
}

/** A payment that reads as good. Its signature and the payer's means have not been looked at on chain. */
export type InspectedPayment = {
  readonly ok: true
  readonly pid: Pid
  readonly payer: string
  /** Seconds since 1970 after which the payment cannot be settled any more. */
  readonly expiresAt: number
  /** Set where the payer asks for money back that it deposited and has not spent: nothing is bought, and no work is done for it. */
  readonly refund?: true
}
