import type { Clock } from '@groat/core'
import { createWebhookSender, type WebhookSenderOptions, type WebhookTarget, webhookDelay } from '@groat/core/webhook'
import type { Store } from '@groat/store'
import type { EventRow, LedgerTables } from './tables.js'

/** What became of events that were due. `dead`: sent as often as is sensible, and kept in the stream. */
export type Deliveries = { readonly delivered: number; readonly failed: number; readonly dead: number }

const PAGE = 50

/** Milliseconds for which a process that sends keeps others from sending the same. */
const LEASE_MS = 60_000

/** Sends what is due: at least once each, and by one process at a time while it lives. */
export async function deliverEvents(
  store: Store<LedgerTables>,
  target: (WebhookTarget & WebhookSenderOptions) | undefined,
  clock: Clock,
): Promise<Deliveries> {
  if (target === undefined) return { delivered: 0, failed: 0, dead: 0 }
  const sender = createWebhookSender({ ...target, clock })
  const rows = await take(store)
  const ends = await Promise.all(
    rows.map(async (row) => {
      const outcome = await sender.send(target, { id: row.id, body: bodyOf(row) })
      const failures = row.failures + 1
      const delay = outcome === 'failed' ? webhookDelay(failures, Math.random()) : undefined
      await store.transaction(async (trx) => {
        const due_at = delay === undefined ? null : (await store.now(trx)) + delay
        await trx
          .updateTable('ledger_event')
          .set({ due_at, failures: outcome === 'delivered' ? row.failures : failures })
          .where('id', '=', row.id)
          .execute()
      })
      if (outcome === 'delivered') return 'delivered'
      return delay === undefined ? 'dead' : 'failed'
    }),
  )
  const count = (of: string) => ends.filter((end) => end === of).length
  return { delivered: count('delivered'), failed: count('failed'), dead: count('dead') }
}

/** Takes the oldest that are due out of the sight of others for a while. */
async function take(store: Store<LedgerTables>): Promise<readonly EventRow[]> {
  const due = await store.db.selectFrom('ledger_event').select('id').where('due_at', 'is not', null).limit(1).execute()
  if (due.length === 0) return []
  return store.transaction(async (trx) => {
    const now = await store.now(trx)
    const rows = await trx
      .selectFrom('ledger_event')
      .selectAll()
      .where('due_at', '<=', now)
      .orderBy('due_at')
      .orderBy('id')
      .limit(PAGE)
      .execute()
    const ids = rows.map(({ id }) => id)
    if (ids.length > 0) {
      await trx
        .updateTable('ledger_event')
        .set({ due_at: now + LEASE_MS })
        .where('id', 'in', ids)
        .execute()
    }
    return rows
  })
}

function bodyOf({ id, type, at, pid, data }: EventRow): string {
  return JSON.stringify({ id, type, at, pid, data: JSON.parse(data) })
}
