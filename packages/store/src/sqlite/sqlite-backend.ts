import { type ConnectionProvider, type SqliteDatabase, SqliteDialect, sql } from 'kysely'
import { type Backend, type Bounds, createHandles } from '../backend.js'
import { isLocked, storeError } from '../errors.js'
import { lend } from '../lend.js'
import { retry } from '../retry.js'
import { type Database, openDatabase } from './database.js'
import { createGroupCommit } from './group-commit.js'

/**
 * A file: one connection writes, another reads what is committed, so a reader never sees an open group, and a third moves the log into the file, for which a writer
 * would have to wait.
 * Any number of processes of this machine may do the same.
 */
export async function openSqlite(path: string, bounds: Bounds): Promise<Backend> {
  // Turning WAL on needs the file alone for a moment, and somebody else may be starting too.
  const open = () =>
    retry(() => openDatabase(path), { passes: isLocked, budget: bounds.busyTimeout, jitter: bounds.jitter })
  const opened: Database[] = []
  try {
    for (let each = 0; each < 3; each += 1) opened.push(await open())
    const [writer, reader, mover] = opened as [Database, Database, Database]
    reader.exec('pragma query_only = on')
    // Readers wait for nothing but the recovery from a crash, and that is short.
    reader.exec(`pragma busy_timeout = ${Math.trunc(bounds.busyTimeout)}`)
    return await createBackend(writer, bounds, { reader, mover })
  } catch (error) {
    for (const each of opened) each.close()
    throw error
  }
}

/** A database in memory has one connection only: reads queue with the writers. */
export async function openMemory(bounds: Bounds): Promise<Backend> {
  return createBackend(openDatabase(':memory:'), bounds)
}

async function createBackend(
  database: Database,
  bounds: Bounds,
  more?: { readonly reader: Database; readonly mover: Database },
): Promise<Backend> {
  const { handles, connection: writes } = await connect(inTransaction(database))
  const group = createGroupCommit(database, {
    ...bounds,
    moveLog: more && (async () => more.mover.execApart?.('pragma wal_checkpoint(passive)')),
  })
  let closing: Promise<void> | undefined

  function assertOpen() {
    if (closing) throw storeError('closed')
  }

  async function submit<T>(work: () => Promise<T>, durable?: boolean): Promise<T> {
    assertOpen()
    return group.submit(work, durable)
  }

  const committed = more && (await connect(more.reader)).connection
  const reads: ConnectionProvider = {
    async provideConnection(consumer) {
      assertOpen()
      return committed ? committed.provideConnection(consumer) : submit(() => writes.provideConnection(consumer))
    },
  }

  return {
    kind: 'sqlite',
    handles,
    reads,
    now: sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`,
    transact: (use, _, durable) => submit(() => lend(writes, bounds.transactionTimeout, use), durable),
    migrating: (use) =>
      submit(() => lend(writes, Number.POSITIVE_INFINITY, (connection) => use(handles.reader(connection)))),
    close: () => {
      closing ??= group.idle().then(() => {
        more?.reader.close()
        more?.mover.close()
        try {
          // The driver lets go of its files only when its statements are collected; until then the log is empty at least.
          if (more) database.exec('pragma wal_checkpoint(truncate)')
        } finally {
          database.close()
        }
      })
      return closing
    },
  }
}

/**
 * Refuses what is asked outside a transaction. A statement may have thrown the transaction away (it filled the disk, say): what was asked beside it, or after it,
 * would be written at once and on its own.
 */
function inTransaction(database: Database): SqliteDatabase {
  return {
    prepare(sql) {
      if (!database.inTransaction) throw storeError('rolled_back')
      return database.prepare(sql)
    },
    close: () => database.close(),
  }
}

/** Takes the dialect's only connection and keeps it; whoever uses it has been let in by the group commit. */
async function connect(database: SqliteDatabase) {
  const dialect = new SqliteDialect({ database })
  const driver = dialect.createDriver()
  await driver.init()
  const connection = await driver.acquireConnection()
  const provider: ConnectionProvider = { provideConnection: (consumer) => consumer(connection) }
  return { handles: createHandles(dialect), connection: provider }
}
