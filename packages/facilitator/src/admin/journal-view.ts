import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { assetByAddress, canonicalAddress, formatUnits, type Network } from '@groat/core'
import type { Store } from '@groat/store'
import { openPhases } from '../journal/state.js'
import { eventsOfIt, inPhases, isLiveRide, type JournalTables } from '../journal/tables.js'
import { attemptsOf, type PaymentAttempt, ridersOf } from './attempts.js'
import { meanFeeOf, wholeTransactions } from './fees.js'
import { createReplicaView, type ReplicaView } from './replica-view.js'

/** A payment as a list shows it; its accounts in one spelling each, as they are compared. */
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
  /** The transaction that paid it, as the chain shows. */
  readonly transaction?: string
  /** While none is known to have paid it: what was signed for it, the newest last. */
  readonly attempts?: readonly PaymentAttempt[]
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
}

/** So many payments of a network stand so. `oldest`: since when one of them waits; what has failed waits for nothing but its payer, or its end. */
export type OpenCount = {
  readonly network: string
  readonly state: string
  readonly count: number
  readonly oldest?: number
}

/** What the operator's page reads of the journal. It never writes. */
export interface JournalView extends ReplicaView {
  /** The newest payments, or those of a payer, a pid or a transaction; 50 at most. */
  payments(search?: string): Promise<readonly PaymentRow[]>
  /** How a payment came to where it is. */
  history(pid: string): Promise<readonly { readonly at: number; readonly state: string; readonly code?: string }[]>
  /** Payments that are not at their end, by network and state; `oldest` in milliseconds since 1970. */
  open(): Promise<readonly OpenCount[]>
  settledSince(at: number, networks: readonly string[]): Promise<number>
  /** What a payment of ours cost in the mean of the last five hundred, in the chain's own coin. */
  meanFee(network: string): Promise<bigint | undefined>
}

const LIMIT = 50

/** Payments that are looked through at once. */
const WINDOW = 2000

/** Payments that say what one costs: enough that one group, or one dear block, moves the mean by little. */
const LATELY = 500

/** What was copied of an id that is hex: its beginning, and its end where it is shown as `0x856bdeb0…84ff`. */
type IdPart = { readonly begin: string; readonly end: string }

function partOf(text: string): IdPart | undefined {
  const [, begin, end = ''] = /^((?:0x)?[0-9a-f]{6,})(?:(?:…|\.\.\.)([0-9a-f]*))?$/.exec(text.toLowerCase()) ?? []
  return begin === undefined ? undefined : { begin, end }
}

/** What comes after every id that begins so, in the order of any database. */
const pastHex = (begin: string) => `${begin}g`

