import type { GetHeader } from '../codec/headers.js'
import type { Pid } from '../model/identity.js'
import type { Json, JsonObject } from '../model/json.js'
import type { Refusal } from '../model/outcome.js'
import type { PaymentPayload, PaymentRequirements, Receipt, ResourceInfo } from '../model/payment.js'
import type { Clock, Random } from '../ports.js'
import type { ExtensionHalf } from './extension.js'

/**
 * The seller's half of an extension. A route declares it by its key; a key that a route declares and no half is registered for stops the
 * start (`extension_not_registered`), so that what was meant to protect never goes missing silently.
 */
export interface ExtensionServer extends ExtensionHalf {
  /** Reads what a route says of it, once, at start. Throws `X402Error` `invalid_config`. */
  declare(options: Json, route: ExtensionRoute): DeclaredExtension
}

/** What an extension may know of the route that declares it. */
export type ExtensionRoute = {
  readonly name: string
  /** The configured origin, where there is one; a path may follow. Whatever is bound to an origin needs it: what a request says of its host is the client's word. */
  readonly origin?: string
  /** What one payment opens beyond its own answer: routes of the same scope. Absent where a payment buys one answer. */
  readonly scope?: string
  readonly mode: string
  /** What is sold, for people and machines. */
  readonly about: Omit<ResourceInfo, 'url'>
  readonly clock: Clock
  readonly random: Random
}

/**
 * An extension on one route. Every member is optional; `announce` and `enrich` say what the challenge holds, `inspect` and `guard` stand before
 * the money, `admit` before the question for it, `resume` before what is owed for it, `settled` after it. Guards fail closed: one that throws refuses the request (EXT-005).
 */
export interface DeclaredExtension {
  /** What every challenge holds under the key, refusals too: `{ info, schema }` and what else belongs beside them. */
  readonly announce?: JsonObject
  /**
   * What a challenge to one request without a payment holds in its place. `undefined`, or a throw, leaves the key out: what was declared for the server alone
   * is never shown raw.
   */
  enrich?(challenge: ExtensionChallenge): JsonObject | undefined | Promise<JsonObject | undefined>
  /** What a facilitator is told under the key in place of a payment's echo, which is its payer's word: for what only the seller may say. Without it the echo goes on. */
  vouch?(challenge: ExtensionChallenge): JsonObject | undefined
  /** Who asks without paying, as the extension knows it; `undefined`: it says nothing of this request. */
  admit?(challenge: ExtensionChallenge): Promise<Admission | Refusal | undefined>
  /** Reads the payer's part of a payment that is new: everything that can be known without asking anyone. */
  inspect?(payment: PaymentPayload): Refusal | undefined
  /** Judges a payment that the facilitator has verified, before any work and before money moves, in every mode. */
  guard?(payment: GuardedPayment): Promise<Guarded>
  /**
   * Holds a request that brings a payment again, once it may have been settled, against the one that it was made for. A refusal takes nothing away from the request that was
   * paid for. One that throws refuses (EXT-014).
   */
  resume?(payment: GuardedPayment): Promise<Refusal | undefined>
  /** What the receipt of a settled payment holds under the key. Shown with an answer below 400, and with no other. */
  settled?(sale: SettledPayment): JsonObject | undefined | Promise<JsonObject | undefined>
  /** Told that a settled payment has opened a scope (a bundle or a pass). */
  granted?(grant: GrantedScope): Promise<void>
}

/** A request, as an extension may see it. */
export type ExtensionRequest = {
  readonly method: string
  /** With its query; absolute, or from the path on. */
  readonly url: string
  readonly header: GetHeader
  /** The bytes of the body; `undefined` when it was too long to be kept or cannot be read without taking it from the handler. */
  readonly body?: (() => Promise<Uint8Array | undefined>) | undefined
}

/** A challenge that is about to be made, and what it is made from. */
export type ExtensionChallenge = {
  readonly request: ExtensionRequest
  readonly resource: ResourceInfo
  readonly offers: readonly PaymentRequirements[]
}

/** Somebody who need not pay now: what one of these payments has opened is used. */
export type Admission = { readonly ok: true; readonly payer: string; readonly paid: readonly Pid[] }

/** A payment with the request that brings it: for a guard, verified and not yet worked for. */
export type GuardedPayment = {
  readonly pid: Pid
  readonly payer: string
  /** Seconds since 1970 after which it cannot be settled any more. */
  readonly expiresAt: number
  readonly payment: PaymentPayload
  readonly requirements: PaymentRequirements
  readonly resource: ResourceInfo
  readonly request: ExtensionRequest
}

/** What a guard says: nothing, a refusal, or that the payment repeats an earlier one. */
export type Guarded = undefined | Refusal | RepeatedPayment

/**
 * The payment stands for an earlier one, which is answered in its place; this one is never settled. `replace` is asked only when the earlier one was
 * never settled and never will be: `true` when this payment has taken its place, in one atomic step.
 */
export type RepeatedPayment = { readonly ok: true; readonly earlier: PaymentPayload; replace(): Promise<boolean> }

/** A payment that is settled. */
export type SettledPayment = {
  readonly payer: string
  readonly resource: ResourceInfo
  readonly requirements: PaymentRequirements
  readonly payment: PaymentPayload
  readonly receipt: Receipt
}

/** What a settled payment has opened. */
export type GrantedScope = {
  readonly pid: Pid
  readonly payer: string
  readonly network: string
  readonly scope: string
  /** Milliseconds since 1970; absent where uses are counted instead. */
  readonly expiresAt?: number
}
