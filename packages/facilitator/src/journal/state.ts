/**
 * How far a settlement has come:
 *
 * - `claimed`: it is ours to settle; nothing has been signed, so nothing can have left.
 * - `signed`: the bytes of a transaction are in the journal; they may have left.
 * - `sent`: a node has taken them.
 * - `mined`: there is evidence on chain, in a block that is not yet deep enough for this value.
 * - `settled`: there is evidence on chain, as deep as this value asks: this is said to whoever asks.
 * - `final`: its block can not be undone any more.
 * - `reorged`: the block with the evidence is gone. The transaction goes out again.
 * - `refused`: it was turned down before anything was signed. That binds nobody: the next presentation starts over.
 * - `dead`: something was signed, and it is proven that the payment can never settle any more.
 */
export type SettlementState =
  | 'claimed'
  | 'signed'
  | 'sent'
  | 'mined'
  | 'settled'
  | 'final'
  | 'reorged'
  | 'refused'
  | 'dead'

/** Every step there is. What is missing here does not happen. It goes forward only, but for a chain that undoes blocks, and says so. */
export const edges: Readonly<Record<SettlementState, readonly SettlementState[]>> = {
  claimed: ['signed', 'mined', 'settled', 'refused'],
  signed: ['sent', 'mined', 'settled', 'dead'],
  sent: ['mined', 'settled', 'dead'],
  mined: ['settled', 'reorged'],
  settled: ['final', 'reorged'],
  final: [],
  reorged: ['sent', 'mined', 'settled', 'dead'],
  refused: ['claimed'],
  dead: [],
}

/**
 * What some replica looks after, and why: `open` has still to be carried to an end, `settled` relies on a block that may still be undone, and `mined` is both.
 * Most steps leave it as it is, and with it the indexes that find by it.
 */
export type Phase = 'open' | 'mined' | 'settled'

/** The phase of each state; null: nobody looks after it any more. */
export const phases: Readonly<Record<SettlementState, Phase | null>> = {
  claimed: 'open',
  signed: 'open',
  sent: 'open',
  mined: 'mined',
  settled: 'settled',
  final: null,
  reorged: 'open',
  refused: null,
  dead: null,
}

/** What has still to be carried to an end. */
export const openPhases = ['open', 'mined'] as const satisfies readonly Phase[]

/** Where a block of the chain is relied on that may still be undone. */
export const watchedPhases = ['mined', 'settled'] as const satisfies readonly Phase[]

/**
 * Tells whether a settlement in this state still has to be carried to an end.
 *
 * @example
 * isOpen('sent') // true
 */
export function isOpen(state: SettlementState): boolean {
  return edges[state].includes('settled')
}

/** A transaction of ours: `signed`, `sent`, then `landed` (it moved the money), `failed` (included, moved nothing) or `void` (its nonce is gone). */
export type AttemptStatus = 'signed' | 'sent' | 'landed' | 'failed' | 'void'

/** Attempts that may still land. Those of one payment all have the same nonce: at most one of them ever does. */
export const liveStatuses = ['signed', 'sent'] as const satisfies readonly AttemptStatus[]

/** A payment's place in a transaction. */
export type RideStatus = 'live' | 'landed' | 'failed' | 'void'

/**
 * Tells whether a transaction may still land.
 *
 * @example
 * isLive({ status: 'void' }) // false
 */
export function isLive({ status }: { readonly status: AttemptStatus }): boolean {
  return status === 'signed' || status === 'sent'
}
