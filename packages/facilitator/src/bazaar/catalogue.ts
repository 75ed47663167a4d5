import * as dns from 'node:dns'
import * as net from 'node:net'
import { canonicalAddress, type FacilitatorRequest, type Pid, systemClock } from '@groat/core'
import { publicAddresses } from '@groat/core/http'
import { readListing } from '@groat/extensions/bazaar/facilitator'
import type { Store } from '@groat/store'
import { createReporter, type Fault } from '../fault.js'
import { DAY_MS, WINDOW_DAYS } from './quality.js'
import type { ListQuery, SearchQuery } from './query.js'
import { createQueue } from './queue.js'
import { type FoundRows, listRows, type ReadFrom, type ResourceRow, searchRows } from './read.js'
import {
  type CatalogueLimits,
  isSeenFirst,
  placeOf,
  type RecordFlaw,
  recordNote,
  recordSale,
  rescore,
  type Sale,
} from './record.js'
import { type BazaarTables, bazaarMigrations } from './tables.js'
import { type WhyListed, type WhyQuery, whyListed } from './why.js'

/** How a catalogue is kept. */
export type CatalogueOptions = {
  readonly store: Store
  /** Whether listings are shown that their origin has not confirmed; they say so. Default true. */
  readonly showsUnverified?: boolean
  /** Whether places that are not on the public internet are listed: for tests and closed networks. Default false. */
  readonly allowPrivate?: boolean
  readonly limits?: CatalogueLimits
  readonly clock?: () => number
  /** Told of what could not be written; the payment is none the worse. */
  readonly onFault?: (fault: Fault) => void
}

/** What can be bought here, filled by payments that were settled. */
export interface Catalogue {
  /** Brings the tables up to date. Throws `X402Error` `store_unavailable`. */
  start(): Promise<void>
  /**
   * Takes a settled payment. What it declares is written in the background, many at a time: no payment waits for it, and what a crash loses the next payment
   * for the same thing brings again.
   */
  settled(
    request: Pick<FacilitatorRequest, 'payment' | 'requirements'>,
    about: {
      readonly pid: Pid
      readonly payer: string
      /** The server that asked for it is known to be paid at that account: what it declares is the seller's word, and no payer's (BAZAAR-037). */
      readonly bySeller?: boolean
    },
  ): void
  /** What the resource server is told of the declaration (`EXTENSION-RESPONSES`); `undefined` where there is none. */
  judge(request: Pick<FacilitatorRequest, 'payment' | 'requirements'>): CatalogueAnswer | undefined
  list(query: ListQuery): Promise<{ readonly rows: readonly ResourceRow[]; readonly total: number }>
  /** `undefined`: the cursor is none, or of another question. */
  search(query: SearchQuery): Promise<FoundRows | undefined>
  why(query: WhyQuery): Promise<WhyListed>
  /**
   * Takes a place off, also what is listed there later, or puts it back with `undefined`; answers how many listings that was done to (BAZAAR-052). Without `payTo` it is all of the place. `reason` is shown to
   * whoever asks why.
   */
  hide(place: { readonly url: string; readonly payTo?: string }, reason: string | undefined): Promise<number>
  /** Writes what is waiting. */
  flush(): Promise<void>
  /** Forgets what does not count any more. */
  sweep(): Promise<void>
  stop(): Promise<void>
}

/** What becomes of a declaration. */
export type CatalogueAnswer =
  | { readonly status: 'processing' }
  | { readonly status: 'rejected'; readonly rejectedReason: string }

/**
 * Keeps the catalogue in the facilitator's database. Nothing but a settled payment brings a listing in (BAZAAR-030), nothing that a client sends is run or fetched,
 * and nothing that only a payer has said is shown: what stands there then is where the thing is, and what was settled for it (BAZAAR-037).
 *
 * @example
 * const catalogue = createCatalogue({ store })
 * await catalogue.start()
 * const { rows, total } = await catalogue.list({ limit: 20, offset: 0 })
 */
