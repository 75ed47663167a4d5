import type { JsonObject } from './json.js'
import type { Network } from './network.js'

/** The protocol version a message was received in or is to be sent in. Only `codec/` acts on it; everyone else carries it. */
export type X402Version = 1 | 2

/** What is sold. */
export type ResourceInfo = {
  readonly url: string
  readonly description?: string
  readonly mimeType?: string
  readonly serviceName?: string
  readonly tags?: readonly string[]
  readonly iconUrl?: string
}

/** One offer: pay this much of this asset to this account on this network, in this way. */
export type PaymentRequirements = {
  readonly scheme: string
  readonly network: Network
  /** Atomic units. */
  readonly amount: bigint
  readonly asset: string
  readonly payTo: string
  /** Seconds for which what the payer signs may be valid. */
  readonly maxTimeoutSeconds: number
  readonly extra: JsonObject
  /** The object exactly as a peer sent it, unknown members included: what a client echoes. Absent on offers we made. */
  readonly received?: JsonObject
}

/** The challenge: a resource and the offers under which it is had. */
export type PaymentRequired = {
  readonly x402Version: X402Version
  /** A registry code, or a peer's own words. Opaque to programs. */
  readonly error?: string
  readonly resource?: ResourceInfo
  readonly accepts: readonly PaymentRequirements[]
  readonly extensions?: JsonObject
}

/** What a client presents: the offer it chose and the scheme's own signed object. */
export type PaymentPayload = {
  readonly x402Version: X402Version
  readonly scheme: string
  readonly network: Network
  /** The echoed offer. Absent where the version has no echo (v1): the offer is then found by scheme, network and content. */
  readonly accepted?: PaymentRequirements
  /** The scheme's object, not yet checked against the scheme's schema. */
  readonly payload: JsonObject
  readonly resource?: ResourceInfo
  readonly extensions?: JsonObject
}

/** Proof that value moved. */
export type Receipt = {
  readonly payer: string
  readonly network: Network
  /** Transaction hash or signature; empty only where a scheme settles without a transaction. */
  readonly transaction: string
  /** Atomic units that moved, where the scheme says so. */
  readonly amount?: bigint
  readonly extra?: JsonObject
  readonly extensions?: JsonObject
}

/** One (version, scheme, network) that a facilitator verifies and settles. */
export type SupportedKind = {
  readonly x402Version: X402Version
  readonly scheme: string
  readonly network: Network
  readonly extra?: JsonObject
}

/** Everything a facilitator says of itself. */
export type Supported = {
  readonly kinds: readonly SupportedKind[]
  readonly extensions: readonly string[]
  /** Settling accounts by CAIP-2 family pattern, such as `eip155:*`. */
  readonly signers: Readonly<Record<string, readonly string[]>>
}
