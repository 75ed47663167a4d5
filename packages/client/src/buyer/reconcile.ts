import { type Clock, systemClock } from '@groat/core'
import type { IntentEnd } from '../intents.js'
import type { PaymentRecord, Purse } from '../purse.js'
import { findOnChain, type WitnessOptions } from './witness.js'

/** What reconciling is done with. */
export type ReconcileOptions = Required<Pick<WitnessOptions, 'chains'>> & {
  readonly clock?: Clock
  /** Records looked at, the newest first. Default 1000. */
  readonly limit?: number
}

/** What reconciling came to. */
export type Reconciled = {
  /** Payments that a chain was found to have settled. */
  readonly settled: number
  /** Payments that can never be settled any more: their budgets have them back. */
  readonly void: number
  /** Payments that nobody can say anything of yet. */
  readonly pending: number
  /** Receipts that name a transfer which another payment has already. */
  readonly disputed: number
}

/**
 * Asks the chain about every payment of which it has not said anything final: receipts become verified, what can never be settled is given
 * back to its budgets, and what a crash left half-way is closed. A chain that cannot be asked changes nothing.
 *
 * @example
 * await reconcile(purse, { chains: [exactEvmFacilitator({ chains: [chain] })] })
 */
export async function reconcile(purse: Purse, options: ReconcileOptions): Promise<Reconciled> {
  const { chains, clock = systemClock, limit = 1000 } = options
  const records = await purse.records({ limit })
  const credited = new Set(
    records.flatMap(({ note: { chain } }) => (chain?.status === 'settled' ? [markOf(chain)] : [])),
  )
  const count = { settled: 0, void: 0, pending: 0, disputed: 0 }
  for (const record of records) {
    const { intent, note } = record
    if (intent.state === 'open') await close(purse, record)
    if (isClosed(record)) continue
    const found = await findOnChain(intent, chains, clock).catch(() => undefined)
    if (found === undefined || found.status === 'pending') {
      count.pending++
    } else if (found.status === 'void') {
      await close(purse, record, 'void')
      await purse.note(intent.id, { ...note, chain: found })
      count.void++
    } else if (credited.has(markOf(found))) {
      // One transfer pays once. The seller has shown somebody else's.
      count.disputed++
    } else {
      credited.add(markOf(found))
      await purse.note(intent.id, { ...note, chain: found })
      if (intent.state === 'signed' || intent.state === 'dead') await close(purse, record, 'settled', found.transaction)
      count.settled++
    }
  }
  return count
}

function isClosed({ intent, note }: PaymentRecord): boolean {
  return (
    intent.state === 'open' ||
    intent.state === 'unsent' ||
    intent.state === 'void' ||
    note.chain?.status === 'settled' ||
    note.chain?.status === 'void'
  )
}

/** Ends an intent that nobody works on. Claiming an `open` one whose owner is gone closes it by itself: it never left. */
async function close(purse: Purse, { intent }: PaymentRecord, end?: IntentEnd, transaction?: string): Promise<void> {
  const owner = `reconcile.${intent.id}`
  const taken = await purse.take(intent.key, owner)
  if (end !== undefined) await purse.release(intent.id, owner, end, transaction)
  if (taken.intent !== undefined) await purse.release(taken.intent.id, owner)
}

const markOf = ({ transaction, logIndex }: { readonly transaction?: string; readonly logIndex?: number }) =>
  `${transaction} ${logIndex}`
