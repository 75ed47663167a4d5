import type { Pid, Receipt } from '@groat/core'
import type { Transaction } from 'kysely'
import { type Entry, type HoldMove, holdEntries, saleEntries, useEntry } from './entry.js'
import type { LedgerEventData, LedgerEventType } from './event.js'
import type { Sale } from './sale.js'
import { entryOf, type LedgerTables, rowOf } from './tables.js'

/** A transaction that the books are written in, whatever else is written in it. */
export type BookTransaction = Transaction<LedgerTables>

/** A transaction of the same database, seen with the tables of the books. */
export function withBook<Tables>(trx: Transaction<Tables>): BookTransaction {
  // Kysely's types cannot forget tables; which there are is a matter of the types alone.
  return trx as unknown as BookTransaction
}

/**
 * Writes the books inside the transaction that ends a claim: what is settled and what is written of it are there together or not at all
 * (SRV-060). Writing the same again changes nothing.
 */
export interface Book {
  /** A payment was verified and is about to be settled. */
  verified(trx: BookTransaction, sale: Sale): Promise<void>
  settled(trx: BookTransaction, sale: Sale, receipt: Receipt): Promise<void>
  /** It came to nothing, or what was paid for was not delivered. */
  failed(trx: BookTransaction, type: 'payment_failed' | 'delivery_failed', pid: Pid, at: number): Promise<void>
  /** Uses of what one payment bought were taken, or given back. */
  used(trx: BookTransaction, pid: string, uses: readonly BookedUse[]): Promise<void>
  /** Something was done with money that is held. Of what the books do not know they say nothing. */
  moved(trx: BookTransaction, move: HoldMove, at: number): Promise<void>
  /** Writes entries of one's own, and an event with them. */
  add(trx: BookTransaction, entries: readonly Entry[]): Promise<void>
  tell(
    trx: BookTransaction,
    type: LedgerEventType,
    event: { pid: Pid; at: number; id?: string; data: LedgerEventData },
  ): Promise<void>
}

/** A use, as the store of entitlements knows it. */
export type BookedUse = {
  readonly at: number
  /** How many remain after it was taken; absent for a pass. */
  readonly left: number | undefined
  readonly back?: boolean
  readonly route?: string
  readonly resource?: string
}

/** What a settlement costs, in atomic units of the asset that was paid: what the facilitator charges. */
export type FeeOf = (sale: Sale) => bigint

/** Makes the writer. `isTold`: whether events are to be sent somewhere. */
export function createBook({ feeOf, isTold }: { readonly feeOf: FeeOf; readonly isTold: boolean }): Book {
  const add: Book['add'] = async (trx, entries) => {
    if (entries.length === 0) return
    await trx
      .insertInto('ledger_entry')
      .values(entries.map(rowOf))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  }
  const tell: Book['tell'] = async (trx, type, { pid, at, id = `${type}:${pid}`, data }) => {
    await trx
      .insertInto('ledger_event')
      .values({ id, seq: null, type, at, pid, data: JSON.stringify(data), due_at: isTold ? at : null, failures: 0 })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
  }
  return {
    add,
    tell,
    verified: (trx, sale) => tell(trx, 'payment_verified', { ...sale, data: saleData(sale) }),
    async settled(trx, sale, receipt) {
      const { transaction } = receipt
      await add(trx, saleEntries(sale, transaction, feeOf(sale)))
      await tell(trx, 'payment_settled', { ...sale, data: { ...saleData(sale), transaction } })
    },
    async moved(trx, move, at) {
      const row = await trx
        .selectFrom('ledger_entry')
        .selectAll()
        .where('id', '=', `hold:${move.pid}`)
        .executeTakeFirst()
      if (row !== undefined) await add(trx, holdEntries(entryOf(row), move, at))
    },
    failed: (trx, type, pid, at) => tell(trx, type, { pid, at, id: `${type}:${pid}:${at}`, data: {} }),
    async used(trx, pid, uses) {
      const row = await trx.selectFrom('ledger_entry').selectAll().where('id', '=', `payment:${pid}`).executeTakeFirst()
      if (row === undefined) return
      const paid = entryOf(row)
      const entries = uses.map(({ at, left, ...use }) => {
        const nth = left === undefined || paid.uses === undefined ? 1 : paid.uses - left
        return useEntry(paid, { ...use, id: `usage:${pid}:${globalThis.crypto.randomUUID()}`, at, nth })
      })
      await add(trx, entries)
    },
  }
}

function saleData(sale: Sale): LedgerEventData {
  const { network, scheme, asset, payer, payTo, resource, route, group } = sale
  const amount = sale.amount.toString()
  return { network, scheme, asset, amount, payer, payTo, resource, route, ...(group === undefined ? {} : { group }) }
}
