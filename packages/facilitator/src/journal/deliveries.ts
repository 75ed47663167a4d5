import type { Store } from '@groat/store'
import type { OutboxTopic } from './outbox.js'
import type { JournalTables } from './tables.js'

/**
 * Who still has to be told what. One replica at a time has a delivery, under a lease by the database's time; of what there is to tell
 * of one payment to one endpoint, only the first is ever handed out.
 */
export interface Deliveries {
  /** Takes some that are due, for so many milliseconds. */
  take(endpoint: string, most: number, lease: number): Promise<readonly Delivery[]>
  /** They have been told. */
  delivered(delivery: Delivery): Promise<void>
  /** The try came to nothing: it is due again after so many milliseconds, or never by itself. */
  failed(delivery: Delivery, said: string, again: number | 'dead'): Promise<void>
  /** Lets go of what this replica has, so that others need not wait. */
  release(): Promise<void>
  /** How many wait, and how many were given up, by endpoint. */
  standing(): Promise<readonly DeliveryStanding[]>
  /** What was given up, the newest first. */
  dead(most: number): Promise<readonly DeadDelivery[]>
  /** What was given up is due at once; answers how many those are. */
  revive(endpoint?: string): Promise<number>
}

/** One thing that one endpoint has to be told, with what it has to be told of the payment. */
export type Delivery = {
  readonly id: string
  readonly message: string
  readonly endpoint: string
  readonly pid: string
  readonly turn: number
  readonly topic: OutboxTopic
  /** JSON text: what is particular to what happened. */
  readonly payload: string
  /** Milliseconds since 1970 when it happened. */
  readonly at: number
  /** How often it was tried before. */
  readonly tries: number
  readonly leaseUntil: number
  readonly payment: Pick<JournalTables['settlement'], 'network' | 'scheme' | 'payer' | 'pay_to' | 'asset' | 'amount'>
}

/** How an endpoint stands. */
export type DeliveryStanding = {
  readonly endpoint: string
  readonly waiting: number
  readonly dead: number
  /** Of what failed and waits, what is tried next: how often it was tried, what the last try came to, and when it is due, in milliseconds since 1970. */
  readonly next?: { readonly tries: number; readonly said: string; readonly at: number }
}

/** A delivery that was given up. */
export type DeadDelivery = {
  readonly id: string
  readonly endpoint: string
  readonly pid: string
  readonly topic: string
  /** How often it was tried. */
  readonly tries: number
  /** What the last try came to. */
  readonly said: string
  /** Milliseconds since 1970 when it happened. */
  readonly at: number
}

/** What deliveries work with. */
export type DeliveriesOptions = {
  readonly store: Store<JournalTables>
  readonly replica: string
  /** Whether a message that everybody has been told counts as published: nobody else takes from the outbox. */
  readonly publishes: boolean
}

/**
 * Makes the deliveries over a journal's tables.
 *
 * @example
 * const [first] = await deliveries.take('shop', 8, 30_000)
 */
