import { hash } from 'node:crypto'
import type { ErrorCode } from '@groat/core'
import type { SettlementState } from './state.js'
import type { JournalTables } from './tables.js'

/** One step of a settlement, as it is told. */
export type EventStep = {
  readonly pid: string
  /** When the payment was first claimed. */
  readonly claimedAt: number
  readonly from: SettlementState | null
  readonly to: SettlementState
  readonly at: number
  readonly code: ErrorCode | undefined
}

/** Where a writer's chain ends. */
export type ChainEnd = { readonly seq: number; readonly hash: string }

/** Where every chain begins. */
export const CHAIN_START: ChainEnd = { seq: 0, hash: '0'.repeat(64) }

/**
 * Adds an entry to a writer's chain: its hash covers what it says and the hash before it, so that nothing can be changed, left out or
 * put in between without all that follow showing it.
 *
 * @example
 * const { row, end } = chainEvent('replica', CHAIN_START, { pid, claimedAt: 0, from: null, to: 'claimed', at: 0, code: undefined })
 */
export function chainEvent(
  writer: string,
  before: ChainEnd,
  { pid, claimedAt, from, to, at, code }: EventStep,
): { readonly row: JournalTables['event']; readonly end: ChainEnd } {
  const unsealed = {
    writer,
    seq: before.seq,
    pid,
    from_state: from,
    to_state: to,
    at,
    code: code ?? null,
    claimed_at: claimedAt,
    prev_hash: before.hash,
  }
  const hash = eventHash(unsealed)
  return { row: { hash, ...unsealed }, end: { seq: before.seq + 1, hash } }
}

/** What the hash of an entry has to be. */
export function eventHash(row: Omit<JournalTables['event'], 'hash' | 'claimed_at'>): string {
  const { writer, seq, pid, from_state, to_state, at, code, prev_hash } = row
  const said = JSON.stringify([prev_hash, writer, seq, pid, from_state, to_state, at, code])
  return hash('sha256', said)
}
