/** What one payer did with one resource in the last 30 days. */
export type PayerUse = {
  readonly calls: number
  /** Days on which it paid. */
  readonly days: number
  /** Milliseconds since 1970. */
  readonly lastAt: number
  /** Whether it has paid a seller with another account. */
  readonly knowsOthers: boolean
  /** Whether the seller has paid it: money that goes round in a circle. */
  readonly paidBack: boolean
}

/** What is published of a resource's use: the figures, and the rank that is made of them. The names are those that other catalogues have. */
export type Quality = {
  readonly l30DaysTotalCalls: number
  readonly l30DaysUniquePayers: number
  /** Payers who came on two days or more. */
  readonly l30DaysReturningPayers: number
  readonly lastCalledAt?: string
  readonly score: number
}

/**
 * How a resource is ranked (BAZAAR-040 to BAZAAR-043): by its payers and not by its calls. A payer counts once however often it calls, a quarter while it knows no
 * other seller, twice when it came back on another day, half as much every 15 days that it stays away, and nothing where the seller has paid it. The score is
 * `100 · log2(1 + sum)`, so that a hundred accounts of somebody's own are worth less than seven strangers.
 *
 * @example
 * qualityOf([{ calls: 900, days: 1, lastAt: now, knowsOthers: false, paidBack: false }], now).score // 32
 */
export function qualityOf(uses: readonly PayerUse[], now: number): Quality {
  const honest = uses.filter(({ paidBack }) => !paidBack)
  const sum = honest.reduce((total, use) => total + weightOf(use, now), 0)
  const last = Math.max(0, ...honest.map(({ lastAt }) => lastAt))
  return {
    l30DaysTotalCalls: honest.reduce((total, { calls }) => total + calls, 0),
    l30DaysUniquePayers: honest.length,
    l30DaysReturningPayers: honest.filter(({ days }) => days > 1).length,
    ...(last === 0 ? {} : { lastCalledAt: new Date(last).toISOString() }),
    score: Math.round(100 * Math.log2(1 + sum)),
  }
}

function weightOf({ days, lastAt, knowsOthers }: PayerUse, now: number): number {
  const age = Math.max(0, now - lastAt) / DAY_MS
  return (knowsOthers ? 1 : 0.25) * (days > 1 ? 2 : 1) * 0.5 ** (age / 15)
}

export const DAY_MS = 86_400_000

/** Days that count. */
export const WINDOW_DAYS = 30
