import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { codeOf, isLocked, storeError, storeReason } from '../errors.js'
import { retry } from '../retry.js'
import type { Database } from './database.js'

/** The one writer of a connection. */
export interface GroupCommit {
  /** Runs `work` in a transaction and settles when that is durable, unless it need not be. `work` may run again. */
  submit<T>(work: () => Promise<T>, durable?: boolean): Promise<T>
  /** Settles when everything submitted so far has settled. */
  idle(): Promise<void>
}

/** How the writer waits and how much it takes at once. */
export type GroupCommitOptions = {
  /** How long to wait for another process's lock, in milliseconds. */
  readonly busyTimeout: number
  readonly jitter: () => number
  /** Moves what is committed from the log into the database, beside the process and on a connection of its own; without, a commit does so when the log has grown long. */
  readonly moveLog?: (() => Promise<void>) | undefined
  /** Bounds what the first member waits for the last. Default 256. */
  readonly maxMembers?: number
}

/**
 * Lets transactions that wait together commit together, so that one fsync serves them all.
 *
 * A group begins with what has arrived, takes in what arrives while it runs, and never waits for company. Every member after the first has
 * its own savepoint, so one that fails takes back only what it wrote; when the first fails, the group is over before it has another. No caller hears anything, good or bad, before the
 * commit: what a member saw may have been written by another.
 */
export function createGroupCommit(database: Database, options: GroupCommitOptions): GroupCommit {
  const { busyTimeout, jitter, moveLog, maxMembers = 256 } = options
  const waiting: Member[] = []
  let draining: Promise<void> | undefined
  let moving: Promise<void> | undefined
  let oneByOne = 0
  let groups = 0
  let syncs = true
  let lastCommit = Number.POSITIVE_INFINITY

  async function drain() {
    while (waiting.length > 0) {
      // Requests that already lie in the sockets come in first; otherwise each would be answered, and committed, alone.
      await turnOfTheLoop()
      await commitGroup(oneByOne > 0 ? 1 : maxMembers)
      oneByOne = Math.max(0, oneByOne - 1)
      if (++groups % GROUPS_IN_LOG === 0) moving ??= move()
    }
    draining = undefined
  }

  /** Nobody waits for it, so it may meet the next one: that one is left out. What stays in the log is moved the next time. */
  async function move() {
    try {
      await moveLog?.()
    } catch {
      // Nothing is lost: it is still in the log. A disk that fails says so to the next commit.
    }
    moving = undefined
  }

  async function commitGroup(size: number) {
    const durable = waiting.some((member) => member.durable)
    try {
      rollBack()
      if (durable !== syncs) {
        database.exec(`pragma synchronous = ${durable ? 'full' : 'normal'}`)
        syncs = durable
      }
      await patiently(() => database.exec('begin immediate'))
    } catch (error) {
      for (const member of waiting.splice(0)) member.fail(error)
      return
    }
    const group: Member[] = []
    try {
      while (group.length < size) {
        // Whoever needs more than this group gives is in the next.
        if (waiting[0]?.durable && !durable) break
        const member = waiting.shift()
        if (!member) break
        group.push(member)
        // Before the first there is nothing to be kept: the whole transaction is its own.
        const first = group.length === 1
        if (!first) database.exec('savepoint member')
        const ok = await member.run()
        if (!database.inTransaction) return startOverWithout(member, ok, group)
        if (first) {
          if (ok) continue
          rollBack()
          member.tell()
          return
        }
        if (!ok) database.exec('rollback to member')
        database.exec('release member')
      }
    } catch (error) {
      rollBack()
      for (const member of group) member.fail(error)
      return
    }
    try {
      await patiently(() => (durable ? commitDurably(group) : database.exec('commit')))
    } catch (error) {
      rollBack()
      return notCommitted(error, group)
    }
    for (const member of group) member.tell()
  }

  /**
   * The disk is waited for beside the process, unless one caller alone waits and the disk was quick the last time: then handing over and being called back
   * would take longer than is won. What need not reach the disk is not handed over either.
   */
  async function commitDurably(group: readonly Member[]) {
    const { execApart } = database
    const alone = waiting.length === 0 && group.filter((member) => member.durable).length === 1
    const start = performance.now()
    if (execApart === undefined || (alone && lastCommit < QUICK_MS)) database.exec('commit')
    else await execApart('commit')
    lastCommit = performance.now() - start
  }

  /** The database threw the whole transaction away, on account of one member (it filled the disk, say). */
  function startOverWithout(culprit: Member, ok: boolean, group: readonly Member[]) {
    waiting.unshift(...group.filter((member) => member !== culprit))
    if (ok) culprit.fail(storeError('rolled_back'))
    else culprit.tell()
  }

  function notCommitted(error: unknown, group: readonly Member[]) {
    const refused = codeOf(error).startsWith('SQLITE_CONSTRAINT')
    if (refused && group.length > 1) {
      // Somebody's deferred constraint; alone, each finds out for itself.
      waiting.unshift(...group)
      oneByOne = group.length + 1
      return
    }
    // A failed fsync does not say whether the bytes have reached the disk.
    const fault =
      refused || isLocked(error)
        ? error
        : storeError(storeReason(error) ?? 'io', { cause: error, committed: 'unknown' })
    for (const member of group) member.fail(fault)
  }

  function patiently(work: () => void | Promise<void>): Promise<void> {
    return retry(work, { passes: isLocked, budget: busyTimeout, jitter })
  }

  function rollBack() {
    try {
      if (database.inTransaction) database.exec('rollback')
    } catch {
      // The disk is failing; the next group tries again before it begins.
    }
  }

  return {
    submit: (work, durable = true) =>
      new Promise((resolve, reject) => {
        waiting.push(createMember(work, durable, resolve, reject))
        draining ??= drain()
      }),
    async idle() {
      await draining
      await moving
    },
  }
}

/** Groups whose writes wait in the log: some hundred pages. */
const GROUPS_IN_LOG = 32

/** Milliseconds of a commit that a process may stand still for. */
const QUICK_MS = 1

type Member = {
  /** Whether it has to survive a loss of power. */
  readonly durable: boolean
  /** Runs its work and keeps what came of it; `false` when it failed. */
  run(): Promise<boolean>
  /** Tells its caller what came of it. */
  tell(): void
  /** Tells its caller that nothing came of it. */
  fail(error: unknown): void
}

function createMember<T>(
  work: () => Promise<T>,
  durable: boolean,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Member {
  let tell = () => {}
  return {
    durable,
    async run() {
      try {
        const value = await work()
        tell = () => resolve(value)
        return true
      } catch (error) {
        tell = () => reject(error)
        return false
      }
    },
    tell: () => tell(),
    fail: reject,
  }
}
