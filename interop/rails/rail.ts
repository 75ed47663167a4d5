import type { Listening } from '../peers/listen.js'

/** One chain, and every peer that plays a role on it. A new chain family is one more of these. */
export type Rail = {
  /** For the names of tests. */
  readonly name: string
  start(): Promise<RailChain>
  readonly clients: Readonly<Record<string, (key: string, chain: RailChain) => PayingFetch | Promise<PayingFetch>>>
  readonly servers: Readonly<Record<string, StartServer<Listening>>>
  readonly facilitators: Readonly<Record<string, (chain: RailChain, key: string) => Promise<Listening>>>
  /** Servers of version 2 alone cannot be paid by clients of version 1 alone, and the other way round. */
  readonly pairings: readonly (readonly [client: string, server: string])[]
  /** What a transaction is called on this chain. */
  readonly transaction: RegExp
  readonly ours: {
    readonly facilitator: (chain: RailChain, key: string) => Promise<Listening>
    readonly express: StartServer<OurServer>
    readonly hono: StartServer<OurServer>
  }
  /** The official paying fetch, over a fetch of the test. */
  officialFetch(key: string, chain: RailChain, base?: typeof fetch): typeof fetch | Promise<typeof fetch>
  /** A key that has nothing. */
  readonly poorKey: string
  /** Changes what was signed, and what our facilitator says to it. */
  tamper(payload: Record<string, unknown>): void
  readonly tampered: string
}

/** A running chain. */
export type RailChain = {
  readonly rpcUrl: string
  account(role: Role): { readonly address: string; readonly key: string }
  /** Atomic units. */
  balance(address: string): Promise<bigint>
  /** Transfers of a payer so far. */
  transfers(payer: string): Promise<number>
  /** Makes two equal payments two: clients of version 1 on Solana tell them apart by the block alone. */
  nextBlock?(): Promise<unknown>
  stop(): Promise<void>
}

export type Role = 'payer' | 'payer2' | 'payer3' | 'payer4' | 'seller' | 'facilitator' | 'facilitator2'

/** A server of ours counts how often its handler ran. */
export type OurServer = Listening & { readonly served: () => number }

export type StartServer<T> = (facilitatorUrl: string, payTo: string, price: string) => Promise<T>

/** Any client as a function from a URL to an answer, with the receipt header it could read. */
export type PayingFetch = (
  url: string,
) => Promise<{ readonly status: number; json(): Promise<unknown>; readonly receipt: string | null }>

/** A paying client from a fetch. */
export const fetched =
  (fetch: (url: string) => Promise<Response>, header = 'PAYMENT-RESPONSE'): PayingFetch =>
  async (url) => {
    const response = await fetch(url)
    return { status: response.status, json: () => response.json(), receipt: response.headers.get(header) }
  }
