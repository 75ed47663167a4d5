import { Kysely, PostgresDialect, sql } from 'kysely'
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

  async function once<T>(use: Parameters<typeof lend<T>>[2], isolation: 'serializable' | 'read committed'): Promise<T> {
    let done = false
    try {
      return await kysely
        .transaction()
        .setIsolationLevel(isolation)
        .execute(async (trx) => {
          const result = await lend(trx.getExecutor(), bounds.transactionTimeout, use)
          done = true
          return result
        })
    } catch (error) {
      const reason = storeReason(error)
      // It may have broken between the commit and its answer.
      if (done && reason && reason !== 'rolled_back') throw storeError(reason, { cause: error, committed: 'unknown' })
      throw error
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
