import { assetByAddress, formatUnits, v1NameOf, type X402Event } from '@groat/core'

/** A payment as the page shows it. */
export type PaymentNews = {
  readonly at: number
  readonly resource: string
  readonly outcome: 'settled' | 'refused' | 'unknown'
  /** Decimal text in whole units. */
  readonly amount: string
  readonly payer: string
  /** Name of the chain. */
  readonly network: string
  readonly transaction?: string
}

/** What happened so far, and word of what happens next. */
export type Feed = {
  add(news: PaymentNews): void
  recent(): readonly PaymentNews[]
  /** Calls back for each payment; the result ends it. */
  follow(listener: (news: PaymentNews) => void): () => void
}

/** Remembers the last payments and tells whoever listens. */
export function createFeed(keep = 50): Feed {
  const recent: PaymentNews[] = []
  const listeners = new Set<(news: PaymentNews) => void>()
  return {
    add(news) {
      recent.push(news)
      if (recent.length > keep) recent.shift()
      for (const listener of listeners) listener(news)
    },
    recent: () => recent,
    follow(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** The news in a server event; `undefined` for events that are none. */
export function newsOf({
  type,
  at,
  resource,
  payer,
  network,
  asset,
  amount,
  transaction,
}: X402Event): PaymentNews | undefined {
  const outcome = outcomes[type]
  if (outcome === undefined || payer === undefined) return undefined
  const token = network && asset && assetByAddress(network, asset)
  return {
    at,
    resource: resource === undefined ? '' : new URL(resource).pathname,
    outcome,
    amount: amount === undefined || !token ? '' : `${formatUnits(amount, token.decimals)} ${token.symbol}`,
    payer,
    network: network === undefined ? '' : (v1NameOf(network) ?? network),
    ...(transaction === undefined ? {} : { transaction }),
  }
}

const outcomes: Partial<Record<X402Event['type'], PaymentNews['outcome']>> = {
  payment_settled: 'settled',
  payment_refused: 'refused',
  settlement_unknown: 'unknown',
}
