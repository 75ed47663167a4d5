import type { Clock } from '@groat/core'
import { type Compilable, type Kysely, sql, type Transaction } from 'kysely'
import type { Backend } from './backend.js'
import { storeError } from './errors.js'
import { type Migrations, runMigrations } from './migrations.js'
import { openPostgres } from './postgres/postgres-backend.js'
import { openMemory, openSqlite } from './sqlite/sqlite-backend.js'
import { type Builds, type Lists, listStatement, type Statement, statement } from './statement.js'

/** Queries outside a transaction. They see what is committed; every write goes through `transaction`. */
export type Reader<DB> = Pick<Kysely<DB>, 'selectFrom' | 'selectNoFrom' | 'fn' | 'dynamic' | 'case' | 'getExecutor'>

/** A store, whatever tables one sees in it: what a function takes that brings its own. */
export interface AnyStore {
  readonly kind: 'sqlite' | 'postgres'

  /**
   * The same store, seen with these tables.
   *
   * @example
   * const journal = store.withTables<JournalTables>()
   */
  withTables<Tables>(): Store<Tables>

  /**
   * Brings the tables of one namespace up to date and answers with the names of the steps that it ran. Forward only; all or
   * nothing; safe when several processes start at once.
   *
   * @throws X402Error `store_unavailable` with reason `schema` when the database is ahead of the program
   */
  migrate(migrations: Migrations): Promise<readonly string[]>

  /** Finishes what was accepted and closes; what comes later is refused with reason `closed`. Closing twice is fine. */
  close(): Promise<void>
}

/**
 * The SQL port: the tables of one SQLite file or one PostgreSQL database.
 *
 * Portable by contract: amounts are decimal text, times are integers in milliseconds, flags are 0 and 1, integers are safe
 * integers, bytes are `Uint8Array`; `returning` and `on conflict` are fine, LISTEN/NOTIFY and advisory locks are not.
 */
export interface Store<DB = unknown> extends AnyStore {
  /** Reads outside a transaction. On SQLite a write through it is refused (`read_only`). */
  readonly db: Reader<DB>

  /**
   * Runs `fn` serialisably and answers when its writes are durable. When `fn` throws, nothing of it is written and the same
   * error comes back.
   *
   * `fn` may run again when transactions collide, so it reads and changes nothing but `trx`. It does not wait for the network
   * and starts no other transaction: on SQLite everyone else waits for it.
   *
   * @throws X402Error `store_busy`, `store_unavailable`; its context has the `reason`, and `committed: 'unknown'` when it
   * broke while committing
   * @example
   * const won = await store.transaction(async (trx) => {
   *   const row = { pid, claimed_at: await store.now(trx) }
   *   return trx.insertInto('claim').values(row).onConflict((c) => c.doNothing()).returning('pid').executeTakeFirst()
   * })
   */
  transaction<T>(fn: (trx: Transaction<DB>) => Promise<T>, options?: TransactionOptions): Promise<T>

  /**
   * A statement that is built and compiled when it runs first, and from then on only gets other values: for what runs with every request. `value`
   * stands for a value that is not there yet: `build` puts it somewhere and does not look at it.
   *
   * @example
   * const claimed = store.statement<{ pid: string }, { pid: string }>((db, value) =>
   *   db.selectFrom('claim').select('pid').where('pid', '=', value('pid')),
   * )
   * const { rows } = await claimed(store.db, { pid: '00' })
   */
  statement<Values extends object, Row = unknown>(
    build: (db: Builds<DB>, value: <Name extends keyof Values>(name: Name) => Values[Name]) => Compilable<Row>,
  ): Statement<Values, Row>

  /**
   * A statement over lists (values for `in`, or one list of rows to insert), compiled once for each of a few lengths: values are filled up with the last of
   * them, and on SQLite rows go in several statements. `build` sees values of the same shape with places in them, and looks at none; lists are not empty, and
   * rows all have the same columns.
   *
   * @example
   * const note = store.listStatement<{ rows: readonly Claim[] }>((db, { rows }) => db.insertInto('claim').values(rows))
   * await note(trx, { rows: [{ pid: '00', claimed_at: 0 }] })
   */
  listStatement<Values extends Lists, Row = unknown>(
    build: (db: Builds<DB>, values: Values) => Compilable<Row>,
  ): Statement<Values, Row>

