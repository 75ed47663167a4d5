import { isNetwork, isPid, X402Error } from '@groat/core'
import type { AnyStore, Migrations } from '@groat/store'
import type { ExpressionBuilder } from 'kysely'
import type { Claim, Intent, IntentState, Intents } from './intents.js'

/** How intents are kept in a database. */
export type SqlIntentsOptions = {
  /**
   * Milliseconds for which a running call claims its intent at a time. After a crash, the next call waits that long before it takes the
   * payment over. Default 3000.
   */
  readonly claimMs?: number
}

/**
 * Intents in a database: a payment that was signed is presented again after a crash and by other processes, and is never signed anew
 * while it can be settled. Brings its own table. The rows stay, as the log of what was paid.
 * Throws `X402Error` `store_unavailable`, `store_busy`.
 *
 * @example
 * const payer = createPayer({ schemes, store: await sqlIntents(await openStore('purse.db')) })
 */
export async function sqlIntents(anyStore: AnyStore, { claimMs = 3_000 }: SqlIntentsOptions = {}): Promise<Intents> {
  const store = anyStore.withTables<Tables>()
  await store.migrate(migrations)

  return {
    claimMs,

    async take(key, owner) {
      // The usual answer is "nothing", and that costs no write.
      const known = await store.db
        .selectFrom('client_intent')
        .select('id')
        .where(living(key))
        .limit(1)
        .executeTakeFirst()
      if (known === undefined) return { claims: [] }
      return store.transaction(async (trx) => {
        const now = await store.now(trx)
        const rows = await trx
          .selectFrom('client_intent')
          .selectAll()
          .where(living(key))
          .orderBy('created_at')
          .execute()
        const claims: Claim[] = []
        for (const row of rows) {
          if (row.owner !== null && row.claimed_until > now) {
            claims.push({ owner: row.owner, until: row.claimed_until })
            continue
          }
          const change =
            row.state === 'open'
              ? { state: 'unsent' as const, owner: null, claimed_until: 0 }
              : { owner, claimed_until: now + claimMs }
          await trx.updateTable('client_intent').set(change).where('id', '=', row.id).execute()
          if (row.state !== 'open') return { intent: intentFrom(row), claims }
        }
        return { claims }
      })
    },

    create: (intent, owner) =>
      store.transaction(async (trx) => {
        if (intent.exclusive) {
          const rival = await trx.selectFrom('client_intent').select('id').where(living(intent.key)).executeTakeFirst()
          if (rival !== undefined) return false
        }
        const claimed_until = (await store.now(trx)) + claimMs
        await trx
          .insertInto('client_intent')
          .values({ ...rowFrom(intent), owner, claimed_until })
          .execute()
        return true
      }),

    sign: (id, owner, { name, value }) =>
      store.transaction(async (trx) => {
        const [row] = await trx
          .updateTable('client_intent')
          .set({ state: 'signed', header_name: name, header_value: value })
          .where('id', '=', id)
          .where('owner', '=', owner)
          .returning('id')
          .execute()
        return row !== undefined
      }),

    renew: (id, owner) =>
      store.transaction(async (trx) => {
        const claimed_until = (await store.now(trx)) + claimMs
        await trx
          .updateTable('client_intent')
          .set({ claimed_until })
          .where('id', '=', id)
          .where('owner', '=', owner)
          .execute()
      }),

    release: (id, owner, end, transaction) =>
      store.transaction(async (trx) => {
        const change = {
          ...(end !== undefined && { state: end }),
          ...(transaction !== undefined && { tx: transaction }),
          // A signature that never left is not worth the risk of keeping it.
          ...(end === 'unsent' && { header_name: null, header_value: null }),
        }
        if (Object.keys(change).length > 0) {
          const ending = trx
            .updateTable('client_intent')
            .set(change)
            .where('id', '=', id)
            .where('state', 'in', ['open', 'signed'])
          const ofOwner = end === 'dead' || end === 'unsent' ? ending.where('owner', '=', owner) : ending
          await ofOwner.execute()
        }
        await trx
          .updateTable('client_intent')
          .set({ owner: null, claimed_until: 0 })
          .where('id', '=', id)
          .where('owner', '=', owner)
          .execute()
      }),
  }
}

