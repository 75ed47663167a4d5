import type { Pid } from '@groat/core'
import type { Store } from '@groat/store'
import { EVENT_ORDER, type LedgerEvent, type LedgerEventType } from './event.js'
import { pause } from './pause.js'
import type { EventRow, LedgerTables } from './tables.js'

/** Which events, and for how long. */
export type EventsOptions = {
  /** What came after this; all of them unless told. */
  readonly after?: number
  readonly types?: readonly LedgerEventType[]
  /** Whether to wait for those that are still to come; true unless told. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
  /** Milliseconds between looks; 500 unless told. */
  readonly intervalMs?: number
}

const PAGE = 500

/** Reads events in their order, and waits for more. */
export async function* readEvents(store: Store<LedgerTables>, options: EventsOptions): AsyncGenerator<LedgerEvent> {
  const { types, follow = true, signal, intervalMs = 500 } = options
  let { after = 0 } = options
  while (signal?.aborted !== true) {
    await number(store)
    const rows = await store.db
      .selectFrom('ledger_event')
      .selectAll()
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PAGE)
      .execute()
    for (const row of rows) {
      const event = eventOf(row)
      if (event === undefined) continue
      after = event.seq
      if (types === undefined || types.includes(event.type)) yield event
      if (signal?.aborted) return
    }
    if (rows.length === PAGE) continue
    if (!follow) return
    await pause(intervalMs, signal ?? NEVER)
  }
}

const NEVER = new AbortController().signal

/**
 * Numbers what has no number yet. Who writes does not number: of two writers the second could be done before the first, and whoever had read
 * up to there would never see the first.
 */
async function number(store: Store<LedgerTables>): Promise<void> {
  const unread = store.db.selectFrom('ledger_event').select('id').where('seq', 'is', null).limit(1)
  while ((await unread.executeTakeFirst()) !== undefined) {
    await store.transaction(async (trx) => {
      const rows = await trx
        .selectFrom('ledger_event')
        .select(['id', 'at', 'type'])
        .where('seq', 'is', null)
        .orderBy('at')
        .orderBy('id')
        .limit(PAGE)
        .execute()
      // Within a millisecond one follows from the other.
      rows.sort((a, b) => a.at - b.at || EVENT_ORDER.indexOf(a.type) - EVENT_ORDER.indexOf(b.type))
      const last = await trx
        .selectFrom('ledger_event')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .executeTakeFirst()
      let seq = Number(last?.seq ?? 0)
      for (const { id } of rows) {
        seq += 1
        await trx.updateTable('ledger_event').set({ seq }).where('id', '=', id).execute()
      }
    })
  }
}

/** Reads a row; `undefined` before it has its number. */
export function eventOf({ id, seq, type, at, pid, data }: EventRow): LedgerEvent | undefined {
  if (seq === null) return undefined
  // A codec: nothing else was written.
  return { seq, id, type, at, pid: pid as Pid, data: JSON.parse(data) as LedgerEvent['data'] }
}
