import {
  type ConnectionProvider,
  DefaultQueryExecutor,
  type Dialect,
  DummyDriver,
  Kysely,
  type KyselyProps,
  type RawBuilder,
  Transaction,
} from 'kysely'

/** What a database has to bring to stand behind the port. */
export interface Backend {
  readonly kind: 'sqlite' | 'postgres'
  readonly handles: Handles
  /** Connections for reads outside a transaction. */
  readonly reads: ConnectionProvider
  /** The database's time in milliseconds, as an SQL expression. */
  readonly now: RawBuilder<number>
  /** Runs `use` in a transaction; the connection dies with it. */
  transact<T>(
    use: (connection: ConnectionProvider) => Promise<T>,
    isolation: 'serializable' | 'read committed',
    durable: boolean,
  ): Promise<T>
  /** Runs `use` on a handle on which a Kysely migrator is atomic and alone. */
  migrating<T>(use: (kysely: Kysely<unknown>) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** The bounds of waiting; times in milliseconds. */
export type Bounds = {
  readonly busyTimeout: number
  readonly transactionTimeout: number
  readonly poolSize: number
  readonly jitter: () => number
}

/** Makes Kysely's objects over a connection that is already there. */
export type Handles = {
  reader<DB>(connection: ConnectionProvider): Kysely<DB>
  transaction<DB>(connection: ConnectionProvider): Transaction<DB>
}

/** Handles of one dialect: what does not depend on the connection is built once. */
export function createHandles(dialect: Dialect): Handles {
  const compiler = dialect.createQueryCompiler()
  const adapter = dialect.createAdapter()
  const driver = new DummyDriver()
  const over = (connection: ConnectionProvider): KyselyProps => ({
    config: { dialect },
    dialect,
    driver,
    executor: new DefaultQueryExecutor(compiler, adapter, connection),
  })
  return {
    reader: (connection) => new Kysely(over(connection)),
    transaction: (connection) => new Transaction(over(connection)),
  }
}
