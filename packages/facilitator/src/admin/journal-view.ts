import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { assetByAddress, formatUnits, type Network } from '@groat/core'
import type { Store } from '@groat/store'
import { openPhases } from '../journal/state.js'
import { eventsOfIt, inPhases, isLiveAttempt, type JournalTables } from '../journal/tables.js'

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
  settledSince(at: number, networks: readonly string[]): Promise<number>
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

/** Payments that are looked through at once. */
const WINDOW = 2000

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
      .orderBy('settlement.id', 'desc')
      .limit(LIMIT)

  /** Payments by their own name, or by the transaction that settled them. */
  async function idsOf(text: string): Promise<number[]> {
    const wanted = text.toLowerCase()
    const byPid = await db.selectFrom('settlement').select('id').where('pid', '=', wanted).execute()
    const byTransaction = await db
      .selectFrom('evidence')
      .select('settlement as id')
      .where('transaction', 'in', [text, wanted])
      .limit(LIMIT)
      .execute()
    // A list is never empty, and no payment has this number.
    return [-1, ...[...byPid, ...byTransaction].map(({ id }) => id)]
  }

  /**
   * The newest payments of a payer, however the address is written. No index leads there, so they are looked through from the newest on, some at a time: a
   * journal may be long, and whoever is served meanwhile does not wait for the whole of it.
   */
  async function ofPayer(text: string) {
    const wanted = text.toLowerCase()
    const found: Listed[] = []
    const { last } = await db
      .selectFrom('settlement')
      .select((eb) => eb.fn.max('id').as('last'))
      .executeTakeFirstOrThrow()
    for (let to = Number(last ?? 0); to > 0 && found.length < LIMIT; to -= WINDOW) {
      const some = listed()
        .where('settlement.id', '>', to - WINDOW)
        .where('settlement.id', '<=', to)
      found.push(...(await some.where((eb) => eb(eb.fn<string>('lower', ['payer']), '=', wanted)).execute()))
      await turnOfTheLoop()
    }
    return found.sort((a, b) => b.created_at - a.created_at).slice(0, LIMIT)
  }

  return {
    async payments(search = '') {
      const text = search.trim()
      if (text === '') return (await listed().execute()).map(shownOf)
      // No database holds it, so nothing is called so.
      if (text.includes('\0')) return []
      const named = await listed()
        .where('settlement.id', 'in', await idsOf(text))
        .execute()
      return (named.length > 0 ? named : await ofPayer(text)).map(shownOf)
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
        .where(inPhases(openPhases))
        .groupBy('state')
        .execute()
      return rows.map(({ state, count, oldest }) => ({ state, count: Number(count), oldest: Number(oldest) }))
    },

    async settledSince(at, networks) {
      const row = await db
        .selectFrom('evidence')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('network', 'in', networks.length === 0 ? [''] : networks)
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
      const held = await db.selectFrom('lane').select(['signer', 'next']).where('network', '=', network).execute()
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
        const next = held.find((lane) => lane.signer === signer)?.next ?? 0
        const { open = 0, lowest = null, highest = null } = live.find((each) => each.signer === signer) ?? {}
        return {
          signer,
          open: Number(open),
          ...(next === 0 ? {} : { next }),
          ...(lowest === null ? {} : { lowest: Number(lowest) }),
          ...(highest === null ? {} : { highest: Number(highest) }),
        }
      })
    },
  }
}

type Listed = Omit<PaymentRow, 'payTo' | 'price' | 'code' | 'transaction' | 'createdAt' | 'updatedAt'> & {
  readonly pay_to: string
  readonly reason: string | null
  readonly transaction: string | null
  readonly created_at: number
  readonly updated_at: number
}

function shownOf(row: Listed): PaymentRow {
  return {
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
  }
}

function priceOf({ network, asset, amount }: { network: string; asset: string; amount: string }): { price?: string } {
  // A codec: the journal holds nothing else.
  const known = assetByAddress(network as Network, asset)
  return known === undefined ? {} : { price: `${formatUnits(BigInt(amount), known.decimals)} ${known.symbol}` }
}
