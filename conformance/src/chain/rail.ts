import type { Family } from '../model/result.js'
import type { Terms } from '../wire/messages.js'

/** Who pays: an account of the kit with money of its own. */
export type Payer = { readonly address: string; readonly key: string }

/** A movement of the asset on the chain. */
export type Transfer = { readonly from: string; readonly to: string; readonly amount: bigint }

/** What a check changes about a payment before it is signed or after. */
export type Tweak = {
  /** Before signing. */
  readonly terms?: Partial<Terms>
  /** Another key than the payer's. */
  readonly signWith?: string
}

/**
 * A chain that the kit owns, and how payments on it are made. Every check takes payers and recipients of its own, so that
 * checks do not see each other's money.
 */
export interface Rail {
  readonly family: Family
  readonly network: string
  readonly v1Network: string
  readonly asset: string
  readonly rpcUrl: string
  /** A new account that holds so many atomic units. */
  payer(holds: bigint): Promise<Payer>
  /** A new account that can be paid. */
  recipient(): Promise<string>
  /** Terms of an offer. `sponsor`: what the facilitator says of itself, for chains on which it takes part in the payment. */
  terms(payTo: string, amount: bigint, sponsor: Sponsor): Terms
  /** The payload of a payment under these terms. `nonce`: 32 bytes in hex that it is to bear where its scheme writes a nonce, as many as have room there; random unless told. */
  pay(payer: Payer, terms: Terms, nonce?: string): Promise<unknown>
  balance(address: string): Promise<bigint>
  /** The movements of the asset in one transaction; undefined when the chain does not have it, or it failed. */
  transfersIn(transaction: string): Promise<readonly Transfer[] | undefined>
  /** How many transfers left this account since it was made. */
  transfersOf(payer: Payer): Promise<number>
  /** The identity of a payment, as the specification computes it. */
  identity(terms: Terms, payload: unknown): string
  stop(): Promise<void>
}

/** What a facilitator adds to offers on a chain. */
export type Sponsor = { readonly feePayer?: string }
