import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { SqliteDatabase, SqliteStatement } from 'kysely'
import type Libsql from 'libsql'
import type LibsqlApart from 'libsql/promise'
import { codeOf, type StoreReason, storeError } from '../errors.js'

/** One connection to SQLite. Everything on it but `execApart` is synchronous: while a statement runs, the whole process waits. */
export interface Database extends SqliteDatabase {
  exec(sql: string): void
  /**
   * Runs beside the process, which goes on: for what waits for the disk. Until it has settled nothing else may use the connection. Absent in
   * memory, where there is no disk, and a run that is replayed takes the same turns again.
   */
  readonly execApart?: (sql: string) => Promise<void>
  /** Whether a transaction is open. One may end by itself, when the disk is full or fails. */
  readonly inTransaction: boolean
}

/**
 * Opens a connection with the settings that make it durable: WAL, an fsync in every commit, foreign keys on.
 * It never blocks the process on another's lock: it throws `store_busy` at once, and waiting is the caller's.
 */
export function openDatabase(path: string): Database {
  try {
    if (path !== ':memory:') makeFile(path)
    const load = createRequire(import.meta.url)
    const Driver: typeof Libsql = load('libsql')
    const { prototype: apart }: typeof LibsqlApart = load('libsql/promise')
    const libsql = new Driver(path)
    try {
      for (const setting of settings) libsql.exec(`pragma ${setting}`)
    } catch (error) {
      libsql.close()
      throw error
    }
    // Both of the driver's faces have the same connection behind them.
    return guard(libsql, path === ':memory:' ? undefined : (sql) => apart.exec.call(libsql, sql))
  } catch (error) {
    throw storeError(reasonOf(error) ?? 'cannot_open', { cause: error })
  }
}

// The cache is in KiB: keys are random, so every write needs other pages, and what does not fit is read and written again. The last is in pages, for
// what one transaction may leave in the log; sooner than that the log is moved beside the process, or every so many commits would wait for it.
const settings = [
  'journal_mode = wal',
  'synchronous = full',
  'fullfsync = on',
  'foreign_keys = on',
  'cache_size = -32768',
  'wal_autocheckpoint = 8192',
]

/**
 * Payments are nobody else's to read. And a path that cannot be opened gets a system error here, not just a sentence.
 *
 * A file that is there is not opened: whoever closes one lets go of every lock that this process has on it, and then the next process to close the database takes
 * itself for the last, and throws away the log that this one goes on writing to.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    accessSync(path, constants.R_OK | constants.W_OK)
  }
}

/** The driver with its statements kept, its values made portable and its faults typed. */
function guard(libsql: Libsql.Database, apart: Database['execApart']): Database {
  // Preparing costs as much as running. Programs have few statements and use them for ever, so first in is first out.
  const kept = new Map<string, SqliteStatement>()
  let open = true

  function assertOpen() {
    if (!open) throw storeError('closed')
  }

  function prepare(sql: string): SqliteStatement {
    const statement = libsql.prepare(sql)
    // One that failed is not used again.
    const run = <T>(work: () => T): T => typed(work, () => kept.delete(sql))
    return {
      reader: statement.reader,
      all: (parameters) => run(() => statement.all(parameters.map(bindable)).map(readable)),
      run: (parameters) => run(() => statement.run(parameters.map(bindable))),
      iterate: () => {
        throw new TypeError('Streaming is not portable: read in pages.')
      },
    }
  }

  async function execApart(exec: (sql: string) => Promise<void>, sql: string): Promise<void> {
    assertOpen()
    try {
      await exec(sql)
    } catch (error) {
      throw faultOf(error)
    }
  }

  return {
    ...(apart && { execApart: (sql) => execApart(apart, sql) }),
    prepare(sql) {
      assertOpen()
      const known = kept.get(sql)
      if (known) return known
      const statement = typed(() => prepare(sql))
      if (kept.size === 500) kept.delete(kept.keys().next().value ?? '')
      kept.set(sql, statement)
      return statement
    },
    exec(sql) {
      assertOpen()
      typed(() => libsql.exec(sql))
    },
    get inTransaction() {
      return open && libsql.inTransaction
    },
    close() {
      open = false
      kept.clear()
      libsql.close()
    },
  }
}

// The driver binds a number as a float ("5.0" in a text column), makes NaN null, cuts text at a zero byte, so that two keys
// become one, and aborts the process on a boolean.
function bindable(value: unknown): unknown {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return BigInt(value)
    if (!Number.isFinite(value)) throw new TypeError(`Not a number that a database holds: ${value}`)
  }
  if (typeof value === 'string' && value.includes('\0')) throw new TypeError('Text for a database has no zero byte.')
  if (typeof value === 'boolean') throw new TypeError('A boolean is not portable: write 0 or 1.')
  return value
}

// The driver reads bytes as an ArrayBuffer, PostgreSQL's as a Buffer.
function readable(row: unknown): unknown {
  const fields = row as Record<string, unknown> // what `all` returns, here typed unknown
  for (const column in fields) {
    const value = fields[column]
    if (value instanceof ArrayBuffer) fields[column] = Buffer.from(value)
  }
  return fields
}

function typed<T>(work: () => T, onError?: () => void): T {
  try {
    return work()
  } catch (error) {
    onError?.()
    throw faultOf(error)
  }
}

function faultOf(error: unknown): unknown {
  const reason = reasonOf(error)
  return reason ? storeError(reason, { cause: error }) : error
}

function reasonOf(error: unknown): StoreReason | undefined {
  const code = codeOf(error)
  return faults.find(([prefix]) => code.startsWith(prefix))?.[1]
}

const faults: readonly (readonly [prefix: string, reason: StoreReason])[] = [
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['SQLITE_FULL', 'full'],
  ['SQLITE_READONLY', 'read_only'],
  ['SQLITE_IOERR', 'io'],
  ['SQLITE_NOMEM', 'io'],
  ['SQLITE_CORRUPT', 'corrupt'],
  ['SQLITE_NOTADB', 'corrupt'],
  ['SQLITE_CANTOPEN', 'cannot_open'],
  ['ENOSPC', 'full'],
  ['EROFS', 'read_only'],
]
