/** What the page is told: the challenge, and what the seller says besides. Written by the gate, so its form is known. */
export type PageData = {
  readonly title?: string
  readonly resource: { readonly url: string; readonly description?: string; readonly serviceName?: string }
  readonly offers: readonly PageOffer[]
  /** Solana nodes by network, for blockhashes. */
  readonly rpc: Readonly<Record<string, string>>
}

/** One way to pay. */
export type PageOffer = {
  readonly scheme: string
  readonly network: string
  /** What people call the network. */
  readonly name: string
  /** `0.001 USDC`. */
  readonly price: string
  /** The same as a policy has it: `$0.001`, whatever the asset. Absent for a token that nobody here knows. */
  readonly limit?: string
  readonly payTo: string
  /** What one payment buys, where it is more than this answer. */
  readonly buys?: string
}

/** Reads it from the page. */
export function readPageData(): PageData {
  // The gate wrote it: see `paywallPage`.
  return JSON.parse(document.getElementById('offer')?.textContent ?? '{}') as PageData
}
