import type { ErrorCode, Refusal } from '@groat/core'

/** A refusal, and the rule that decided. */
export type RuleRefusal = Refusal & { readonly rule: string }

/** What a payment takes out of one budget. Budgets of money and of numbers of payments are counted alike. */
export type Charge = {
  /** The policy's word for this budget, such as `perDay`. */
  readonly rule: string
  readonly code: ErrorCode
  /** Names what is counted together, such as everything that one origin gets. */
  readonly counter: string
  /** The slice of time that it is booked under. */
  readonly slot: number
  /** The first slice that still counts. */
  readonly since: number
  /** What is taken: 10^-18 of a whole unit of money, or payments. */
  readonly units: bigint
  /** Most that may be taken in all slices that count. */
  readonly limit: bigint
}

/** Something to be remembered for later decisions. */
export type Fact = {
  readonly key: string
  readonly value: string
  /** With it, a fact that already has another value is kept, and the payment is refused. */
  readonly fixed?: { readonly rule: string; readonly code: ErrorCode }
}

/** What is written down together with an intent, in one step: all of it or nothing. */
export type Entry = {
  readonly charges: readonly Charge[]
  readonly facts: readonly Fact[]
  /** The challenge as it was received. */
  readonly terms: string
  /** What the caller said of the payment: its task, its principal, its mandate. */
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Why a charge does not fit: what is already taken, of how much. `undefined` when it fits.
 *
 * @example
 * overdrawn(charge, 42n) // undefined
 */
export function overdrawn({ rule, code, units, limit }: Charge, taken: bigint): RuleRefusal | undefined {
  return taken + units > limit ? { ok: false, code, rule } : undefined
}
