import { sql, type Transaction } from 'kysely'

/**
 * Runs part of a transaction so that its failure undoes that part only; the error comes back and the transaction lives.
 *
 * @example
 * await store.transaction(async (trx) => {
 *   await savepoint(trx, () => insertDiscount(trx)).catch(ignoreUniqueViolation)
 *   await insertOrder(trx)
 * })
 */
export async function savepoint<DB, T>(trx: Transaction<DB>, fn: () => Promise<T>): Promise<T> {
  await sql`savepoint part`.execute(trx)
  try {
    const result = await fn()
    await sql`release savepoint part`.execute(trx)
    return result
  } catch (error) {
    await sql`rollback to savepoint part`.execute(trx)
    await sql`release savepoint part`.execute(trx)
    throw error
  }
}
