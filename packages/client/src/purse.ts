import type { Charge, RuleRefusal } from './entry.js'
import type { Intent, IntentEnd, Intents } from './intents.js'

/**
 * A store of intents that also keeps the budgets, and remembers. A payment is charged in the same step in which its intent is written, so
 * no number of parallel calls or processes gets past a budget; and it stays charged unless it never left or is proven void.
 */
export interface Purse extends Intents {
  /** Facts by their keys, and what is taken of each charge's budget. */
  recall(facts: readonly string[], charges: readonly Counter[]): Promise<Memory>
  /** Remembers a fact; without a value, forgets it. */
  remember(key: string, value: string | undefined): Promise<void>
  /** Adds to what is kept of a payment. */
  note(id: string, note: Note): Promise<void>
  /** What is kept of payments, the newest first. */
  records(filter?: RecordFilter): Promise<readonly PaymentRecord[]>
}

/** Which counter, and from which slice of time on. */
export type Counter = Pick<Charge, 'counter' | 'since'>

/** What a purse remembers. */
export type Memory = {
  readonly facts: ReadonlyMap<string, string>
  /** Units taken, in the order in which the counters were asked for. */
  readonly taken: readonly bigint[]
}

/** What became known of a payment after it was signed. */
export type Note = {
  /** The seller's receipt, as it came in its header. */
  readonly receipt?: string
  readonly httpStatus?: number
  /** SHA-256 of the answer's body, where it was small enough to be read along. */
  readonly answerDigest?: string
  readonly answerBytes?: number
  /** SHA-256 of the document in which the seller's site named its keys when the signed receipt was verified; whoever keeps it remembers the document itself. */
  readonly siteKeys?: string
  /** What a chain said of the payment. */
  readonly chain?: ChainFinding
}

/** What a chain says of a payment, and when it was asked. */
export type ChainFinding = {
  readonly status: 'settled' | 'void' | 'pending'
  readonly transaction?: string
  readonly logIndex?: number
  readonly blockNumber?: string
  readonly blockHash?: string
  /** Atomic units that moved. */
  readonly amount?: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Everything that is kept of one payment. */
export type PaymentRecord = {
  readonly intent: Intent
  /** The challenge as it was received. */
  readonly terms: string
  readonly metadata: Readonly<Record<string, string>>
  readonly note: Note
}

/** Which records. */
export type RecordFilter = {
  readonly id?: string
  readonly state?: readonly Intent['state'][]
  /** Milliseconds since 1970. */
  readonly since?: number
  readonly limit?: number
}

/** Whether a payment that ended so is no longer counted. */
export function isFreed(end: IntentEnd | undefined): boolean {
  return end === 'unsent' || end === 'void'
}

/** The fact that stops every payment, whatever the policy. */
export const STOPPED = 'stopped'

/** The refusal of a purse that was told to stop. */
export function stoppedBy(reason: string): RuleRefusal {
  return {
    ok: false,
    code: 'payments_stopped',
    rule: 'stopped',
    ...(reason !== '' && { detail: reason.slice(0, 200) }),
  }
}

/**
 * Slices of a counter that are kept when they count no more: clocks of processes differ, and one that was ahead and is put right must not find its budget
 * unspent. Of a budget per hour it is two days, of one per day more than three weeks.
 */
export const KEPT_SLOTS = 600
