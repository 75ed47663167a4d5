/**
 * How far a settlement has come. It only moves forward:
 *
 * - `claimed`: it is ours to settle; nothing has been signed, so nothing can have left.
 * - `signed`: the bytes of a transaction are in the journal; they may have left.
 * - `sent`: a node has taken them.
 * - `settled`: there is evidence on chain.
 * - `refused`: it was turned down before anything was signed. That binds nobody: the next presentation starts over.
 * - `dead`: something was signed, and it is proven that the payment can never settle any more.
 */
export type SettlementState = 'claimed' | 'signed' | 'sent' | 'settled' | 'refused' | 'dead'

/** Every step there is. What is missing here does not happen. */
export const edges: Readonly<Record<SettlementState, readonly SettlementState[]>> = {
  claimed: ['signed', 'settled', 'refused'],
  signed: ['sent', 'settled', 'dead'],
  sent: ['settled', 'dead'],
  settled: [],
  refused: ['claimed'],
  dead: [],
}

/** States that somebody still has to carry to an end. */
export const openStates = ['claimed', 'signed', 'sent'] as const satisfies readonly SettlementState[]

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

/** Attempts that may still land. A payment never has two of them. */
export const liveStatuses = ['signed', 'sent'] as const satisfies readonly AttemptStatus[]

/**
 * Tells whether a transaction may still land.
 *
 * @example
 * isLive({ status: 'void' }) // false
 */
export function isLive({ status }: { readonly status: AttemptStatus }): boolean {
  return status === 'signed' || status === 'sent'
}
