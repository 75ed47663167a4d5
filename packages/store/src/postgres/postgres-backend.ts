import { type ConnectionProvider, Kysely, PostgresDialect, sql } from 'kysely'
import { type Backend, type Bounds, createHandles } from '../backend.js'
import { codeOf, storeError, storeReason } from '../errors.js'
import { lend } from '../lend.js'
import { retry } from '../retry.js'
import { createPool } from './pool.js'

/** A database that any number of machines share. */
export async function openPostgres(url: string, bounds: Bounds): Promise<Backend> {
  const pool = await createPool(url, bounds)
  const dialect = new PostgresDialect({ pool: pool.bounded })
  const kysely = new Kysely<unknown>({ dialect })
  const handles = createHandles(dialect)

  const driver = dialect.createDriver()
  await driver.init()

  async function once<T>(use: Parameters<typeof lend<T>>[2], isolationLevel: 'serializable' | 'read committed') {
    const connection = await driver.acquireConnection()
    let done = false
    try {
      await driver.beginTransaction(connection, { isolationLevel })
      // Queries that are not waited for one by one go out together; they run, and fail, in their order.
      const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
      const result = await lend(provider, bounds.transactionTimeout, use)
      done = true
      await driver.commitTransaction(connection)
      return result
    } catch (error) {
      // A connection that cannot even do this is given up, and what was open on it with it.
      await driver.rollbackTransaction(connection).catch(() => {})
      const reason = storeReason(error)
      // It may have broken between the commit and its answer.
      if (done && reason && reason !== 'rolled_back') throw storeError(reason, { cause: error, committed: 'unknown' })
      throw error
    } finally {
      await driver.releaseConnection(connection)
    }
  }

  const backend: Backend = {
    kind: 'postgres',
    handles,
    reads: kysely.getExecutor(),
    now: sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    async transact(use, isolation) {
      try {
        return await retry(() => once(use, isolation), {
          passes: isCollision,
          budget: bounds.busyTimeout,
          jitter: bounds.jitter,
        })
      } catch (error) {
        throw isCollision(error) ? storeError('contention', { cause: error }) : error
      }
    },
    // A table that has grown takes its time.
    migrating: (use) => use(new Kysely({ dialect: new PostgresDialect({ pool: pool.unbounded }) })),
    close: () => pool.bounded.end(),
  }
  try {
    await sql`select 1`.execute(kysely)
    return backend
  } catch (error) {
    await pool.bounded.end()
    throw error
  }
}

/** Serialization failures and deadlocks: PostgreSQL undid the transaction and expects it again. */
function isCollision(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}
