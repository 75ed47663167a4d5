import type { X402Event } from '@groat/core'

/** A payment as the page shows it. */
export type PaymentNews = {
  readonly at: number
  readonly resource: string
  readonly outcome: 'settled' | 'refused' | 'unknown'
  /** Decimal text in whole units. */
  readonly amount: string
  readonly payer: string
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
export function newsOf(event: X402Event, formatAmount: (atomic: bigint) => string): PaymentNews | undefined {
  const outcome = outcomes[event.type]
  if (outcome === undefined || event.payer === undefined) return undefined
  return {
    at: event.at,
    resource: event.resource === undefined ? '' : new URL(event.resource).pathname,
    outcome,
    amount: event.amount === undefined ? '' : formatAmount(event.amount),
    payer: event.payer,
    ...(event.transaction === undefined ? {} : { transaction: event.transaction }),
  }
}

const outcomes: Partial<Record<X402Event['type'], PaymentNews['outcome']>> = {
  payment_settled: 'settled',
  payment_refused: 'refused',
  settlement_unknown: 'unknown',
}