type Row = {
  readonly id: string
  readonly request_key: string
  readonly exclusive: number
  readonly fingerprint: string
  readonly origin: string
  readonly challenge: string
  readonly pid: string
  readonly x402_version: number
  readonly scheme: string
  readonly network: string
  readonly asset: string
  readonly pay_to: string
  readonly payer: string
  readonly amount: string
  readonly expires_at: number
  readonly created_at: number
  readonly state: IntentState
  readonly header_name: string | null
  readonly header_value: string | null
  readonly tx: string | null
  readonly owner: string | null
  readonly claimed_until: number
}

type Tables = { readonly client_intent: Row }

const migrations: Migrations = {
  namespace: 'client',
  steps: {
    '001_intent': async (db) => {
      await db.schema
        .createTable('client_intent')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('request_key', 'text', (column) => column.notNull())
        .addColumn('exclusive', 'integer', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('origin', 'text', (column) => column.notNull())
        .addColumn('challenge', 'text', (column) => column.notNull())
        .addColumn('pid', 'text', (column) => column.notNull().unique())
        .addColumn('x402_version', 'integer', (column) => column.notNull())
        .addColumn('scheme', 'text', (column) => column.notNull())
        .addColumn('network', 'text', (column) => column.notNull())
        .addColumn('asset', 'text', (column) => column.notNull())
        .addColumn('pay_to', 'text', (column) => column.notNull())
        .addColumn('payer', 'text', (column) => column.notNull())
        .addColumn('amount', 'text', (column) => column.notNull())
        .addColumn('expires_at', 'bigint', (column) => column.notNull())
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('header_name', 'text')
        .addColumn('header_value', 'text')
        .addColumn('tx', 'text')
        .addColumn('owner', 'text')
        .addColumn('claimed_until', 'bigint', (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex('client_intent_request_key')
        .on('client_intent')
        .columns(['request_key', 'state'])
        .execute()
    },
  },
}

/** What may be presented under a key, and what is only decided yet. */
function living(key: string) {
  return (row: ExpressionBuilder<Tables, 'client_intent'>) =>
    row.and([
      row('request_key', '=', key),
      row.or([
        row('state', 'in', ['open', 'signed']),
        row.and([row('exclusive', '=', 1), row('state', 'in', ['settled', 'answered', 'disputed'])]),
      ]),
    ])
}

function rowFrom(intent: Intent): Omit<Row, 'owner' | 'claimed_until'> {
  const { id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state } = intent
  return {
    ...{ id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state },
    request_key: intent.key,
    exclusive: intent.exclusive ? 1 : 0,
    x402_version: intent.x402Version,
    pay_to: intent.payTo,
    amount: intent.amount.toString(),
    // Times in a database are milliseconds.
    expires_at: Math.ceil(intent.expiresAt * 1000),
    created_at: intent.createdAt,
    header_name: intent.payment?.name ?? null,
    header_value: intent.payment?.value ?? null,
    tx: intent.transaction ?? null,
  }
}

function intentFrom(row: Row): Intent {
  const { id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state } = row
  if (!isPid(pid) || !isNetwork(network)) throw new X402Error('store_unavailable', { reason: 'corrupt', intent: id })
  return {
    ...{ id, fingerprint, origin, challenge, pid, scheme, network, asset, payer, state },
    key: row.request_key,
    exclusive: row.exclusive === 1,
    x402Version: row.x402_version === 1 ? 1 : 2,
    payTo: row.pay_to,
    amount: BigInt(row.amount),
    expiresAt: row.expires_at / 1000,
    createdAt: row.created_at,
    ...(row.header_name !== null &&
      row.header_value !== null && { payment: { name: row.header_name, value: row.header_value } }),
    ...(row.tx !== null && { transaction: row.tx }),
  }
}
