import type { Network, Pid } from '@groat/core'
import type { AnyStore, Migrations } from '@groat/store'
import type { Transaction } from 'kysely'
import type { Hex } from '../hex.js'
import { type ChannelConfig, readConfig } from './channel.js'

/** A channel as its payer remembers it. Amounts in atomic units. */
export type PayerChannel = {
  /** What the seller has charged, in all. */
  readonly charged: bigint
  readonly balance: bigint
  /** Which channel it is; absent for those that were written down before this was. */
  readonly about?: { readonly network: Network; readonly config: ChannelConfig }
  /** A deposit that was signed and is not known to be made: it may be, until the end of its validity in seconds since 1970 (EVM-BATCH-017). */
  readonly open?: { readonly pid: Pid; readonly until: number }
  /** The payment that is under way. */
  readonly pending?: { readonly pid: Pid; readonly amount: bigint; readonly deposit: bigint }
}

/** Where a payer remembers its channels. What it forgets, the seller's next refusal tells, with the payer's own signature on it. */
export interface PayerChannels {
  get(channelId: Hex): Promise<PayerChannel | undefined>
  /** Writes what comes of it, with nothing of anybody else's in between (EVM-BATCH-017); what `next` throws leaves it as it was, and is thrown. */
  change(channelId: Hex, next: (known: PayerChannel | undefined) => PayerChannel): Promise<void>
  /** All of them: where the payer's money is locked. */
  list(): Promise<readonly (PayerChannel & { readonly channelId: Hex })[]>
}

/**
 * Channels in the memory of one process.
 *
 * @example
 * batchEvm({ account, channels: createMemoryChannels() })
 */
export function createMemoryChannels(): PayerChannels {
  const rows = new Map<Hex, PayerChannel>()
  return {
    get: async (id) => rows.get(id),
    change: async (id, next) => void rows.set(id, next(rows.get(id))),
    list: async () => [...rows].map(([channelId, channel]) => ({ ...channel, channelId })),
  }
}

/**
 * Channels in a database. Brings its own table. Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * batchEvm({ account, channels: await sqlChannels(await openStore('purse.db')) })
 */
export async function sqlChannels(anyStore: AnyStore): Promise<PayerChannels> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)

  async function read(from: Reads, id: Hex): Promise<PayerChannel | undefined> {
    const row = await from
      .selectFrom('evm_payer_channel')
      .select('state')
      .where('channel_id', '=', id)
      .executeTakeFirst()
    return row && decodeChannel(row.state)
  }

  return {
    get: (id) => read(store.db, id),
    change: (id, next) =>
      store.transaction(async (trx) => {
        const channel = next(await read(trx, id))
        const state = JSON.stringify(channel, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
        await trx
          .insertInto('evm_payer_channel')
          .values({ channel_id: id, state })
          .onConflict((conflict) => conflict.column('channel_id').doUpdateSet({ state }))
          .execute()
      }),
    async list() {
      const rows = await store.db.selectFrom('evm_payer_channel').selectAll().orderBy('channel_id').execute()
      // Keys that we wrote ourselves.
      return rows.map(({ channel_id, state }) => ({ ...decodeChannel(state), channelId: channel_id as Hex }))
    },
  }
}

type Tables = { readonly evm_payer_channel: { readonly channel_id: string; readonly state: string } }
type Reads = Pick<Transaction<Tables>, 'selectFrom'>

const migrations: Migrations = {
  namespace: 'evm_payer',
  steps: {
    '001_channel': async (db) => {
      await db.schema
        .createTable('evm_payer_channel')
        .addColumn('channel_id', 'text', (column) => column.primaryKey())
        .addColumn('state', 'text', (column) => column.notNull())
        .execute()
    },
  },
}

/** What we wrote ourselves. */
function decodeChannel(text: string): PayerChannel {
  const { charged, balance, pending, about, open } = JSON.parse(text)
  const config = about && readConfig(about.config)
  return {
    charged: BigInt(charged),
    balance: BigInt(balance),
    ...(open && { open: { pid: open.pid, until: open.until } }),
    ...(config && { about: { network: about.network, config } }),
    ...(pending && { pending: { pid: pending.pid, amount: BigInt(pending.amount), deposit: BigInt(pending.deposit) } }),
  }
}
