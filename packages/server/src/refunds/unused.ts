import type { Pid } from '@groat/core'
import type { ExpressionBuilder, Transaction } from 'kysely'
import type { Entry } from '../ledger/entry.js'
import type { Refund, RefundAnswer } from './refund.js'
import type { RefundTables } from './tables.js'

/** What of a payment nobody has used, in atomic units, refunds that are agreed on taken off. */
export type Unused = {
  readonly amount: bigint
  /** Uses or time, which money is given back for all together or not at all. */
  readonly isOneThing: boolean
}

/** What of a payment's refunds counts already. */
export type Sums = {
  /** Atomic units of all that are not rejected. */
  readonly all: bigint
  /** Of those that are agreed on: their part of a credit is gone from it. */
  readonly agreed: bigint
}

/**
 * What of a payment was not used: each use of a bundle is its share of the price, a credit is what is left of it, and a pass is used once it has opened anything
 * beside its own answer, or is over. What was bought as one answer is not used, for no books say how much of it was good. Nobody uses more of it before the
 * transaction has ended. `isDue`: its own answer is still owed, and will not be delivered.
 */
export async function unusedOf(
  trx: Transaction<RefundTables>,
  paid: Entry,
  sums: Sums,
  { now, isDue }: { readonly now: number; readonly isDue: boolean },
): Promise<Unused> {
  const { pid, uses } = paid
  // The row is taken hold of before it is read: uses may be taken from it now.
  const row = await trx
    .updateTable('server_entitlement')
    .set((eb) => ({ left_uses: eb.ref('left_uses') }))
    .where('pid', '=', pid)
    .returningAll()
    .executeTakeFirst()
  const rest = paid.amount - sums.all
  if (row?.credit != null)
    return { amount: atMost(rest, BigInt(row.credit) - sums.all + sums.agreed), isOneThing: false }
  const isOver = row?.expires_at != null && row.expires_at <= now
  if (uses !== undefined) {
    // Before anything is opened, all but the first are left.
    const left = isOver ? 0 : (row?.left_uses ?? uses - 1)
    const used = uses - left - (isDue || (await isOwed(trx, pid, now)) ? 1 : 0)
    return { amount: atMost(rest, rest - (paid.amount * BigInt(used)) / BigInt(uses)), isOneThing: true }
  }
  if (row === undefined || row.scope === NOTHING) return { amount: rest, isOneThing: false }
  return { amount: isOver || (await timesUsed(trx, pid)) > 0 ? 0n : rest, isOneThing: true }
}

/** What of a payment was agreed on or is asked for, but for one refund that is looked at. */
export async function sumsOf(trx: Transaction<RefundTables>, pid: Pid, but?: string): Promise<Sums> {
  const rows = await trx.selectFrom('refund').select(['pid', 'state', 'amount']).where('payment', '=', pid).execute()
  const parts = rows.filter((each) => each.pid !== but && each.state !== 'rejected')
  const sum = (some: typeof rows) => some.reduce((all, { amount }) => all + BigInt(amount), 0n)
  return { all: sum(parts), agreed: sum(parts.filter(({ state }) => state !== 'asked')) }
}

/** Why a payer may not have what it asks for; `undefined`: it may. */
export async function usedBy(
  trx: Transaction<RefundTables>,
  { paid, wanted, now, ...sums }: { readonly paid: Entry; readonly wanted: bigint; readonly now: number } & Sums,
): Promise<Extract<RefundAnswer, { readonly ok: false }> | undefined> {
  const { amount: unused, isOneThing } = await unusedOf(trx, paid, sums, { now, isDue: false })
  if (wanted > unused) return { ok: false, code: 'refund_of_used', unused }
  return isOneThing && wanted < unused ? { ok: false, code: 'refund_denied', unused } : undefined
}

/**
 * What the money has bought goes with it: what is owed, kept or opened, also what would be opened only when the payment comes again. Of a credit goes as much as is
 * given back, below nothing where uses that run now may yet give some of it back. A part of a price leaves uses and time as they are where the seller gives it, until
 * all of it has gone back; a payer is given what it has not used of them, the payment's own answer too where that never came, and keeps none but a use that runs
 * now and fails.
 */
export async function takeBack(
  trx: Transaction<RefundTables>,
  { pid, amount, paid }: Refund,
  { byPayer, now }: { readonly byPayer: boolean; readonly now: number },
): Promise<void> {
  const over = { left_uses: 0, expires_at: 0 }
  const end = () =>
    trx
      .insertInto('server_entitlement')
      .values({ pid, scope: NOTHING, proof: '', credit: null, ...over })
      .onConflict((conflict) => conflict.column('pid').doUpdateSet(over))
      .execute()
  const claim = trx.updateTable('server_claim').set({ state: 'refunded' }).where('pid', '=', pid)
  if ((await sumsOf(trx, pid)).agreed >= paid) {
    await end()
    await claim.where('state', 'in', ['open', 'settled']).execute()
    return
  }
  const bought = trx.updateTable('server_entitlement').where('pid', '=', pid)
  // The row is taken hold of before it is read: uses may be taken from it now.
  const held = await bought
    .set((eb) => ({ credit: eb.ref('credit') }))
    .returning(['credit', 'left_uses', 'scope'])
    .executeTakeFirst()
  if (held?.credit != null) {
    await bought.set({ credit: (BigInt(held.credit) - amount).toString() }).execute()
  } else if (byPayer) {
    // A use that runs now was not given back: should it fail, it is there again.
    if (held?.left_uses != null && held.scope !== NOTHING) await bought.set({ left_uses: 0 }).execute()
    else await end()
    if (held !== undefined && held.scope !== NOTHING) await claim.where(isOwedAt(now)).execute()
  }
}

/** The scope of what is not opened any more: nothing that is sold has it. */
const NOTHING = ''

const atMost = (most: bigint, amount: bigint): bigint => (amount < 0n ? 0n : amount < most ? amount : most)

/** Whether the answer of the payment itself is still owed, all of it, and nobody is making it. */
async function isOwed(trx: Transaction<RefundTables>, pid: Pid, now: number): Promise<boolean> {
  const claim = trx.selectFrom('server_claim').select('pid').where('pid', '=', pid)
  return (await claim.where(isOwedAt(now)).executeTakeFirst()) !== undefined
}

const isOwedAt = (now: number) => (eb: ExpressionBuilder<RefundTables, 'server_claim'>) =>
  eb.and([eb('state', '=', 'open'), eb('partly', '=', 0), eb('lease_until', '<=', now)])

/** How often a pass has opened something, less what was given back because nothing was delivered. */
async function timesUsed(trx: Transaction<RefundTables>, pid: Pid): Promise<number> {
  const rows = await trx
    .selectFrom('ledger_entry')
    .select('debit')
    .where('pid', '=', pid)
    .where('kind', '=', 'usage')
    .execute()
  return rows.reduce((sum, { debit }) => sum + (debit === 'prepaid' ? 1 : -1), 0)
}
