import type { Transaction } from 'kysely'
import type { JournalTables } from './tables.js'

/** Whose money, on one network, and since when: milliseconds since 1970. */
export type MovedOf = { readonly network: string; readonly since: number; readonly payers: readonly string[] }

/**
 * The newest blocks in which payers' money has moved of late. It goes by the evidence, of which so much is read at the most, and from there to each payment by its
 * id: joined the other way, a database that has counted its rows reads all payments there are.
 *
 * @example
 * const [moved] = await movedOf(db, { network, since, payers: [payer] }).execute()
 */
export function movedOf(db: Pick<Transaction<JournalTables>, 'selectFrom'>, { network, since, payers }: MovedOf) {
  const lately = db
    .selectFrom('evidence')
    .select((eb) => [
      'block_number',
      eb.selectFrom('settlement').select('payer').whereRef('settlement.id', '=', 'evidence.settlement').as('payer'),
    ])
    .where('evidence.network', '=', network)
    .where('found_at', '>=', since)
    .orderBy('found_at', 'desc')
    .limit(MOST_MOVES)
  return db
    .selectFrom(lately.as('lately'))
    .select((eb) => ['payer', eb.fn.max('block_number').as('block')])
    .where('payer', 'in', payers)
    .groupBy('payer')
}

/** Moves that are read of a network: with more than that within its lag, the oldest of them are left out. */
const MOST_MOVES = 2000
