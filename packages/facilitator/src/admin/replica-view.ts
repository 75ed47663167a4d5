import type { Store } from '@groat/store'
import { isLiveAttempt, type JournalTables } from '../journal/tables.js'

/** A signer in the journal. */
export type LaneRow = {
  readonly signer: string
  readonly next?: number
  readonly open: number
  readonly lowest?: number
  readonly highest?: number
  /** The replica that signs here; absent while nobody does. */
  readonly owner?: string
  /** The owner was not heard of in time: the next that wants the lane may take it. */
  readonly lapsed?: true
}

/** A process that shares the journal. */
export type ReplicaRow = {
  readonly id: string
  readonly host: string
  /** Its number on that host. */
  readonly process: number
  /** Whether it was heard of in time. */
  readonly alive: boolean
  /** For how long it still counts as alive unless it is heard of again; or how long ago that ended. */
  readonly seconds: number
  /** Lanes that it has and nobody took from it. */
  readonly lanes: number
}

/** Who signs where, as the journal says. Time is the database's. */
export interface ReplicaView {
  lanes(network: string): Promise<readonly LaneRow[]>
  /** Who shares the journal, and after them who broke off, for as long as the journal remembers them; 50 at most. */
  replicas(): Promise<readonly ReplicaRow[]>
}

const LIMIT = 50

/** Makes the view over the store that the journal lives in. */
export function createReplicaView(store: Store<JournalTables>): ReplicaView {
  const { db } = store

  return {
    async lanes(network) {
      const now = await store.now()
      const held = await db
        .selectFrom('lane')
        .select(['signer', 'next', 'owner', 'lease_until'])
        .where('network', '=', network)
        .execute()
      const live = await db
        .selectFrom('attempt')
        .select((eb) => [
          'signer',
          eb.fn.countAll().as('open'),
          eb.fn.min('nonce').as('lowest'),
          eb.fn.max('nonce').as('highest'),
        ])
        .where('network', '=', network)
        .where(isLiveAttempt)
        .groupBy('signer')
        .execute()
      const signers = new Set([...held, ...live].map(({ signer }) => signer))
      return [...signers].map((signer): LaneRow => {
        const { next = 0, owner = null, lease_until = 0 } = held.find((lane) => lane.signer === signer) ?? {}
        const { open = 0, lowest = null, highest = null } = live.find((each) => each.signer === signer) ?? {}
        return {
          signer,
          open: Number(open),
          ...(next === 0 ? {} : { next }),
          ...(lowest === null ? {} : { lowest: Number(lowest) }),
          ...(highest === null ? {} : { highest: Number(highest) }),
          ...(owner === null ? {} : { owner, ...(lease_until > now ? {} : { lapsed: true }) }),
        }
      })
    },

    async replicas() {
      const now = await store.now()
      const rows = await db
        .selectFrom('replica')
        .select(['id', 'host', 'process', 'lease_until'])
        .orderBy('lease_until', 'desc')
        .limit(LIMIT)
        .execute()
      const held = await db
        .selectFrom('lane')
        .select((eb) => ['owner', eb.fn.countAll().as('lanes')])
        .where('owner', 'is not', null)
        .groupBy('owner')
        .execute()
      const alive = rows.filter(({ lease_until }) => lease_until > now).sort((a, b) => (a.id < b.id ? -1 : 1))
      return [...alive, ...rows.slice(alive.length)].map(({ lease_until, ...replica }) => ({
        ...replica,
        alive: lease_until > now,
        seconds: Math.round(Math.abs(lease_until - now) / 1000),
        lanes: Number(held.find(({ owner }) => owner === replica.id)?.lanes ?? 0),
      }))
    },
  }
}
