import type { Reader } from '@groat/store'
import { CHAIN_START, type ChainEnd, eventHash } from './events.js'
import type { JournalTables } from './tables.js'

/** What an audit of the events found: that every chain is whole, or the first entry that does not fit. */
export type EventAudit =
  | { readonly ok: true; readonly events: number; readonly heads: readonly EventHead[] }
  | { readonly ok: false; readonly writer: string; readonly seq: number }

/** Where a writer's chain ends: kept elsewhere, it shows later that nothing before it was changed or cut off. */
export type EventHead = {
  readonly writer: string
  readonly seq: number
  readonly hash: string
  /** Where it begins, when what came before was moved into an archive: that archive ends there. */
  readonly from?: ChainEnd
}

/**
 * Goes through every chain of events and recomputes every hash.
 *
 * @example
 * const audit = await verifyEvents(store.withTables<JournalTables>().db)
 */
export async function verifyEvents(db: Reader<JournalTables>): Promise<EventAudit> {
  const writers = await db.selectFrom('event').select('writer').distinct().orderBy('writer').execute()
  const starts = new Map(
    (await db.selectFrom('chain_start').selectAll().execute()).map(({ writer, ...start }) => [writer, start]),
  )
  const heads: EventHead[] = []
  let events = 0
  for (const { writer } of writers) {
    const from = starts.get(writer)
    let end = from ?? CHAIN_START
    for (;;) {
      const page = await db
        .selectFrom('event')
        .selectAll()
        .where('writer', '=', writer)
        .where('seq', '>=', end.seq)
        .orderBy('seq')
        .limit(PAGE)
        .execute()
      for (const row of page) {
        const fits = row.seq === end.seq && row.prev_hash === end.hash && row.hash === eventHash(row)
        if (!fits) return { ok: false, writer, seq: row.seq }
        end = { seq: row.seq + 1, hash: row.hash }
      }
      events += page.length
      if (page.length < PAGE) break
    }
    heads.push({ writer, ...end, ...(from === undefined ? {} : { from }) })
  }
  return { ok: true, events, heads }
}

const PAGE = 1000