export function createCatalogue(options: CatalogueOptions): Catalogue {
  const { showsUnverified = true, allowPrivate = false, limits = {}, clock = systemClock, onFault } = options
  const report = createReporter({ onFault })
  const onError = (error: unknown) => void report(error, { during: 'bazaar' })
  const store = options.store.withTables<BazaarTables>()
  const from: ReadFrom = { db: store.db, kind: store.kind, showsUnverified }
  const isPublic = allowPrivate ? () => true : createPublicCheck()
  const noted = new Map<string, number>()

  const queue = createQueue<Waiting>({
    onError,
    write: (waiting) =>
      store.transaction(
        async (trx) => {
          for (const each of waiting) {
            const now = clock()
            const flaw =
              'sale' in each
                ? await recordSale(trx, each.sale, now, limits)
                : (await isSeenFirst(trx, each.pid, now)) && each.flaw
            if (typeof flaw === 'string') await recordNote(trx, each.url, flaw, now)
          }
        },
        { durable: false },
      ),
  })

  function readPublic(request: Pick<FacilitatorRequest, 'payment' | 'requirements'>) {
    const read = readListing(request)
    return !read.ok || isPublic(read.listing.url) ? read : ({ ok: false, flaw: 'resource_private' } as const)
  }

  /** A flaw is written once an hour for each place. */
  function note(url: string | undefined, flaw: RecordFlaw, pid: Pid): void {
    const now = clock()
    if (url === undefined || now - (noted.get(url) ?? Number.NEGATIVE_INFINITY) < 3_600_000) return
    if (noted.size >= 1000) noted.clear()
    noted.set(url, now)
    queue.add({ url, flaw, pid })
  }

  async function sweep(): Promise<void> {
    const now = clock()
    await store.transaction(async (trx) => {
      await trx
        .deleteFrom('bazaar_use')
        .where('day', '<=', Math.floor(now / DAY_MS) - WINDOW_DAYS)
        .execute()
      await trx
        .deleteFrom('bazaar_seen')
        .where('at', '<', now - SEEN_MS)
        .execute()
      await trx
        .deleteFrom('bazaar_note')
        .where('at', '<', now - SEEN_MS)
        .execute()
    })
    // What is not used any more sinks.
    const old = store.db.selectFrom('bazaar_resource').select(['seq', 'pay_to']).where('score', '>', 0)
    const due = await old
      .where('scored_at', '<', now - DAY_MS)
      .orderBy('scored_at')
      .limit(RESCORED)
      .execute()
    for (const { seq, pay_to } of due) await store.transaction((trx) => rescore(trx, Number(seq), pay_to, now))
  }

  let sweeping: NodeJS.Timeout | undefined

  return {
    start: async () => {
      await store.migrate(bazaarMigrations(store.kind))
      sweeping ??= setInterval(() => void sweep().catch(onError), SWEEP_MS).unref()
    },
    judge(request) {
      const read = readPublic(request)
      if (read.ok) return { status: 'processing' }
      return read.flaw === 'no_declaration' ? undefined : { status: 'rejected', rejectedReason: read.flaw }
    },
    settled(request, { pid, payer, bySeller = false }) {
      const { payment, requirements } = request
      const read = readPublic(request)
      const url = payment.resource?.url ?? requirements.received?.resource
      if (!read.ok) return note(typeof url === 'string' ? url : undefined, read.flaw, pid)
      const keys = Object.keys(payment.extensions ?? {}).filter((key) => /^[\w.-]{1,64}$/.test(key))
      const extensions = [...new Set(['bazaar', ...keys])].slice(0, 32)
      const { listing } = read
      queue.add({
        sale: { pid, payer, requirements, listing, extensions, bySeller },
        url: typeof url === 'string' ? url : listing.url,
      })
    },
    list: (query) => listRows(from, query),
    search: (query) => searchRows(from, query),
    why: (query) => whyListed(from, query, isPublic),
    hide: ({ url, payTo: named }, reason) =>
      store.transaction(async (trx) => {
        // Listings have recipients in one spelling, and no query.
        const payTo = named === undefined ? undefined : canonicalAddress(named)
        const places = [...new Set([url, placeOf(url)?.href ?? url])]
        const remembered = trx.deleteFrom('bazaar_hidden').where('url', 'in', places)
        await (payTo === undefined ? remembered : remembered.where('pay_to', '=', payTo)).execute()
        if (reason !== undefined) {
          const of = { pay_to: payTo ?? '', reason: reason.slice(0, 200), at: clock() }
          await trx
            .insertInto('bazaar_hidden')
            .values(places.map((place) => ({ url: place, ...of })))
            .execute()
        }
        const done = trx
          .updateTable('bazaar_resource')
          .set(({ eb }) => ({
            hidden: reason?.slice(0, 200) ?? null,
            shown:
              reason === undefined
                ? eb.case().when('origin_state', 'in', ['disowned', 'gone']).then(0).else(1).end()
                : 0,
          }))
          .where('url', 'in', places)
          .returning('seq')
        return (await (payTo === undefined ? done : done.where('pay_to', '=', payTo)).execute()).length
      }),
    flush: () => queue.flush(),
    sweep,
    async stop() {
      clearInterval(sweeping)
      await queue.stop()
    },
  }
}

type Waiting =
  | { readonly url: string; readonly sale: Sale }
  | { readonly url: string; readonly flaw: RecordFlaw; readonly pid: Pid }

/** No payment is valid for that long. */
const SEEN_MS = 40 * DAY_MS

const SWEEP_MS = 3_600_000

/** Listings that are ranked anew in one sweep. */
const RESCORED = 1000

/** Whether a URL names something on the public internet, as far as the name tells: nothing is resolved. */
function createPublicCheck(): (url: string) => boolean {
  const { isPublic } = publicAddresses(net, dns)
  return (url) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
    if (net.isIP(host) !== 0) return isPublic(host)
    return (
      host.includes('.') &&
      !/(^|\.)(localhost|local|localdomain|internal|lan|home|corp|arpa|test|invalid)\.?$/.test(host)
    )
  }
}
