import type { Store } from '@groat/store'
import type { Insertable, Updateable } from 'kysely'
import { type Moved, type MovedOf, movedOf } from './moved.js'
import { openPhases } from './state.js'
import { inPhases, isLiveRide, type JournalTables, type SettlementRow } from './tables.js'

/** What every payment asks of the journal: compiled once for each size of a batch. */
export type JournalStatements = ReturnType<typeof createStatements>

type Row<Table extends keyof JournalTables> = Insertable<JournalTables[Table]>

/** Makes the statements of the money path over a store. `locks`: others may write at the same time, so rows that are decided by are locked. */
export function createStatements({ listStatement, kind }: Store<JournalTables>) {
  const locks = kind === 'postgres'
  const insert = <Table extends Inserted>(table: Table) =>
    // One table, one kind of row; the builder cannot follow that through a type parameter.
    listStatement<{ rows: readonly Row<Table>[] }>((db, { rows }) => db.insertInto(table).values(rows as never))

  return {
    locks,

    standings: listStatement<{ pids: readonly string[] }, Pick<SettlementRow, (typeof STANDING)[number]>>(
      (db, { pids }) =>
        db
          .selectFrom('settlement')
          .select(STANDING)
          .where('pid', 'in', pids)
          .orderBy('pid')
          .$if(locks, (query) => query.forUpdate()),
    ),
    riding: listStatement<{ pids: readonly string[] }, { pid: string; slot: string }>((db, { pids }) =>
      db
        .selectFrom('settlement')
        .innerJoin('ride', 'ride.settlement', 'settlement.id')
        .select(['pid', 'slot'])
        .where('pid', 'in', pids)
        .where(isLiveRide),
    ),
    lane: listStatement<{ network: string; signer: string }, JournalTables['lane']>((db, { network, signer }) =>
      db
        .selectFrom('lane')
        .selectAll()
        .where('network', '=', network)
        .where('signer', '=', signer)
        .$if(locks, (query) => query.forUpdate()),
    ),
    chains: listStatement<{ networks: readonly string[] }, JournalTables['chain']>((db, { networks }) =>
      db.selectFrom('chain').selectAll().where('network', 'in', networks),
    ),
    credited: listStatement<
      { hashes: readonly string[] },
      Pick<JournalTables['evidence'], 'network' | 'transaction' | 'log_index' | 'block_hash'>
    >((db, { hashes }) =>
      db
        .selectFrom('evidence')
        .select(['network', 'transaction', 'log_index', 'block_hash'])
        .where('transaction', 'in', hashes),
    ),
    payers: listStatement<{ networks: readonly string[]; accounts: readonly string[] }, JournalTables['payer']>(
      (db, { networks, accounts }) =>
        db.selectFrom('payer').selectAll().where('network', 'in', networks).where('payer', 'in', accounts),
    ),
    /** Each of them, and nobody else writes it meanwhile: a row that is not there yet cannot be locked. */
    lockPayers: listStatement<{ rows: readonly Row<'payer'>[] }, JournalTables['payer']>((db, { rows }) =>
      db
        .insertInto('payer')
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(['network', 'payer']).doUpdateSet({ payer: (eb) => eb.ref('excluded.payer') }),
        )
        .returningAll(),
    ),
    open: listStatement<{ accounts: readonly string[] }, Pick<SettlementRow, 'network' | 'payer' | 'asset' | 'amount'>>(
      (db, { accounts }) =>
        db
          .selectFrom('settlement')
          .select(['network', 'payer', 'asset', 'amount'])
          .where('payer', 'in', accounts)
          .where(inPhases(openPhases)),
    ),

    moved: listStatement<MovedOf, Moved>(movedOf),

    insertSettlements: listStatement<{ rows: readonly Row<'settlement'>[] }, Pick<SettlementRow, 'id' | 'pid'>>(
      (db, { rows }) => db.insertInto('settlement').values(rows).returning(['id', 'pid']),
    ),
    insertRequests: insert('request'),
    insertAttempts: insert('attempt'),
    insertRides: insert('ride'),
    insertEvidence: insert('evidence'),
    insertEvents: insert('event'),
    insertOutbox: insert('outbox'),
    insertDeliveries: insert('delivery'),
    putPayers: listStatement<{ rows: readonly Row<'payer'>[] }>((db, { rows }) =>
      db
        .insertInto('payer')
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(['network', 'payer']).doUpdateSet((eb) => ({
            claims: eb.ref('excluded.claims'),
            failures: eb.ref('excluded.failures'),
            failing_since: eb.ref('excluded.failing_since'),
          })),
        ),
    ),

    change: listStatement<{ change: Updateable<JournalTables['settlement']>; ids: readonly number[] }>(
      (db, { change, ids }) => db.updateTable('settlement').set(change).where('id', 'in', ids),
    ),
    markRides: listStatement<{ status: JournalTables['ride']['status']; ids: readonly number[] }>(
      (db, { status, ids }) => db.updateTable('ride').set({ status }).where('settlement', 'in', ids).where(isLiveRide),
    ),
    landed: listStatement<{ change: Updateable<JournalTables['attempt']>; hash: string }>((db, { change, hash }) =>
      db.updateTable('attempt').set(change).where('hash', '=', hash),
    ),
    next: listStatement<Pick<JournalTables['lane'], 'network' | 'signer' | 'next'>>((db, { network, signer, next }) =>
      db.updateTable('lane').set({ next }).where('network', '=', network).where('signer', '=', signer),
    ),
  }
}

type Inserted = 'request' | 'attempt' | 'ride' | 'evidence' | 'event' | 'outbox' | 'delivery'

const STANDING = ['id', 'pid', 'state', 'owner', 'tenant', 'told', 'created_at'] as const