export function createDeliveries({ store, replica, publishes }: DeliveriesOptions): Deliveries {
  const { db } = store
  const transact: typeof store.transaction = (fn) => store.transaction(fn, { isolation: 'read committed' })

  async function due(endpoint: string, most: number, now: number): Promise<readonly string[]> {
    const rows = await db
      .selectFrom('delivery as d')
      .select('d.id')
      .where('d.endpoint', '=', endpoint)
      .where('d.status', '=', 'waiting')
      .where('d.due_at', '<=', now)
      .where('d.lease_until', '<=', now)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('delivery as earlier')
              .select('earlier.id')
              .whereRef('earlier.endpoint', '=', 'd.endpoint')
              .whereRef('earlier.pid', '=', 'd.pid')
              .whereRef('earlier.turn', '<', 'd.turn')
              .where('earlier.status', '=', 'waiting'),
          ),
        ),
      )
      .orderBy('d.due_at')
      .orderBy('d.created_at')
      .limit(most)
      .execute()
    return rows.map(({ id }) => id)
  }

  /** What an endpoint did not take, as far as it is tried again. */
  async function nextOf(endpoint: string): Promise<Pick<DeliveryStanding, 'next'>> {
    const row = await db
      .selectFrom('delivery')
      .select(['tries', 'said', 'due_at as at'])
      .where('endpoint', '=', endpoint)
      .where('status', '=', 'waiting')
      .where('tries', '>', 0)
      .orderBy('due_at')
      .limit(1)
      .executeTakeFirst()
    return row === undefined ? {} : { next: { tries: Number(row.tries), said: row.said ?? '', at: Number(row.at) } }
  }

  return {
    async take(endpoint, most, lease) {
      const now = await store.now()
      const ids = await due(endpoint, most, now)
      if (ids.length === 0) return []
      const leaseUntil = now + lease
      // Who comes second finds the lease taken: the row says so when its turn has come.
      const taken = await transact((trx) =>
        trx
          .updateTable('delivery')
          .set({ owner: replica, lease_until: leaseUntil })
          .where('id', 'in', ids)
          .where('status', '=', 'waiting')
          .where('lease_until', '<=', now)
          .returning('id')
          .execute(),
      )
      if (taken.length === 0) return []
      const rows = await db
        .selectFrom('delivery')
        .innerJoin('outbox', 'outbox.id', 'delivery.message')
        .innerJoin('settlement', 'settlement.pid', 'delivery.pid')
        .selectAll('delivery')
        .select(['outbox.topic', 'outbox.payload', 'outbox.created_at as at'])
        .select(['settlement.network', 'settlement.scheme', 'settlement.payer', 'settlement.pay_to'])
        .select(['settlement.asset', 'settlement.amount'])
        .where(
          'delivery.id',
          'in',
          taken.map(({ id }) => id),
        )
        .execute()
      return rows.map(({ id, message, pid, turn, topic, payload, at, tries, ...payment }) => ({
        ...{ id, message, endpoint, pid, turn, payload, at, tries, leaseUntil, payment },
        // A codec: the journal writes nothing else.
        topic: topic as OutboxTopic,
      }))
    },

    async delivered({ id, message }) {
      await transact(async (trx) => {
        await trx.deleteFrom('delivery').where('id', '=', id).execute()
        if (!publishes) return
        const now = await store.now(trx)
        await trx
          .updateTable('outbox')
          .set({ published_at: now })
          .where('id', '=', message)
          .where(({ not, exists, selectFrom }) =>
            not(exists(selectFrom('delivery').select('delivery.id').where('delivery.message', '=', message))),
          )
          .execute()
      })
    },

    async failed({ id, leaseUntil, tries }, said, again) {
      await transact(async (trx) => {
        const now = await store.now(trx)
        await trx
          .updateTable('delivery')
          .set({
            ...(again === 'dead' ? { status: 'dead' as const } : { due_at: now + again }),
            ...{ owner: null, lease_until: 0, said, tries: tries + 1 },
          })
          .where('id', '=', id)
          .where('owner', '=', replica)
          .where('lease_until', '=', leaseUntil)
          .execute()
      })
    },

    async release() {
      await transact((trx) =>
        trx.updateTable('delivery').set({ owner: null, lease_until: 0 }).where('owner', '=', replica).execute(),
      )
    },

    async standing() {
      const rows = await db
        .selectFrom('delivery')
        .select((eb) => ['endpoint', 'status', eb.fn.countAll<number>().as('count')])
        .groupBy(['endpoint', 'status'])
        .orderBy('endpoint')
        .execute()
      const count = (endpoint: string, status: string) =>
        Number(rows.find((row) => row.endpoint === endpoint && row.status === status)?.count ?? 0)
      const endpoints = [...new Set(rows.map(({ endpoint }) => endpoint))]
      return Promise.all(
        endpoints.map(async (endpoint) => ({
          endpoint,
          waiting: count(endpoint, 'waiting'),
          dead: count(endpoint, 'dead'),
          ...(await nextOf(endpoint)),
        })),
      )
    },

    async dead(most) {
      const rows = await db
        .selectFrom('delivery')
        .innerJoin('outbox', 'outbox.id', 'delivery.message')
        .select(['delivery.id', 'endpoint', 'delivery.pid', 'topic', 'tries', 'said', 'outbox.created_at as at'])
        .where('status', '=', 'dead')
        .orderBy('outbox.created_at', 'desc')
        .limit(most)
        .execute()
      return rows.map(({ said, ...row }) => ({ ...row, said: said ?? '' }))
    },

    async revive(endpoint) {
      const revived = await transact((trx) =>
        trx
          .updateTable('delivery')
          .set({ status: 'waiting', due_at: 0, tries: 0 })
          .where('status', '=', 'dead')
          .$if(endpoint !== undefined, (query) => query.where('endpoint', '=', endpoint ?? ''))
          .returning('id')
          .execute(),
      )
      return revived.length
    },
  }
}
