import type { AnyStore } from '@groat/store'
import { sql } from 'kysely'
import type { LedgerTables } from './tables.js'

/** What was taken and given back under one heading, in one asset. Atomic units. */
export type UsageRow = {
  /** A day (`2026-01-31`, UTC), a route, or a payer. */
  readonly name: string
  readonly network: string
  readonly asset: string
  readonly payments: number
  readonly revenue: bigint
  readonly refunds: number
  readonly refunded: bigint
}

/** How a shop does. */
export type Usage = {
  readonly days: readonly UsageRow[]
  readonly routes: readonly UsageRow[]
  /** Those who paid most often. */
  readonly payers: readonly UsageRow[]
  /** Payments that came to nothing, and deliveries that failed after payment, in this time. */
  readonly failed: { readonly payments: number; readonly deliveries: number }
  /** Right now: settlements whose end nobody knows, paid work that is owed, refunds that are not paid yet. */
  readonly now: { readonly unknown: number; readonly owed: number; readonly refunds: number }
}

const DAY_MS = 86_400_000
const PAYERS = 20

/**
 * Sums up the books since a time (milliseconds since 1970). The database counts payments that are alike; amounts are added here, where they
 * are exact.
 *
 * @example
 * const { routes } = await usageSince(store, Date.now() - 30 * 86_400_000)
 */
export async function usageSince(anyStore: AnyStore, since: number): Promise<Usage> {
  const store = anyStore.withTables<Tables>()
  const { db } = store
  const rowsBy = async (heading: 'day' | 'route' | 'payer'): Promise<readonly UsageRow[]> => {
    const name = {
      day: sql<string>`cast(at / ${sql.lit(DAY_MS)} as text)`,
      route: sql<string>`route`,
      payer: sql<string>`case when kind = 'refund' then to_account else from_account end`,
    }[heading]
    const counted = await db
      .selectFrom('ledger_entry')
      .select((eb) => [name.as('name'), 'network', 'asset', 'kind', 'amount', eb.fn.countAll().as('count')])
      .where('kind', 'in', ['payment', 'refund'])
      .where('at', '>=', since)
      .groupBy([name, 'network', 'asset', 'kind', 'amount'])
      .execute()
    return summed(counted.map((row) => ({ ...row, count: Number(row.count) })))
  }
  const countOf = async (type: 'payment_failed' | 'delivery_failed'): Promise<number> => {
    const told = db.selectFrom('ledger_event').select((eb) => eb.fn.countAll().as('count'))
    const row = await told.where('type', '=', type).where('at', '>=', since).executeTakeFirst()
    return Number(row?.count ?? 0)
  }
  const now = await store.now()
  const claims = async (state: 'settling' | 'open'): Promise<number> => {
    const found = db.selectFrom('server_claim').select((eb) => eb.fn.countAll().as('count'))
    const row = await found.where('state', '=', state).where('lease_until', '<=', now).executeTakeFirst()
    return Number(row?.count ?? 0)
  }
  const [days, routes, payers, payments, deliveries, unknown, owed, refunds] = await Promise.all([
    rowsBy('day'),
    rowsBy('route'),
    rowsBy('payer'),
    countOf('payment_failed'),
    countOf('delivery_failed'),
    claims('settling'),
    claims('open'),
    openRefunds(anyStore),
  ])
  const dated = days.map((row) => ({ ...row, name: new Date(Number(row.name) * DAY_MS).toISOString().slice(0, 10) }))
  return {
    days: dated.sort((a, b) => (a.name < b.name ? 1 : -1)),
    routes: [...routes].sort((a, b) => b.payments - a.payments),
    payers: [...payers].sort((a, b) => b.payments - a.payments).slice(0, PAYERS),
    failed: { payments, deliveries },
    now: { unknown, owed, refunds },
  }
}

type Tables = LedgerTables & {
  readonly server_claim: { readonly state: string; readonly lease_until: number }
  readonly refund: { readonly state: string }
}

/** A shop without refunds has no table of them. */
async function openRefunds(store: AnyStore): Promise<number> {
  const { db } = store.withTables<Tables>()
  const open = db.selectFrom('refund').select((eb) => eb.fn.countAll().as('count'))
  const row = await open
    .where('state', 'in', ['asked', 'approved', 'signed'])
    .executeTakeFirst()
    .catch(() => undefined)
  return Number(row?.count ?? 0)
}

type Counted = {
  readonly name: string
  readonly network: string
  readonly asset: string
  readonly kind: string
  readonly amount: string
  readonly count: number
}

function summed(counted: readonly Counted[]): readonly UsageRow[] {
  const rows = new Map<string, UsageRow>()
  for (const { name, network, asset, kind, amount, count } of counted) {
    const key = `${name} ${network} ${asset}`
    const none = { name, network, asset, payments: 0, revenue: 0n, refunds: 0, refunded: 0n }
    const row = rows.get(key) ?? none
    const sum = BigInt(amount) * BigInt(count)
    rows.set(
      key,
      kind === 'refund'
        ? { ...row, refunds: row.refunds + count, refunded: row.refunded + sum }
        : { ...row, payments: row.payments + count, revenue: row.revenue + sum },
    )
  }
  return [...rows.values()]
}
