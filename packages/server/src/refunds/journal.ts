import { type ErrorCode, encodeFacilitatorRequest, type Pid } from '@groat/core'
import type { AnyStore, Store } from '@groat/store'
import type { Transaction } from 'kysely'
import { type Book, withBook } from '../ledger/book.js'
import type { Entry } from '../ledger/entry.js'
import type { LedgerEventData, LedgerEventType } from '../ledger/event.js'
import { entryOf } from '../ledger/tables.js'
import { migrations as claimMigrations } from '../sql-claim-row.js'
import { type Refund, type RefundAnswer, type RefundAttempt, type RefundState, refundId } from './refund.js'
import { attemptOf, type RefundRow, type RefundTables, refundMigrations, refundOf } from './tables.js'
import { sumsOf, takeBack, unusedOf, usedBy } from './unused.js'

/** What is asked for. */
export type RefundWish = {
  readonly pid: Pid
  /** Names a part, where more than one is given back: the same name is heard once. */
  readonly part?: string
  /** Atomic units; all that is left of what was paid unless told. */
  readonly amount?: bigint
  readonly reason: string
  readonly by: string
  /** The payer asks, and not the seller: it gets what it has not used, and of uses and time all of that or nothing, for a part would leave them open. */
  readonly byPayer?: boolean
  /** Nobody asks: all of it goes back because its own answer was not delivered, or nothing where anything else of it was used. */
  readonly isDue?: boolean
}

/** A refund that is worked on, and the proof that it is ours for now. */
export type Held = { readonly refund: Refund; readonly fence: string; readonly attempt?: RefundAttempt }

/**
 * The journal of refunds. Every method is one transaction; what comes after `take` needs the fence that it gave out, so that of two who work on
 * one refund only the later writes.
 */
export interface RefundJournal {
  /**
   * Writes a refund into a transaction of somebody else's: one of its name at most, and all of a payment's together never above what the books say was
   * paid. `stateOf` decides by the sum of all that are not rejected, this one among them.
   */
  order(
    trx: Transaction<RefundTables>,
    wish: RefundWish,
    stateOf: (sum: bigint, paid: Entry) => 'asked' | 'approved',
  ): Promise<RefundAnswer>
  /** A person decides over one that waits: another than who asked. */
  decide(id: string, by: string, to: 'approved' | 'rejected'): Promise<RefundAnswer>
  take(leaseMs: number): Promise<Held | undefined>
  /** Writes a signature down, before it is shown to anybody. False: it is not ours any more, or there is one already. */
  signed(held: Held, attempt: Omit<RefundAttempt, 'state' | 'transaction'>): Promise<boolean>
  /** It has been paid. False: that transfer stands for another one. */
  settled(held: Held, attempt: RefundAttempt, proof: { transaction: string; evidence: string }): Promise<boolean>
  /** The last signature is proved dead: another may be made. */
  dead(held: Held, attempt: RefundAttempt): Promise<void>
  /** Lets go of it until later. */
  wait(held: Held, ms: number, code?: ErrorCode): Promise<void>
  get(id: string): Promise<Refund | undefined>
  list(states?: readonly RefundState[], limit?: number): Promise<readonly Refund[]>
  /** The books' word on a payment. */
  payment(pid: Pid): Promise<Entry | undefined>
  /** What the books say that a transaction settled. */
  payments(of: Pick<Entry, 'network' | 'transaction'>): Promise<readonly Entry[]>
  /** Transactions of refunds that were paid to the same payer, of the same amount. */
  settledTo(refund: Pick<Refund, 'network' | 'asset' | 'payer' | 'amount'>): Promise<readonly string[]>
  readonly store: Store<RefundTables>
}

