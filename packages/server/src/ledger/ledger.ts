import { type Asset, type Clock, defaultAssets, findAsset, isNetwork, systemClock } from '@groat/core'
import { checkWebhookTarget, type WebhookSenderOptions, type WebhookTarget } from '@groat/core/webhook'
import type { AnyStore, Store } from '@groat/store'
import type { SelectQueryBuilder } from 'kysely'
import { type Book, createBook, type FeeOf } from './book.js'
import type { Entry, EntryKind, HoldMove } from './entry.js'
import type { LedgerEvent } from './event.js'
import { type EventsOptions, readEvents } from './events.js'
import { type RateProvider, valueEntries } from './fiat.js'
import { pause } from './pause.js'
import { type EntryRow, entryOf, type LedgerTables, ledgerMigrations } from './tables.js'
import { type Deliveries, deliverEvents } from './webhooks.js'

/** How the books are kept. */
export type LedgerOptions = {
  /** What the facilitator charges for a settlement, in atomic units of the asset that was paid; nothing unless told. */
  readonly fee?: FeeOf
  /** In which currency of states entries are valued, and by which rates. */
  readonly fiat?: { readonly currency: string; readonly rates: RateProvider }
  /** Where events are sent, signed. */
  readonly webhook?: WebhookTarget & Pick<WebhookSenderOptions, 'allowPrivate' | 'call' | 'timeoutMs'>
  /** Tokens besides the default ones: their decimals are needed to value them. */
  readonly assets?: readonly Asset[]
  readonly clock?: Clock
}

/** Which entries. */
export type EntryFilter = {
  readonly kinds?: readonly EntryKind[]
  readonly group?: string
  readonly route?: string
  readonly payer?: string
  readonly network?: string
  readonly pid?: string
  /** Milliseconds since 1970, the first included and the last not. */
  readonly since?: number
  readonly until?: number
}

/**
 * The books of a seller: double entries of payments, fees, uses and refunds, in the database of the claims and in the transactions that end
 * them, and events in the order in which they were written.
 */
export interface Ledger {
  /** What `sqlClaims` and refunds write with. */
  readonly book: Book
  readonly store: AnyStore
  /** Entries in the order of their time; all of them, page by page. */
  entries(filter?: EntryFilter): AsyncIterable<Entry>
  /** Events in their order, from one on; goes on until it is told to stop, unless `follow` is false. */
  events(options?: EventsOptions): AsyncIterable<LedgerEvent>
  /** Values what is not valued yet, at the rate of its time. Answers with how many it valued. */
  value(): Promise<number>
  /** Sends events that are due. Answers with what became of them. */
  deliver(): Promise<Deliveries>
  /** Does both again and again until it is stopped; what fails is tried again. */
  start(intervalMs?: number): { stop(): Promise<void> }
  /** Entries of one page at the most, for whoever shows them. */
  list(filter?: EntryFilter, limit?: number): Promise<readonly Entry[]>
  /** Takes down what was done with money that is held: for `createCaptures`. */
  moved(move: HoldMove): Promise<void>
  /** The token of an entry, where it is known. */
  asset(entry: Pick<Entry, 'network' | 'asset'>): Asset | undefined
}

const PAGE = 500

/**
 * Opens the books in a database, and makes their tables. Hand them to `sqlClaims` of the same database.
 * Throws `X402Error` `invalid_config` for a webhook that is none, `store_unavailable`, `store_busy`.
 *
 * @example
 * const store = await openStore('shop.db')
 * const ledger = await createLedger(store)
 * const claims = await sqlClaims(store, { ledger })
 * for await (const entry of ledger.entries({ group: 'research' })) console.log(entry.amount, entry.from)
 */
export async function createLedger(anyStore: AnyStore, options: LedgerOptions = {}): Promise<Ledger> {
  const { fee = () => 0n, fiat, webhook, assets = [], clock = systemClock } = options
  if (webhook !== undefined) checkWebhookTarget(webhook, webhook)
  const store: Store<LedgerTables> = anyStore.withTables<LedgerTables>()
  await store.migrate(ledgerMigrations)

  const page = (filter: EntryFilter, limit: number, after?: Entry) =>
    filtered(store.db.selectFrom('ledger_entry').selectAll(), filter)
      .$if(after !== undefined, (query) =>
        query.where((eb) =>
          eb.or([
            eb('at', '>', after?.at ?? 0),
            eb.and([eb('at', '=', after?.at ?? 0), eb('id', '>', after?.id ?? '')]),
          ]),
        ),
      )
      .orderBy('at')
      .orderBy('id')
      .limit(limit)
      .execute()

  async function* entries(filter: EntryFilter = {}): AsyncGenerator<Entry> {
    for (let last: Entry | undefined; ; ) {
      const rows = await page(filter, PAGE, last)
      for (const row of rows) {
        last = entryOf(row)
        yield last
      }
      if (rows.length < PAGE) return
    }
  }

  const asset: Ledger['asset'] = ({ network, asset: address }) => {
    if (!isNetwork(network)) return undefined
    return findAsset(assets, network, address) ?? findAsset(defaultAssets(network), network, address)
  }

  const ledger: Ledger = {
    book: createBook({ feeOf: fee, isTold: webhook !== undefined }),
    store,
    entries,
    asset,
    async list(filter = {}, limit = 100) {
      const query = filtered(store.db.selectFrom('ledger_entry').selectAll(), filter)
      return (await query.orderBy('at', 'desc').orderBy('id', 'desc').limit(limit).execute()).map(entryOf)
    },
    events: (more = {}) => readEvents(store, more),
    moved: (move) => store.transaction(async (trx) => ledger.book.moved(trx, move, await store.now(trx))),
    value: async () => (fiat === undefined ? 0 : valueEntries(store, asset, fiat)),
    deliver: () => deliverEvents(store, webhook, clock),
    start(intervalMs = 1_000) {
      const end = new AbortController()
      const work = async (): Promise<void> => {
        while (!end.signal.aborted) {
          // What fails now, a rate or a database, is there to be tried again.
          await Promise.allSettled([ledger.deliver(), ledger.value()])
          await pause(intervalMs, end.signal)
        }
      }
      const done = work()
      return {
        stop: () => {
          end.abort()
          return done
        },
      }
    },
  }
  return ledger
}

type EntryQuery = SelectQueryBuilder<LedgerTables, 'ledger_entry', EntryRow>

function filtered(query: EntryQuery, filter: EntryFilter): EntryQuery {
  const { kinds, group, route, payer, network, pid, since, until } = filter
  let narrowed = query
  if (kinds !== undefined) narrowed = narrowed.where('kind', 'in', kinds)
  if (group !== undefined) narrowed = narrowed.where('group_name', '=', group)
  if (route !== undefined) narrowed = narrowed.where('route', '=', route)
  if (payer !== undefined) narrowed = narrowed.where('from_account', '=', payer)
  if (network !== undefined) narrowed = narrowed.where('network', '=', network)
  if (pid !== undefined) narrowed = narrowed.where('pid', '=', pid)
  if (since !== undefined) narrowed = narrowed.where('at', '>=', since)
  if (until !== undefined) narrowed = narrowed.where('at', '<', until)
  return narrowed
}
