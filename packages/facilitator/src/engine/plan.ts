import { type ChainOutcome, type Refusal, refuse, type SendOutcome } from '@groat/core'
import type { Attempt, Evidence, SettlementRecord } from '../journal/record.js'
import { isLive, isOpen } from '../journal/state.js'

/** Everything a settlement's next step is decided by. */
export type Known = {
  readonly record: Pick<SettlementRecord, 'state' | 'expiresAt' | 'attempts' | 'evidence'>
  /** What the last check at the current state of the chain refused with. */
  readonly verdict?: Refusal
  /** The payer has the money, but earlier payments of it, which are under way, will take it. */
  readonly crowded?: boolean
  /** The block of what the chain said is as deep as this value asks. */
  readonly isDeep?: boolean
  /** The chain still has the block that showed it, or the node that was asked is not as far; whatever else that node says of the payment. */
  readonly stands?: boolean
  /** What the chain said; absent when it has not been asked since something was done. */
  readonly chain?: ChainOutcome
  /** The nonce of the live transaction was gone, for long enough that every node must show what took it, before the chain was asked. */
  readonly gone?: boolean
  /** What the node said to the live transaction; absent when it was not sent since the last wait. */
  readonly said?: SendOutcome
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What to do next. */
export type Step =
  /** Nothing: the journal has its end. */
  | { readonly do: 'done' }
  /** Check everything at the current state of the chain; if it is good, sign and write down. */
  | { readonly do: 'check' }
  /** Ask the chain what became of it. */
  | { readonly do: 'look' }
  /** Send bytes that are in the journal. */
  | { readonly do: 'send'; readonly attempt: Attempt }
  /** Write down that a transaction can move nothing any more. */
  | { readonly do: 'close'; readonly attempt: Attempt; readonly as: 'failed' | 'void' }
  /** Nothing is known that was not known before: wait. */
  | { readonly do: 'wait' }
  /** Write down what the chain showed, though its block is not deep enough yet. */
  | { readonly do: 'mine'; readonly evidence: Evidence }
  /** Write down that the block is gone which it showed it in. */
  | { readonly do: 'undo' }
  /** Write down the end. */
  | { readonly do: 'settle'; readonly evidence: Evidence }
  | { readonly do: 'refuse'; readonly refusal: Refusal }
  | { readonly do: 'bury'; readonly refusal: Refusal }

/** Nonces that are signed under for one payment before we only watch it: each one that fails costs gas. */
export const MAX_ATTEMPTS = 3

/**
 * The next step of a settlement. Pure: the same knowledge gives the same step.
 *
 * It keeps the laws: a second transaction is signed only when the first can provably not land; a payment for which something was signed
 * ends by what the chain shows and by nothing else; what has ended is not touched.
 *
 * @example
 * plan({ record: { state: 'claimed', expiresAt, attempts: [] }, now: clock() }) // { do: 'check' }
 */
export function plan(known: Known): Step {
  const { record, chain } = known
  if (!isOpen(record.state)) return { do: 'done' }
  if (chain?.status === 'settled') return planSettled(known, chain)
  if (record.state === 'mined') return planMined(known)
  if (record.state === 'claimed') return planUnsigned(known)
  if (chain?.status === 'dead') return { do: 'bury', refusal: chain.refusal }
  const live = record.attempts.filter(isLive)
  const [first] = live
  return first === undefined ? planAnother(known) : planLive(known, first, live)
}

/** Settled is said as soon as its block is deep enough; until then it is written down which block that is. */
function planSettled({ record, isDeep = true }: Known, evidence: Evidence): Step {
  const { evidence: before } = record
  const hasMoved = before !== undefined && before.blockHash !== evidence.blockHash
  if (record.state === 'mined' && hasMoved) return { do: 'undo' }
  if (isDeep) return { do: 'settle', evidence }
  return record.state === 'mined' ? { do: 'wait' } : { do: 'mine', evidence }
}

/** It was in a block; a node that has not seen that block says nothing of it. */
function planMined({ chain, stands }: Known): Step {
  if (chain === undefined) return { do: 'look' }
  return { do: stands ? 'wait' : 'undo' }
}

/** Nothing can have left: a refusal may end it. But somebody else may have landed it, so the chain is asked first. */
function planUnsigned({ record, verdict, crowded, chain, now }: Known): Step {
  if (crowded === true && now < record.expiresAt * 1000) return { do: 'wait' }
  const refusal = verdict ?? (now >= record.expiresAt * 1000 ? refuse('payment_expired') : undefined)
  if (refusal === undefined) return { do: 'check' }
  return chain === undefined ? { do: 'look' } : { do: 'refuse', refusal }
}

function planLive({ chain, said, gone }: Known, live: Attempt, all: readonly Attempt[]): Step {
  const failed = chain?.status === 'reverted' && all.find(({ transaction }) => transaction.hash === chain.transaction)
  if (failed) return { do: 'close', attempt: failed, as: 'failed' }
  if (said === undefined && live.status === 'signed' && chain === undefined) return { do: 'send', attempt: live }
  if (chain === undefined) return { do: 'look' }
  // The nonce went to another transaction, and after that the chain knew nothing of ours: these bytes are worth nothing. A node that only says so
  // when they are sent may mean these very bytes.
  if (gone === true) return { do: 'close', attempt: live, as: 'void' }
  return { do: 'wait' }
}

/** Everything signed so far is provably gone, and the payment may be alive. */
function planAnother({ record, verdict, crowded, chain, now }: Known): Step {
  if (chain === undefined) return { do: 'look' }
  const failed =
    chain.status === 'reverted' &&
    record.attempts.find(({ status, transaction }) => status === 'void' && transaction.hash === chain.transaction)
  // Its number was thought to be gone before its failure was final.
  if (failed) return { do: 'close', attempt: failed, as: 'failed' }
  if (crowded === true || (chain.status === 'pending' && chain.alone === true)) return { do: 'wait' }
  const spent = new Set(record.attempts.map(({ slot }) => slot)).size
  const another = verdict === undefined && spent < MAX_ATTEMPTS && now < record.expiresAt * 1000
  return { do: another ? 'check' : 'wait' }
}

/**
 * How long to wait before the chain is asked again, in milliseconds: quick at first, then in proportion to the age, once a second at most;
 * after a minute every five seconds, after hours ever more seldom, for some payments live for years.
 *
 * @example
 * pollDelay(0) // 5
 */
export function pollDelay(age: number): number {
  if (age < 60_000) return Math.min(Math.max(age / 2, 5), 1000)
  return Math.min(Math.max(age / 720, 5000), 600_000)
}
