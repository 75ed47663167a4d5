import { type Kysely, Migrator } from 'kysely'
import { storeError } from './errors.js'

/** The tables of one package, step by step. */
export type Migrations = {
  /** Names the package's own migration table, so that several packages can share one database: `[a-z][a-z0-9_]*`. */
  readonly namespace: string
  /** Run in the order of their names, each once; a step that is released never changes. */
  readonly steps: Readonly<Record<string, (db: Kysely<unknown>) => Promise<void>>>
}

/** Runs the steps that are missing and answers with their names. */
export async function runMigrations(db: Kysely<unknown>, migrations: Migrations): Promise<readonly string[]> {
  const { namespace, steps } = migrations
  if (!/^[a-z][a-z0-9_]{0,30}$/.test(namespace)) throw new TypeError(`Not a namespace: ${JSON.stringify(namespace)}`)
  const { error, results = [] } = await new Migrator({
    db,
    provider: {
      getMigrations: async () => Object.fromEntries(Object.entries(steps).map(([name, up]) => [name, { up }])),
    },
    migrationTableName: `${namespace}_migration`,
    migrationLockTableName: `${namespace}_migration_lock`,
    nameComparator: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  }).migrateToLatest()
  if (error !== undefined) throw aheadOfProgram(error) ? storeError('schema', { cause: error }) : error
  return results.map((result) => result.migrationName)
}

// Kysely has no code for it.
function aheadOfProgram(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('corrupted migrations')
}
