import { X402Error } from '@groat/core'
import { checkWebhookTarget, type WebhookTarget, type WebhookTopic } from '@groat/core/webhook'
import type { Telling } from '../journal/batch.js'

/** Somebody who is told what becomes of payments. */
export type WebhookEndpoint = WebhookTarget & {
  /** A name for the journal and the log; unique. Whatever waits for an endpoint waits under this name. */
  readonly id: string
  /** Whose payments; absent: everybody's. */
  readonly tenant?: string
  /** What it is told; absent: everything. */
  readonly topics?: readonly WebhookTopic[]
}

/**
 * Checks endpoints and answers who has to be told of what. Throws `X402Error` `invalid_config` for a name that is none or stands twice, and as
 * `checkWebhookTarget` does.
 *
 * @example
 * createTelling([{ id: 'shop', url: 'https://shop.example/hooks', secrets: [secret], tenant: 'shop' }])('settled', 'shop') // ['shop']
 */
export function createTelling(endpoints: readonly WebhookEndpoint[], { allowPrivate = false } = {}): Telling {
  const ids = new Set<string>()
  for (const endpoint of endpoints) {
    const { id } = endpoint
    const isName = /^[a-z0-9][a-z0-9._-]{0,79}$/.test(id) && !ids.has(id)
    if (!isName) throw new X402Error('invalid_config', { webhook: id, reason: 'not a name, or one that stands twice' })
    ids.add(id)
    checkWebhookTarget(endpoint, { allowPrivate })
  }
  return (topic, tenant) => {
    const told = endpoints.filter(
      ({ topics, tenant: whose }) => (topics?.includes(topic) ?? true) && (whose === undefined || whose === tenant),
    )
    return told.length === 0 ? undefined : told.map(({ id }) => id)
  }
}
