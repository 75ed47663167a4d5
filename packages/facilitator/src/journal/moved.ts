import { sql, type Transaction } from 'kysely'
import type { JournalTables } from './tables.js'

/** Whose money, on one network, and since when: milliseconds since 1970. */
export type MovedOf = { readonly network: string; readonly since: number; readonly payers: readonly string[] }

/** The newest block in which a payer's money has moved; of no payer: that of all those who are left out, or a later one. */
export type Moved = { readonly payer: string | null; readonly block_number: number | null }

/**
 * The newest blocks in which payers' money has moved of late. It goes by the evidence, of which so much is read at the most, and from there to each payment by its
 * id: joined the other way, a database that has counted its rows reads all payments there are. Where there is more, a block stands for what is left out: the newest
 * of the older half that is read, since what is left out was found before all of them.
 *
 * @example
 * newestOf(await movedOf(db, { network, since, payers: [payer] }).execute(), payer)
 */
export function movedOf(db: Pick<Transaction<JournalTables>, 'selectFrom'>, { network, since, payers }: MovedOf) {
  const lately = db
    .selectFrom('evidence')
    .select('block_number')
    .where('evidence.network', '=', network)
    .where('found_at', '>=', since)
    .orderBy('found_at', 'desc')
  const known = lately
    .select((eb) =>
      eb.selectFrom('settlement').select('payer').whereRef('settlement.id', '=', 'evidence.settlement').as('payer'),
    )
    .limit(MOST_MOVES)
  const older = lately.limit(MOST_MOVES / 2).offset(MOST_MOVES / 2)
  return db
    .selectFrom(known.as('known'))
    .select((eb) => ['payer', eb.fn.max('block_number').as('block_number')])
    .where('payer', 'in', payers)
    .groupBy('payer')
    .unionAll(
      db
        .selectFrom(older.as('older'))
        .select((eb) => [sql<string | null>`null`.as('payer'), eb.fn.max('block_number').as('block_number')])
        .having((eb) => eb.fn.countAll(), '=', MOST_MOVES / 2),
    )
}

/** The newest block in which a payer's money may have moved, by what was read. */
export function newestOf(rows: readonly Moved[], of: string): bigint | undefined {
  const blocks = rows.flatMap(({ payer, block_number: block }) =>
    block !== null && (payer === null || payer === of) ? block : [],
  )
  return blocks.length === 0 ? undefined : BigInt(Math.max(...blocks))
}

/** Moves that are read of a network. */
const MOST_MOVES = 2000
