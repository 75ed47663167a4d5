import type { GetHeader } from '../codec/headers.js'
import type { ErrorCode } from '../errors/code-names.js'
import type { Decoded } from '../model/outcome.js'
import type { PaymentPayload, PaymentRequirements, Receipt, ResourceInfo } from '../model/payment.js'

/** What a request is asked to pay, as far as a dialect says it. */
export type DialectTerms = {
  readonly resource: ResourceInfo
  /** In the seller's order. */
  readonly offers: readonly PaymentRequirements[]
}

/**
 * Other headers for the same payment: what a buyer who does not speak the protocol's own is told, and how its answer becomes a payment like any
 * other. It only translates: what it reads is judged as if the protocol's own header had carried it.
 */
export interface HeaderDialect {
  /** Its name in routes. */
  readonly name: string
  /** Request headers that carry a payment in it. */
  readonly requestHeaders: readonly string[]
  /** Headers that its answers may have: browsers of other origins have to be let read them. */
  readonly responseHeaders?: readonly string[]
  /** Headers beside a challenge, by lower-case name; none where no offer can be said in it. */
  announce(terms: DialectTerms): Readonly<Record<string, string>>
  /** Headers of a 402 that refuses a payment: why, by the code of the registry. */
  refuse?(code: ErrorCode): Readonly<Record<string, string>>
  /** Headers of an answer whose payment is settled. */
  settle?(receipt: Receipt): Readonly<Record<string, string>>
  /** Reads the payment of a request; `undefined` when it carries none in this dialect. Refuses `invalid_payload` and `no_matching_requirements`. */
  read(header: GetHeader, terms: DialectTerms): Decoded<PaymentPayload> | undefined
}
