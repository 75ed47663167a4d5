import { type ErrorCode, X402Error } from '@groat/core'

/** Why a store failed, as `context.reason` of the X402Error that it throws. For logs: peers only get the code. */
export type StoreReason = keyof typeof reasons

const reasons = {
  /** The target is neither a file path nor `postgres://…`. */
  bad_target: 'invalid_config',
  /** The database driver is not installed: `npm install pg`. */
  driver_missing: 'invalid_config',
  /** No such folder, no right to it, no such database, a wrong password. */
  cannot_open: 'store_unavailable',
  /** The database server does not answer, or the connection broke. */
  unreachable: 'store_unavailable',
  /** The file is damaged, or no database. */
  corrupt: 'store_unavailable',
  /** The disk is full. */
  full: 'store_unavailable',
  /** The database takes no writes, or none through this handle. */
  read_only: 'store_unavailable',
  /** The disk answered with an error. */
  io: 'store_unavailable',
  /** The tables come from another version of the program. */
  schema: 'store_unavailable',
  /** The store was closed. */
  closed: 'store_unavailable',
  /** The handle of a transaction was used after that had ended. */
  ended: 'store_unavailable',
  /** The transaction went on after an error that it had not undone, and the database threw it away. */
  rolled_back: 'store_unavailable',
  /** Another process held the write lock for longer than `busyTimeout`. */
  locked: 'store_busy',
  /** The transaction took longer than `transactionTimeout`. */
  timeout: 'store_busy',
  /** Transactions kept running into each other for as long as `busyTimeout`. */
  contention: 'store_busy',
  /** No connection became free within `busyTimeout`. */
  pool: 'store_busy',
} as const satisfies Record<string, ErrorCode>

/**
 * A fault of the store. Its context says the `reason`, and whether the work is `committed`: surely not (`false`), or
 * `'unknown'` because it broke while committing, so that one has to look before doing it again.
 */
export function storeError(
  reason: StoreReason,
  options: { readonly cause?: unknown; readonly committed?: 'unknown' } = {},
): X402Error {
  const { cause, committed = false } = options
  const context = { reason, committed, ...advice[reason] }
  return new X402Error(reasons[reason], context, cause === undefined ? undefined : { cause })
}

const advice: { readonly [reason in StoreReason]?: Readonly<Record<string, string>> } = {
  bad_target: { field: 'store', expected: 'a file path or postgres://…' },
  driver_missing: { field: 'store', missing: 'the package pg' },
}

/**
 * Whether a unique or primary key refused a row, on either database, also when that is the `cause` of the error.
 *
 * Inside a transaction prefer `on conflict do nothing`, or put the insert into a `savepoint`: on PostgreSQL the violation
 * has ended the transaction, and catching it does not bring that back.
 *
 * @example
 * const known = await store.transaction(insertClaim).then(() => false, isUniqueViolation)
 */
export function isUniqueViolation(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (uniqueCodes.has(codeOf(e))) return true
  return false
}

const uniqueCodes: ReadonlySet<string> = new Set([
  'SQLITE_CONSTRAINT_PRIMARYKEY',
  'SQLITE_CONSTRAINT_UNIQUE',
  'SQLITE_CONSTRAINT_ROWID',
  '23505',
])

/** The driver's own code of an error (`SQLITE_BUSY`, an SQLSTATE, `ENOSPC`), or nothing. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The reason of a fault of the store; nothing for any other error. */
export function storeReason(error: unknown): StoreReason | undefined {
  if (!X402Error.is(error)) return undefined
  const { reason } = error.context
  return typeof reason === 'string' && isReason(reason) ? reason : undefined
}

/** Whether another process holds the write lock. */
export function isLocked(error: unknown): boolean {
  return storeReason(error) === 'locked'
}

function isReason(text: string): text is StoreReason {
  return Object.hasOwn(reasons, text)
}