/** Opens the journal, in the database of the books. */
export async function createRefundJournal(anyStore: AnyStore, book: Book): Promise<RefundJournal> {
  const store = anyStore.withTables<RefundTables>()
  await store.migrate(refundMigrations)
  // What was sold and what is given back stand in one database.
  await store.migrate(claimMigrations)

  const tell = async (
    trx: Transaction<RefundTables>,
    type: LedgerEventType,
    refund: Refund,
    more: LedgerEventData = {},
  ) => {
    const { id, pid, network, asset, payer, attempt } = refund
    const data = {
      network,
      asset,
      amount: refund.amount.toString(),
      payer,
      reason: refund.reason,
      ...(id === pid ? {} : { part: id.slice(pid.length + 1) }),
      ...more,
    }
    await book.tell(withBook(trx), type, { pid, at: await store.now(trx), id: `${type}:${id}:${attempt}`, data })
  }
  const mine = (trx: Transaction<RefundTables>, { refund: { id }, fence }: Held, set: Partial<RefundRow>) =>
    trx
      .updateTable('refund')
      .set(set)
      .where('pid', '=', id)
      .where('fence', '=', fence)
      .where('state', 'in', ['approved', 'signed'])
      .returning('pid')
      .executeTakeFirst()
  /** The books' word on a payment. */
  const paidOf = async (trx: Transaction<RefundTables>, pid: string): Promise<Entry | undefined> => {
    const row = trx.selectFrom('ledger_entry').selectAll().where('id', '=', `payment:${pid}`)
    const found = await row.executeTakeFirst()
    return found && entryOf(found)
  }
  const rowOf = (id: string) => store.db.selectFrom('refund').selectAll().where('pid', '=', id).executeTakeFirst()

  return {
    store,
    async order(trx, { pid, part, amount, reason, by, byPayer = false, isDue = false }, stateOf) {
      const id = refundId(pid, part)
      if (id === undefined) return { ok: false, code: 'refund_not_found' }
      const paid = await paidOf(trx, pid)
      if (paid === undefined) return { ok: false, code: 'refund_not_found' }
      const sums = await sumsOf(trx, pid)
      const left = paid.amount - sums.all
      const wanted = amount ?? left
      // Vouchers are not money yet: the channel gives back what is not cashed.
      if (paid.debit !== 'wallet') return { ok: false, code: 'refund_not_found' }
      const same = trx.selectFrom('refund').select('pid').where('pid', '=', id)
      if ((await same.executeTakeFirst()) !== undefined || (amount === undefined && left === 0n)) {
        return { ok: false, code: 'refund_exists' }
      }
      if (wanted <= 0n || wanted > left) return { ok: false, code: 'refund_above_paid' }
      const now = await store.now(trx)
      const used = byPayer ? await usedBy(trx, { paid, wanted, now, ...sums }) : undefined
      if (used !== undefined) return used
      if (isDue && (await unusedOf(trx, paid, sums, { now, isDue })).amount < left)
        return { ok: false, code: 'refund_of_used' }
      const state = stateOf(sums.all + wanted, paid)
      const { network, asset, from: payer } = paid
      const refund: RefundRow = {
        ...{ pid: id, payment: pid, state, network, asset, payer },
        ...{ reason: reason.slice(0, 500), asked_by: by, approved_by: null },
        amount: wanted.toString(),
        paid: paid.amount.toString(),
        ...{ attempt: 0, transaction_id: null, code: null, asked_at: now, due_at: now, fence: '', lease_until: 0 },
        by_payer: byPayer ? 1 : 0,
      }
      const made = await trx
        .insertInto('refund')
        .values(refund)
        .onConflict((conflict) => conflict.column('pid').doNothing())
        .returning('pid')
        .executeTakeFirst()
      if (made === undefined) return { ok: false, code: 'refund_exists' }
      if (state === 'approved') await takeBack(trx, refundOf(refund), { byPayer, now })
      await tell(trx, state === 'asked' ? 'refund_asked' : 'refund_approved', refundOf(refund), { by })
      return { ok: true, refund: refundOf(refund) }
    },

    decide: (id, by, to) =>
      store.transaction(async (trx) => {
        const row = await trx.selectFrom('refund').selectAll().where('pid', '=', id).executeTakeFirst()
        if (row === undefined || row.state !== 'asked') return { ok: false, code: 'refund_not_found' }
        // Whoever asked may think better of it, and may not approve.
        if (to === 'approved' && row.asked_by === by) return { ok: false, code: 'refund_needs_other' }
        const byPayer = row.by_payer === 1
        const now = await store.now(trx)
        if (to === 'approved' && byPayer) {
          // It may have been used since it was asked for.
          const paid = await paidOf(trx, row.payment)
          const wanted = BigInt(row.amount)
          const used = paid && (await usedBy(trx, { paid, wanted, now, ...(await sumsOf(trx, paid.pid, id)) }))
          if (used !== undefined) return used
        }
        const set = { state: to, approved_by: by, due_at: now }
        await trx.updateTable('refund').set(set).where('pid', '=', id).where('state', '=', 'asked').execute()
        const refund = refundOf({ ...row, ...set })
        if (to === 'approved') await takeBack(trx, refund, { byPayer, now })
        await tell(trx, to === 'approved' ? 'refund_approved' : 'refund_rejected', refund, { by })
        return { ok: true, refund }
      }),

    async take(leaseMs) {
      const due = await store.db
        .selectFrom('refund')
        .select('pid')
        .where('state', 'in', ['approved', 'signed'])
        .limit(1)
        .executeTakeFirst()
      if (due === undefined) return undefined
      return store.transaction(async (trx) => {
        const now = await store.now(trx)
        const row = await trx
          .selectFrom('refund')
          .selectAll()
          .where('state', 'in', ['approved', 'signed'])
          .where('due_at', '<=', now)
          .where('lease_until', '<=', now)
          .orderBy('due_at')
          .limit(1)
          .executeTakeFirst()
        if (row === undefined) return undefined
        const fence = globalThis.crypto.randomUUID()
        await trx
          .updateTable('refund')
          .set({ fence, lease_until: now + leaseMs })
          .where('pid', '=', row.pid)
          .execute()
        const attempt = await trx
          .selectFrom('refund_attempt')
          .selectAll()
          .where('pid', '=', row.pid)
          .where('attempt', '=', row.attempt)
          .executeTakeFirst()
        return { refund: refundOf(row), fence, ...(attempt === undefined ? {} : { attempt: attemptOf(attempt) }) }
      })
    },

    signed: (held, { id, attempt, refundPid, from, request, expiresAt }) =>
      store.transaction(async (trx) => {
        const ours = await mine(trx, held, { state: 'signed' })
        if (ours === undefined) return false
        const made = await trx
          .insertInto('refund_attempt')
          .values({
            ...{ refund_pid: refundPid, pid: id, attempt, from_account: from, expires_at: expiresAt },
            request: JSON.stringify(encodeFacilitatorRequest(request)),
            ...{ state: 'signed', transaction_id: null, evidence: null },
          })
          .onConflict((conflict) => conflict.columns(['pid', 'attempt']).doNothing())
          .returning('pid')
          .executeTakeFirst()
        if (made !== undefined) await tell(trx, 'refund_sent', held.refund)
        return made !== undefined
      }),

    settled: (held, { refundPid, from }, { transaction, evidence }) =>
      store.transaction(async (trx) => {
        const { refund } = held
        const other = await trx
          .selectFrom('refund_attempt')
          .select('refund_pid')
          .where('evidence', '=', evidence)
          .executeTakeFirst()
        if (other !== undefined && other.refund_pid !== refundPid) return false
        // What is paid is paid, whoever holds the refund by now.
        const ended = await trx
          .updateTable('refund')
          .set({ state: 'settled', transaction_id: transaction, code: null })
          .where('pid', '=', refund.id)
          .where('state', 'in', ['approved', 'signed'])
          .returning('pid')
          .executeTakeFirst()
        if (ended === undefined) return true
        const end = { state: 'settled', transaction_id: transaction, evidence } as const
        await trx.updateTable('refund_attempt').set(end).where('refund_pid', '=', refundPid).execute()
        const row = await trx
          .selectFrom('ledger_entry')
          .selectAll()
          .where('id', '=', `payment:${refund.pid}`)
          .executeTakeFirstOrThrow()
        const { fiat: _, uses: __, ...paid } = entryOf(row)
        const at = await store.now(trx)
        const given = { id: `refund:${refund.id}`, kind: 'refund', debit: 'refunds', credit: 'wallet' } as const
        const entry: Entry = {
          ...paid,
          ...given,
          at,
          amount: refund.amount,
          from,
          to: refund.payer,
          transaction,
          description: refund.reason,
        }
        await book.add(withBook(trx), [entry])
        await tell(trx, 'refund_settled', refund, { transaction })
        return true
      }),

    dead: (held, { refundPid }) =>
      store.transaction(async (trx) => {
        const { refund } = held
        const now = await store.now(trx)
        const set = { state: 'approved', attempt: refund.attempt + 1, due_at: now, lease_until: 0 } as const
        if ((await mine(trx, held, set)) === undefined) return
        await trx.updateTable('refund_attempt').set({ state: 'dead' }).where('refund_pid', '=', refundPid).execute()
        await tell(trx, 'refund_failed', refund)
      }),

    wait: (held, ms, code) =>
      store.transaction(async (trx) => {
        const due_at = (await store.now(trx)) + ms
        await mine(trx, held, { due_at, lease_until: 0, ...(code === undefined ? {} : { code }) })
      }),

    async get(id) {
      const row = await rowOf(id)
      return row === undefined ? undefined : refundOf(row)
    },
    async list(states, limit = 100) {
      const query = store.db.selectFrom('refund').selectAll().orderBy('asked_at', 'desc').orderBy('pid').limit(limit)
      return (await (states === undefined ? query : query.where('state', 'in', states)).execute()).map(refundOf)
    },
    async payment(pid) {
      const row = await store.db
        .selectFrom('ledger_entry')
        .selectAll()
        .where('id', '=', `payment:${pid}`)
        .executeTakeFirst()
      return row === undefined ? undefined : entryOf(row)
    },
    async payments({ network, transaction }) {
      const rows = await store.db
        .selectFrom('ledger_entry')
        .selectAll()
        .where('transaction_id', '=', transaction)
        .where('network', '=', network)
        .where('kind', '=', 'payment')
        .orderBy('at')
        .orderBy('id')
        .limit(1_000)
        .execute()
      return rows.map(entryOf)
    },
    async settledTo({ network, asset, payer, amount }) {
      const rows = await store.db
        .selectFrom('refund')
        .select('transaction_id')
        .where('state', '=', 'settled')
        .where('network', '=', network)
        .where('asset', '=', asset)
        .where('payer', '=', payer)
        .where('amount', '=', amount.toString())
        .execute()
      return rows.flatMap((row) => (row.transaction_id === null ? [] : [row.transaction_id]))
    },
  }
}
