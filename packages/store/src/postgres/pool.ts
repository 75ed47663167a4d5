import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import type { PoolClient } from 'pg'
import type { Bounds } from '../backend.js'
import { codeOf, type StoreReason, storeError, storeReason } from '../errors.js'

/** The same connections twice: those that are given up when they fall silent, and for work that may take any time those that are not. */
export type Pools = { readonly bounded: PostgresPool; readonly unbounded: PostgresPool }

/** The connections of `pg`, with its faults typed and its integers as numbers. */
export async function createPool(url: string, bounds: Bounds): Promise<Pools> {
  // The driver would put the whole URL, password and all, into its error.
  if (!URL.canParse(url)) throw storeError('bad_target')
  const { Pool, types } = await loadDriver()
  const pool = new Pool({
    connectionString: url,
    max: bounds.poolSize,
    connectionTimeoutMillis: bounds.busyTimeout,
    keepAlive: true,
    // What is not waited for goes out at once; before 8.21 the driver knows nothing of that, and sends one by one.
    pipeline: true,
    // Safe integers by contract, so numbers, as SQLite gives them.
    types: { getTypeParser: (id, format) => (id === types.builtins.INT8 ? Number : types.getTypeParser(id, format)) },
  })
  // A connection may break at any time, also between two queries; unheard, the event would end the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))

  let taken = 0
  let ending: Promise<void> | undefined
  let allBack = () => {}

  function giveBack() {
    taken -= 1
    if (taken === 0) allBack()
  }

  async function connect(patience: Patience): Promise<PostgresPoolClient> {
    if (ending) throw storeError('closed')
    taken += 1
    try {
      const client = await typed(() => pool.connect())
      return wrap(client, patience, giveBack)
    } catch (error) {
      giveBack()
      throw error
    }
  }

  function end(): Promise<void> {
    // The pool itself would forget those that still wait for a connection.
    ending ??= new Promise<void>((resolve) => {
      allBack = resolve
      if (taken === 0) resolve()
    }).then(() => pool.end())
    return ending
  }

  const { transactionTimeout } = bounds
  // A transaction is given up by whoever runs it; that is said first.
  const patience = {
    ...{ inTransaction: 1.2 * transactionTimeout, alone: 6 * transactionTimeout },
    betweenQueries: transactionTimeout,
  }
  return {
    bounded: { connect: () => connect(patience), end },
    unbounded: { connect: () => connect(FOREVER), end },
  }
}

/** Milliseconds for which an answer is waited for. A network that loses everything is noticed by the system after a quarter of an hour, if at all. */
type Patience = {
  readonly inTransaction: number
  readonly alone: number
  /** Milliseconds for which the server waits for the next query of a transaction: what a machine that is gone has locked is free after that. */
  readonly betweenQueries: number
}

const { POSITIVE_INFINITY } = Number
const FOREVER: Patience = {
  inTransaction: POSITIVE_INFINITY,
  alone: POSITIVE_INFINITY,
  betweenQueries: POSITIVE_INFINITY,
}

function wrap(client: PoolClient, patience: Patience, onRelease: () => void): PostgresPoolClient {
  let inTransaction = false
  let isSilent = false
  let isStuck = false
  let fallSilent = () => {}
  const silence = new Promise<never>((_, reject) => {
    fallSilent = () => {
      isSilent = true
      reject(storeError('unreachable'))
    }
  })
  silence.catch(() => {})
  /** Said with the first query of a transaction, so that it costs no way of its own, and to nobody else's whose connection that is next. */
  const limited = Number.isFinite(patience.betweenQueries)
    ? `; set local idle_in_transaction_session_timeout = ${Math.ceil(patience.betweenQueries)}`
    : ''

  /** What was sent may have been done; nothing more is sent there. */
  async function answered<T>(ask: () => Promise<T>): Promise<T> {
    const most = inTransaction ? patience.inTransaction : patience.alone
    // A timer takes no more than that.
    const timer = most < 2 ** 31 ? setTimeout(fallSilent, most) : undefined
    try {
      return await (isSilent ? silence : Promise.race([ask(), silence]))
    } finally {
      clearTimeout(timer)
    }
  }

  function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>>
  function query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  function query(sql: unknown, parameters: readonly unknown[] = []): unknown {
    if (typeof sql !== 'string') throw new TypeError('Streaming is not portable: read in pages.')
    return typed(async () => {
      const begins = /^(begin|start transaction)/.test(sql)
      inTransaction ||= begins
      const answer = answered(() => client.query(begins ? sql + limited : sql, [...parameters]))
      // It would be lent again with a transaction open on it.
      if (sql === 'rollback') answer.catch(() => (isStuck = true))
      const { command, rowCount, rows } = await answer
      // PostgreSQL answers so when a query had failed before: politely, and with nothing written.
      if (sql === 'commit' && command === 'ROLLBACK') throw storeError('rolled_back')
      return { command, rowCount: rowCount ?? 0, rows }
    })
  }
  return {
    query,
    release() {
      const isGivenUp = isSilent || isStuck
      client.release(isGivenUp)
      // The driver would keep it until everything that was sent is answered: for ever, with a transaction open on it.
      if (isGivenUp) client.connection.stream.destroy()
      onRelease()
    },
  }
}

async function loadDriver() {
  try {
    return await import('pg')
  } catch (cause) {
    throw storeError('driver_missing', { cause })
  }
}

async function typed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reason = reasonOf(error)
    throw reason ? storeError(reason, { cause: error }) : error
  }
}

function reasonOf(error: unknown): StoreReason | undefined {
  if (!(error instanceof Error) || storeReason(error) || error instanceof TypeError) return undefined
  if (error.message === 'timeout exceeded when trying to connect') return 'pool'
  // Only what the server itself answered has a severity; the rest is sockets.
  if (!('severity' in error)) return 'unreachable'
  const state = codeOf(error)
  return faults.find(([prefix]) => state.startsWith(prefix))?.[1]
}

const faults: readonly (readonly [sqlstate: string, reason: StoreReason])[] = [
  ['08', 'unreachable'],
  ['57P', 'unreachable'],
  ['57014', 'timeout'],
  ['25P03', 'timeout'],
  ['25P04', 'timeout'],
  ['25006', 'read_only'],
  ['28', 'cannot_open'],
  ['3D000', 'cannot_open'],
  ['53100', 'full'],
  ['53300', 'pool'],
  ['53', 'io'],
  ['55P03', 'locked'],
  ['58', 'io'],
  ['XX001', 'corrupt'],
  ['XX002', 'corrupt'],
]
