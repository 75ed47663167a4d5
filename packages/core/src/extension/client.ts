import type { JsonObject } from '../model/json.js'
import type { Refusal } from '../model/outcome.js'
import type { PaymentRequired, PaymentRequirements, Receipt } from '../model/payment.js'
import type { Clock, Random } from '../ports.js'
import type { ExtensionHalf } from './extension.js'

/**
 * The payer's half of an extension. It is asked only where the challenge announces its key; whatever the payer has no half for is echoed as it
 * came (CORE-081).
 */
export interface ExtensionClient extends ExtensionHalf {
  /** What the seller insists on and this payer cannot give: with a refusal nothing is signed, and it names what is missing. Pure; where it throws nothing is signed either. */
  lacks?(announced: JsonObject): Refusal | undefined
  /** What the payment holds under the key, in the place of the echo; `undefined`: the key is left out. What was announced in `info` may not be changed (CORE-082). */
  attach?(announced: JsonObject, about: PaymentContext): JsonObject | undefined | Promise<JsonObject | undefined>
  /**
   * Ties what is about to be signed to its request: the payment draws its nonce from what this answers, and holds its `value` under the key, where `attach`
   * is not asked. `undefined`: nothing is tied. One payment draws from one extension, the first that is announced.
   */
  bind?(announced: JsonObject, about: BindingContext): BoundPayment | undefined | Promise<BoundPayment | undefined>
  /** Headers by which the request may be served without paying; it is sent once more with them before anything is signed for money. */
  present?(announced: JsonObject, about: ChallengeSource): Promise<Readonly<Record<string, string>> | undefined>
  /** What is wrong with what the answer's receipt holds under the key, in a word; `undefined`: nothing. The money is spent either way: it is told, not acted on. */
  check?(answered: JsonObject, about: AnsweredPayment): Promise<string | undefined>
}

/** The payment that is about to be signed. */
export type PaymentContext = {
  readonly challenge: PaymentRequired
  readonly offer: PaymentRequirements
  readonly payer: string
  /** Names the logical request, the same for every payment that is made for it: SHA-256 in hex. Absent where no caller vouches that two requests are one. */
  readonly request?: string
  readonly clock: Clock
  readonly random: Random
}

/** The request that a payment will be made for. */
export type BindingContext = {
  readonly challenge: PaymentRequired
  readonly offer: PaymentRequirements
  readonly method: string
  /** Where the payment is presented. */
  readonly url: URL
  readonly body: Uint8Array | undefined
  /** As the payment will be presented with; absent where the transport has none. */
  readonly headers?: { get(name: string): string | null }
  readonly random: Random
}

/** What a payment draws from, and what it holds for whoever checks that. */
export type BoundPayment = { readonly random: Random; readonly value: JsonObject }

/** Who sent a challenge: the URL that answered, after redirects. */
export type ChallengeSource = {
  readonly challenge: PaymentRequired
  readonly url: URL
  readonly clock: Clock
}

/** A payment that was answered with a receipt. */
export type AnsweredPayment = {
  readonly challenge: PaymentRequired
  readonly offer: PaymentRequirements
  readonly payer: string
  readonly receipt: Receipt
  readonly url: URL
  readonly clock: Clock
}
