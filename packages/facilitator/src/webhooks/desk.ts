import type { Store } from '@groat/store'
import { createDeliveries, type Deliveries } from '../journal/deliveries.js'
import { journalMigrations } from '../journal/migrations.js'
import type { JournalTables } from '../journal/tables.js'

/** How the webhooks of a journal stand, and what was given up: for whoever operates it, beside the facilitators that run. */
export type WebhookDesk = Pick<Deliveries, 'standing' | 'dead' | 'revive'>

/**
 * Opens the desk over the store that the journal lives in.
 *
 * @example
 * const desk = await createWebhookDesk(await openStore('pay.db'))
 * await desk.revive('tenant.shop')
 */
export async function createWebhookDesk(store: Store): Promise<WebhookDesk> {
  await store.migrate(journalMigrations)
  return createDeliveries({ store: store.withTables<JournalTables>(), replica: 'desk', publishes: false })
}