  /** The database's time in milliseconds. Inside a transaction pass its `trx`. */
  now(on?: Reader<DB>): Promise<number>
}

/** How a transaction runs. */
export type TransactionOptions = {
  /**
   * What it may see of others that run at the same time on PostgreSQL; on SQLite there are none. `serializable` unless told. With
   * `read committed` every statement sees what is committed by then: for work that locks the rows it decides by (`for update`), which
   * then never has to run again because others read what it wrote.
   */
  readonly isolation?: 'serializable' | 'read committed'
  /**
   * `false`: the answer may come when the writes survive the end of this process, and a later transaction makes them survive a loss of power; they
   * are lost in order, the last first. For notes that can be found out again. SQLite then waits for no disk. Default `true`.
   */
  readonly durable?: boolean
}

/** How a store waits and what time it tells. */
export type StoreOptions = {
  /** How long to wait for another process's lock, or for a connection, in milliseconds. Default 5000. */
  readonly busyTimeout?: number
  /** How long one transaction may take, in milliseconds. Default 5000. */
  readonly transactionTimeout?: number
  /** Connections to PostgreSQL. Default 10. */
  readonly poolSize?: number
  /** Replaces the database's time in `now()`: for tests and replays. */
  readonly clock?: Clock
  /** Spreads the pauses between tries: a number from 0 to 1. Default `Math.random`. */
  readonly jitter?: () => number
}

/**
 * Opens a store and proves that it works: a file path is SQLite (created when missing, mode 0600; durable; shared safely
 * by processes of one machine), `postgres://…` is PostgreSQL (needs the package `pg`).
 *
 * @throws X402Error `invalid_config`, `store_unavailable`, `store_busy`
 * @example
 * const store = await openStore<{ claim: { pid: string; claimed_at: number } }>('pay.db')
 * await store.migrate({
 *   namespace: 'shop',
 *   steps: {
 *     '001_claim': (db) =>
 *       db.schema.createTable('claim').addColumn('pid', 'text', (c) => c.primaryKey()).addColumn('claimed_at', 'bigint').execute(),
 *   },
 * })
 */
export async function openStore<DB = unknown>(target: string, options: StoreOptions = {}): Promise<Store<DB>> {
  if (/^postgres(ql)?:\/\//.test(target)) return createStore(await openPostgres(target, withDefaults(options)), options)
  if (target === '' || target === ':memory:' || /^[a-z][a-z0-9+.-]+:/i.test(target)) throw storeError('bad_target')
  return createStore(await openSqlite(target, withDefaults(options)), options)
}

/**
 * Opens an empty SQLite store in memory: for tests and for programs that may forget. It protects from replays in this one
 * process only, and only until it ends.
 *
 * @example
 * const store = await openMemoryStore()
 */
export async function openMemoryStore<DB = unknown>(options: StoreOptions = {}): Promise<Store<DB>> {
  return createStore(await openMemory(withDefaults(options)), options)
}

function createStore<DB>(backend: Backend, options: StoreOptions): Store<DB> {
  const { clock } = options
  const db = backend.handles.reader<DB>(backend.reads)
  const timeOf = statement<DB, object, { readonly now: number }>(() => ({
    compile: () => sql<{ readonly now: number }>`select ${backend.now} as now`.compile(db),
  }))
  return {
    kind: backend.kind,
    db,
    transaction: (fn, { isolation = 'serializable', durable = true } = {}) =>
      backend.transact((connection) => fn(backend.handles.transaction<DB>(connection)), isolation, durable),
    statement,
    // In the process a statement more costs next to nothing, over a connection a round trip.
    listStatement: (build) => listStatement(build, { splits: backend.kind === 'sqlite' }),
    migrate: (migrations) => backend.migrating((kysely) => runMigrations(kysely, migrations)),
    async now(on = db) {
      if (clock) return clock()
      const [row] = (await timeOf(on, {})).rows
      if (!row) throw storeError('unreachable')
      return row.now
    },
    withTables: () => createStore(backend, options),
    close: () => backend.close(),
  }
}

function withDefaults(options: StoreOptions) {
  const { busyTimeout = 5_000, transactionTimeout = 5_000, poolSize = 10, jitter = Math.random } = options
  return { busyTimeout, transactionTimeout, poolSize, jitter }
}
