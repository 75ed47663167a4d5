import type { Clock, Pid } from '@groat/core'
import type { WebhookTopic } from '@groat/core/webhook'
import type { Store } from '@groat/store'
import type { JournalTables } from './tables.js'

/**
 * What others have to be told, in the order in which it happened. It is there as soon as what it tells of is, and stays until it is
 * marked: whoever is told may be told twice, and knows by the id.
 */
export interface Outbox {
  /** The oldest that nobody has been told yet. */
  take(limit: number): Promise<readonly OutboxMessage[]>
  /** They have been told. */
  published(ids: readonly string[]): Promise<void>
}

/** What there is to tell. */
export type OutboxTopic = WebhookTopic

/** One thing to tell. */
export type OutboxMessage = {
  readonly id: string
  readonly topic: OutboxTopic
  readonly pid: Pid
  /** The first thing that is told of a payment has 0, the next 1. */
  readonly turn: number
  /** JSON text. */
  readonly payload: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Makes the outbox over a journal's tables. */
export function createOutbox(store: Store<JournalTables>, clock: Clock): Outbox {
  return {
    async take(limit) {
      const rows = await store.db
        .selectFrom('outbox')
        .selectAll()
        .where('published_at', 'is', null)
        .orderBy('created_at')
        .orderBy('turn')
        .orderBy('id')
        .limit(limit)
        .execute()
      return rows.map(({ id, topic, pid, turn, payload, created_at: at }) => ({
        id,
        // Codecs: the journal writes nothing else.
        topic: topic as OutboxMessage['topic'],
        pid: pid as Pid,
        turn,
        payload,
        at,
      }))
    },
    async published(ids) {
      if (ids.length === 0) return
      await store.transaction(
        (trx) => trx.updateTable('outbox').set({ published_at: clock() }).where('id', 'in', ids).execute(),
        { isolation: 'read committed' },
      )
    },
  }
}
