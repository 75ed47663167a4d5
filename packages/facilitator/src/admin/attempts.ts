import type { Store } from '@groat/store'
import { statusIn } from '../journal/rows.js'
import type { AttemptStatus } from '../journal/state.js'
import type { JournalTables } from '../journal/tables.js'

/** A transaction that was signed for a payment. */
export type PaymentAttempt = {
  readonly transaction: string
  /** What became of it, for this payment: `signed` and `sent` may still land. */
  readonly status: AttemptStatus
}

type Reads = Store<JournalTables>['db']

/**
 * What was signed for payments, of each in the order in which it was signed. Only names leave: never the bytes.
 *
 * @example
 * const attempts = await attemptsOf(db, [id])
 */
export async function attemptsOf(db: Reads, ids: readonly number[]): Promise<Map<number, PaymentAttempt[]>> {
  const found = new Map<number, PaymentAttempt[]>()
  if (ids.length === 0) return found
  const rows = await db
    .selectFrom('ride')
    .innerJoin('attempt', 'attempt.slot', 'ride.slot')
    .select(['ride.settlement', 'ride.status as place', 'attempt.hash', 'attempt.status'])
    .where('ride.settlement', 'in', ids)
    .orderBy('attempt.signed_at')
    .orderBy('attempt.nonce')
    .execute()
  for (const { settlement, place, hash, status } of rows) {
    const mine = found.get(settlement) ?? []
    mine.push({ transaction: hash, status: statusIn(place, status) })
    found.set(settlement, mine)
  }
  return found
}

/** The newest payments that travel in a transaction of one of these names. */
export async function ridersOf(db: Reads, hashes: readonly string[], limit: number): Promise<number[]> {
  const rows = await db
    .selectFrom('attempt')
    .innerJoin('ride', 'ride.slot', 'attempt.slot')
    .select('ride.settlement')
    .where('attempt.hash', 'in', hashes)
    .orderBy('ride.settlement', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ settlement }) => settlement)
}