/** Makes the view over the store that the journal lives in. */
export function createJournalView(store: Store): JournalView {
  const journal = store.withTables<JournalTables>()
  const { db } = journal
  const listed = () =>
    db
      .selectFrom('settlement')
      .leftJoin('evidence', 'evidence.settlement', 'settlement.id')
      .select([
        'settlement.id',
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

  /** Payments by their own name, by the transaction that settled them, or by one that was signed for them. */
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
    return [-1, ...[...byPid, ...byTransaction].map(({ id }) => id), ...(await ridersOf(db, [text, wanted], LIMIT))]
  }

  /** Payments by the beginning of their own name or of a transaction, and by the end where it was copied along. */
  async function idsOfPart({ begin, end }: IdPart): Promise<number[]> {
    const byPid = await db
      .selectFrom('settlement')
      .select(['id', 'pid as name'])
      .where('pid', '>=', begin)
      .where('pid', '<', pastHex(begin))
      .limit(LIMIT)
      .execute()
    const byTransaction = await db
      .selectFrom('evidence')
      .select(['settlement as id', 'transaction as name'])
      .where('transaction', '>=', begin)
      .where('transaction', '<', pastHex(begin))
      .limit(LIMIT)
      .execute()
    const byAttempt = await db
      .selectFrom('attempt')
      .innerJoin('ride', 'ride.slot', 'attempt.slot')
      .select(['ride.settlement as id', 'attempt.hash as name'])
      .where('attempt.hash', '>=', begin)
      .where('attempt.hash', '<', pastHex(begin))
      .limit(LIMIT)
      .execute()
    const found = [...byPid, ...byTransaction, ...byAttempt].filter(({ name }) => name.endsWith(end))
    return [-1, ...found.map(({ id }) => id)]
  }

  /**
   * The newest payments of a payer, however the address is written. No index leads there, so they are looked through from the newest on, some at a time: a
   * journal may be long, and whoever is served meanwhile does not wait for the whole of it.
   */
  async function ofPayer(text: string) {
    const part = partOf(text)
    const { begin, end } = part ?? { begin: text.toLowerCase(), end: '' }
    const found: Listed[] = []
    const { last } = await db
      .selectFrom('settlement')
      .select((eb) => eb.fn.max('id').as('last'))
      .executeTakeFirstOrThrow()
    for (let to = Number(last ?? 0); to > 0 && found.length < LIMIT; to -= WINDOW) {
      const some = listed()
        .where('settlement.id', '>', to - WINDOW)
        .where('settlement.id', '<=', to)
      const theirs = part
        ? some
            .where((eb) => eb(eb.fn<string>('lower', ['payer']), '>=', begin))
            .where((eb) => eb(eb.fn<string>('lower', ['payer']), '<', pastHex(begin)))
        : some.where((eb) => eb(eb.fn<string>('lower', ['payer']), '=', begin))
      found.push(...(await theirs.execute()).filter(({ payer }) => payer.toLowerCase().endsWith(end)))
      await turnOfTheLoop()
    }
    return found.sort((a, b) => b.created_at - a.created_at).slice(0, LIMIT)
  }

  async function shown(rows: readonly Listed[]): Promise<PaymentRow[]> {
    const unpaid = rows.flatMap(({ id, transaction }) => (transaction === null ? [id] : []))
    const attempts = await attemptsOf(db, unpaid)
    return rows.map((row) => shownOf(row, attempts.get(row.id)))
  }

  return {
    ...createReplicaView(journal),

    async payments(search = '') {
      const text = search.trim()
      if (text === '') return shown(await listed().execute())
      // No database holds it, so nothing is called so.
      if (text.includes('\0')) return []
      const named = await listed()
        .where('settlement.id', 'in', await idsOf(text))
        .execute()
      if (named.length > 0) return shown(named)
      const part = partOf(text)
      const begun =
        part &&
        (await listed()
          .where('settlement.id', 'in', await idsOfPart(part))
          .execute())
      return shown(begun !== undefined && begun.length > 0 ? begun : await ofPayer(text))
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
        .select((eb) => {
          const riding = eb.exists(
            eb.selectFrom('ride').select('slot').whereRef('ride.settlement', '=', 'settlement.id').where(isLiveRide),
          )
          const waits = eb.or([eb('state', 'not in', ['signed', 'sent']), riding])
          const since = eb.fn.min(eb.case().when(waits).then(eb.ref('created_at')).end())
          return ['network', 'state', eb.fn.countAll().as('count'), since.as('oldest')]
        })
        .where(inPhases(openPhases))
        .groupBy(['network', 'state'])
        .execute()
      return rows.map(({ network, state, count, oldest }) => {
        return { network, state, count: Number(count), ...(oldest !== null && { oldest: Number(oldest) }) }
      })
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
        .select(['transaction', 'fee'])
        .where('network', '=', network)
        .where('fee', 'is not', null)
        .orderBy('found_at', 'desc')
        .limit(LATELY)
        .execute()
      const paid = rows.flatMap(({ transaction, fee }) => (fee === null ? [] : [{ transaction, fee: BigInt(fee) }]))
      return meanFeeOf(rows.length < LATELY ? paid : wholeTransactions(paid))
    },
  }
}

type Listed = Pick<PaymentRow, 'pid' | 'network' | 'scheme' | 'payer' | 'asset' | 'amount' | 'state'> & {
  readonly id: number
  readonly pay_to: string
  readonly reason: string | null
  readonly transaction: string | null
  readonly created_at: number
  readonly updated_at: number
}

function shownOf(row: Listed, attempts: readonly PaymentAttempt[] | undefined): PaymentRow {
  return {
    pid: row.pid,
    network: row.network,
    scheme: row.scheme,
    payer: canonicalAddress(row.payer),
    payTo: canonicalAddress(row.pay_to),
    asset: canonicalAddress(row.asset),
    amount: row.amount,
    ...priceOf(row),
    state: row.state,
    ...(row.reason === null ? {} : { code: row.reason }),
    ...(row.transaction === null ? {} : { transaction: row.transaction }),
    ...(attempts && { attempts }),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

function priceOf({ network, asset, amount }: { network: string; asset: string; amount: string }): { price?: string } {
  // A codec: the journal holds nothing else.
  const known = assetByAddress(network as Network, asset)
  return known === undefined ? {} : { price: `${formatUnits(BigInt(amount), known.decimals)} ${known.symbol}` }
}
