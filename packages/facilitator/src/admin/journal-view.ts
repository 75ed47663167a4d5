import { assetByAddress, formatUnits, type Network } from '@groat/core'
import type { Store } from '@groat/store'
import { sql } from 'kysely'
import type { SettlementState } from '../journal/state.js'
import { eventsOfIt, type JournalTables } from '../journal/tables.js'

/** A payment as a list shows it. */
export type PaymentRow = {
  readonly pid: string
  readonly network: string
  readonly scheme: string
  readonly payer: string
  readonly payTo: string
  readonly asset: string
  /** Atomic units, as decimal text. */
  readonly amount: string
  /** The amount for people, `0.001 USDC`, where the asset is a known one. */
  readonly price?: string
  readonly state: string
  readonly code?: string
  readonly transaction?: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
}

/** What the operator's page reads of the journal. It never writes. */
export interface JournalView {
  /** The newest payments, or those of a payer, a pid or a transaction; 50 at most. */
  payments(search?: string): Promise<readonly PaymentRow[]>
  /** How a payment came to where it is. */
  history(pid: string): Promise<readonly { readonly at: number; readonly state: string; readonly code?: string }[]>
  /** Payments that are not at their end, by state. */
  open(): Promise<readonly { readonly state: string; readonly count: number; readonly oldest: number }[]>
  settledSince(at: number): Promise<number>
  /** What a payment of ours cost lately, in the chain's own coin. */
  meanFee(network: string): Promise<bigint | undefined>
  lanes(network: string): Promise<readonly LaneRow[]>
}

/** A signer in the journal. */
export type LaneRow = {
  readonly signer: string
  readonly next?: number
  readonly open: number
  readonly lowest?: number
  readonly highest?: number
}

const LIMIT = 50

/** States that nothing follows, or nothing that moves money. */
const ENDED: readonly SettlementState[] = ['settled', 'final', 'refused', 'dead']

/** Makes the view over the store that the journal lives in. */
export function createJournalView(store: Store): JournalView {
  const { db } = store.withTables<JournalTables>()
  const listed = () =>
    db
      .selectFrom('settlement')
      .leftJoin('evidence', 'evidence.settlement', 'settlement.id')
      .select([
        'settlement.pid',
        'settlement.network',
        'settlement.scheme',
        'settlement.payer',
        'settlement.pay_to',
        'settlement.asset',
        'settlement.amount',
        'settlement.state',
        'settlement.reason',
        'settlement.created_at',
        'settlement.updated_at',
        'evidence.transaction',
      ])
      .orderBy('settlement.created_at', 'desc')
      .limit(LIMIT)

  return {
    async payments(search = '') {
      const text = search.trim()
      // Addresses are written in several ways; what is stored is compared without regard to case.
      const wanted = text.toLowerCase()
      const query =
        text === ''
          ? listed()
          : listed().where((eb) =>
              eb.or([
                eb('settlement.pid', '=', wanted),
                eb(eb.fn<string>('lower', ['settlement.payer']), '=', wanted),
                eb('evidence.transaction', '=', text),
                eb('evidence.transaction', '=', wanted),
              ]),
            )
      return (await query.execute()).map((row) => ({
        pid: row.pid,
        network: row.network,
        scheme: row.scheme,
        payer: row.payer,
        payTo: row.pay_to,
        asset: row.asset,
        amount: row.amount,
        ...priceOf(row),
        state: row.state,
        ...(row.reason === null ? {} : { code: row.reason }),
        ...(row.transaction === null ? {} : { transaction: row.transaction }),
        createdAt: row.created_at,
        updatedAt: row.updated_at,
      }))
    },

    async history(pid) {
      const rows = await db
        .selectFrom('settlement')
        .innerJoin('event', eventsOfIt)
        .select(['at', 'to_state', 'code'])
        .where('settlement.pid', '=', pid)
        .orderBy('at')
        .orderBy('seq')
        .limit(LIMIT)
        .execute()
      return rows.map(({ at, to_state, code }) => ({ at, state: to_state, ...(code === null ? {} : { code }) }))
    },

    async open() {
      const rows = await db
        .selectFrom('settlement')
        .select((eb) => ['state', eb.fn.countAll().as('count'), eb.fn.min('created_at').as('oldest')])
        .where('state', 'not in', ENDED)
        .groupBy('state')
        .execute()
      return rows.map(({ state, count, oldest }) => ({ state, count: Number(count), oldest: Number(oldest) }))
    },

    async settledSince(at) {
      const row = await db
        .selectFrom('evidence')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('found_at', '>=', at)
        .executeTakeFirst()
      return Number(row?.count ?? 0)
    },

    async meanFee(network) {
      const rows = await db
        .selectFrom('evidence')
        .select('fee')
        .where('network', '=', network)
        .where('fee', 'is not', null)
        .orderBy('found_at', 'desc')
        .limit(100)
        .execute()
      const fees = rows.flatMap(({ fee }) => (fee === null ? [] : [BigInt(fee)]))
      const total = fees.reduce((sum, fee) => sum + fee, 0n)
      return total === 0n ? undefined : total / BigInt(fees.length)
    },

    async lanes(network) {
      const live = sql<number>`case when status in ('signed', 'sent') then nonce end`
      const rows = await db
        .selectFrom('attempt')
        .select((eb) => [
          'signer',
          eb.fn.max('nonce').as('last'),
          eb.fn.count(live).as('open'),
          eb.fn.min(live).as('lowest'),
          eb.fn.max(live).as('highest'),
        ])
        .where('network', '=', network)
        .groupBy('signer')
        .execute()
      return rows.map(({ signer, last, open, lowest, highest }) => ({
        signer,
        open: Number(open),
        ...(last === null ? {} : { next: Number(last) + 1 }),
        ...(lowest === null ? {} : { lowest: Number(lowest) }),
        ...(highest === null ? {} : { highest: Number(highest) }),
      }))
    },
  }
}

function priceOf({ network, asset, amount }: { network: string; asset: string; amount: string }): { price?: string } {
  // A codec: the journal holds nothing else.
  const known = assetByAddress(network as Network, asset)
  return known === undefined ? {} : { price: `${formatUnits(BigInt(amount), known.decimals)} ${known.symbol}` }
}
