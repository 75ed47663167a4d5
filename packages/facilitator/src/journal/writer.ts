import { type Clock, X402Error } from '@groat/core'
import { isUniqueViolation, type Store } from '@groat/store'
import type { Timers } from '../timers.js'
import { openBatch, type Telling, type Write } from './batch.js'
import { CHAIN_START, type ChainEnd } from './events.js'
import { createStatements } from './statements.js'
import type { JournalTables } from './tables.js'

/** The one writer of a process: writes that wait together are one transaction. */
export interface JournalWriter {
  /** Decides and writes; resolves when that is durable. Rejects with the fault of the store, or with what `decide` threw. */
  write<T>(write: Write<T>): Promise<T>
}

/** What a writer works with. */
export type WriterOptions = {
  readonly store: Store<JournalTables>
  readonly clock: Clock
  readonly timers: Timers
  /** By this its chain of events is known. */
  readonly writer: string
  readonly telling: Telling
  /** Called when something was written that others have to be told. */
  readonly onTold?: (() => void) | undefined
}

/**
 * Makes the writer. One transaction is under way at a time, so that its events are one chain; a write that fails takes no other with it.
 *
 * @example
 * const writer = createWriter({ store, clock, timers, writer: 'a1b2', telling: () => undefined })
 */
export function createWriter({ store, clock, timers, writer, telling, onTold }: WriterOptions): JournalWriter {
  const waiting: Waiting[] = []
  const statements = createStatements(store)
  let isDraining = false
  /** Read again when `undefined`. */
  let end: ChainEnd | undefined = CHAIN_START

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      await timers.turn()
      await commit(waiting.splice(0, MOST))
    }
    isDraining = false
  }

  async function commit(members: readonly Waiting[], tries = 0): Promise<void> {
    try {
      const writes = members.map(({ write }) => write)
      end ??= await readEnd()
      const before = end
      // Until it is known to be written, it is not known where the chain ends.
      end = undefined
      const done = await store.transaction(
        async (trx) => {
          const options = { trx, now: clock(), writer, end: before, statements, telling }
          const batch = await openBatch(writes, options)
          const answers = writes.map((write) => write.decide(batch))
          return { answers, end: await batch.flush(), tells: batch.hasDeliveries }
        },
        { isolation: 'read committed', durable: writes.some(({ durable = true }) => durable) },
      )
      end = done.end
      if (done.tells) onTold?.()
      for (const [at, { resolve }] of members.entries()) resolve(done.answers[at])
    } catch (error) {
      // Another replica was quicker; seen from there it may be decided otherwise.
      const again = isUniqueViolation(error) && tries < TRIES
      if (X402Error.is(error) || (members.length === 1 && !again)) for (const { reject } of members) reject(error)
      else for (const member of members) await commit([member], tries + 1)
    }
  }

  async function readEnd(): Promise<ChainEnd> {
    const last = await store.db
      .selectFrom('event')
      .select(['seq', 'hash'])
      .where('writer', '=', writer)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst()
    return last === undefined ? CHAIN_START : { seq: last.seq + 1, hash: last.hash }
  }

  return {
    write: <T>(write: Write<T>) =>
      new Promise<T>((resolve, reject) => {
        // What comes back is what this write's own `decide` answered.
        waiting.push({ write, resolve: (answer) => resolve(answer as T), reject })
        if (isDraining) return
        isDraining = true
        // Never rejects: every failure is handed to the writes.
        void drain()
      }),
  }
}

/** Writes in one transaction, which bounds what the first waits for the last. */
const MOST = 256

const TRIES = 3

type Waiting = {
  readonly write: Write<unknown>
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}
