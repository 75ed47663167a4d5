import { X402Error } from '@groat/core'
import type { AnyStore } from '@groat/store'
import { journalMigrations } from './migrations.js'

/**
 * Throws `X402Error` `store_unavailable` with the reason `schema` unless the tables of a journal are there and of this edition: for whoever
 * reads a journal and brings no tables up to date.
 *
 * @example
 * await assertEdition(store)
 */
export async function assertEdition(store: AnyStore): Promise<void> {
  const { namespace, steps } = journalMigrations
  const table = `${namespace}_migration`
  const { db } = store.withTables<Record<string, { name: string }>>()
  const done = await db
    .selectFrom(table)
    .select('name')
    .execute()
    .catch((cause: unknown) => {
      // A database that does not answer says so by itself; what it answers here is that there is no such table.
      throw X402Error.is(cause) ? cause : new X402Error('store_unavailable', { reason: 'schema' }, { cause })
    })
  const here = new Set(done.map(({ name }) => name))
  const expected = Object.keys(steps)
  if (here.size === expected.length && expected.every((name) => here.has(name))) return
  throw new X402Error('store_unavailable', { reason: 'schema' })
}
