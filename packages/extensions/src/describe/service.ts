import type { JsonObject, PaymentRequirements, ResourceInfo } from '@groat/core'

/** A seller and what it sells: what every document that describes it is made of. */
export type DescribedService = {
  /** Where buyers reach it, from configuration and never from a request. */
  readonly origin: string
  readonly title: string
  readonly description?: string
  /** Of the API. Default `1.0.0`. */
  readonly version?: string
  /** For people. */
  readonly documentation?: string
  readonly contact?: string
  readonly iconUrl?: string
  /** An A2A endpoint, where there is one; only then there is an agent card. */
  readonly agent?: {
    readonly url: string
    readonly binding?: 'JSONRPC' | 'HTTP+JSON' | 'GRPC'
    readonly protocolVersion?: string
  }
  readonly routes: readonly DescribedRoute[]
}

/** One route and what it costs. */
export type DescribedRoute = {
  readonly method: string
  /** With `:name`, `[name]` or `{name}` for what varies. */
  readonly path: string
  /** What it is, in words. */
  readonly about: Omit<ResourceInfo, 'url'>
  /** What a request is asked to pay; empty where that depends on the request. A free route has `free`. */
  readonly offers: readonly DescribedOffer[]
  readonly free?: boolean
  /** What is had is a WebSocket: the request is its handshake. */
  readonly websocket?: boolean
  /** The price in words, such as `$0.001`. */
  readonly price?: string
  /** What its challenges announce, by extension; `bazaar` says how it is called. */
  readonly extensions?: JsonObject
}

/** One way to pay. `ceiling`: the amount is the most that is charged, and use decides. */
export type DescribedOffer = { readonly requirements: PaymentRequirements; readonly ceiling?: boolean }

/** A document, ready to be served or written. */
export type ServiceDocument = { readonly path: string; readonly type: string; readonly body: string }
