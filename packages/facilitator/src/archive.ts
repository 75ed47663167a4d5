import type { Store } from '@groat/store'
import type { ExpressionBuilder, Selectable, Transaction } from 'kysely'
import { assertEdition } from './journal/edition.js'
import { CHAIN_START, type ChainEnd, eventHash } from './journal/events.js'
import { liveStatuses } from './journal/state.js'
import type { JournalTables } from './journal/tables.js'

/** What is moved into an archive, and when. */
export type ArchiveOptions = {
  readonly store: Store
  /** Payments move that ended, and could last be settled, before then: milliseconds since 1970. */
  readonly before: number
  /** Appends lines to the archive; what it has answered for is on the disk. */
  readonly append: (lines: string) => Promise<void>
}

/** What an archiving has moved. */
export type Archived = { readonly payments: number; readonly events: number }

/** One line of an archive. */
type Line =
  | { readonly kind: 'payment'; readonly settlement: Payment; readonly attempts: readonly Row<'attempt'>[] }
  | ({ readonly kind: 'event' } & Row<'event'>)
  | ({ readonly kind: 'message' } & Row<'outbox'>)

type Row<Table extends keyof JournalTables> = Selectable<JournalTables[Table]>

/** A payment with what was asked for. What only the journal's own tables need is not told. */
type Payment = Omit<Row<'settlement'>, 'id' | 'phase' | 'block'> & { readonly request: string }

/**
 * Moves payments that ended long ago out of a journal into lines of JSON: their requests, transactions, events and messages. What stays is one line a payment and
 * the log that credits it, so that it is refused and counted for ever as before, and where each chain of events goes on. Events leave from the oldest, as far as all
 * of their payments have ended; the newest of each chain stays. Nothing open is touched, nor what somebody has still to be told. A line is on the disk before its
 * rows go: when it is broken off, what it had not finished is there twice, and another archiving goes on. It may run beside a facilitator.
 * Throws `X402Error` `store_busy`, `store_unavailable` (with the reason `schema` where there is no journal of this edition), and what `append` throws.
 *
 * @example
 * const { payments } = await archiveJournal({ store, before: Date.now() - 90 * 86_400_000, append: (lines) => appendFile('2026-08.jsonl', lines) })
 */
export async function archiveJournal({ store, before, append }: ArchiveOptions): Promise<Archived> {
  await assertEdition(store)
  const journal = store.withTables<JournalTables>()
  const writers = await journal.db.selectFrom('event').select('writer').distinct().orderBy('writer').execute()
  let done: Archived = { payments: 0, events: 0 }
  for (;;) {
    const batch = await chooseBatch(journal, writers, before)
    if (batch.events.length === 0) return done
    await append(await describe(journal, batch))
    // What was claimed again meanwhile stays, and with it this batch: the next run sees it as it is then.
    if (!(await remove(journal, batch))) return done
    done = { payments: done.payments + batch.payments.length, events: done.events + batch.events.length }
  }
}

type Journal = Store<JournalTables>
type Batch = {
  readonly payments: readonly Ended[]
  readonly events: readonly Row<'event'>[]
}

/** A payment that ended; without a request it was moved by an earlier run. */
type Ended = Row<'settlement'> & { readonly body: string | null }

/** Events that are looked at together, of each chain. */
const DEPTH = 1000

/** Bound values in one statement. */
const PAGE = 200

/** The oldest events of each chain, as far as all their payments have ended, and what is left of these. */
async function chooseBatch(
  { db }: Journal,
  writers: readonly { readonly writer: string }[],
  before: number,
): Promise<Batch> {
  const chains: Row<'event'>[][] = []
  for (const { writer } of writers) {
    const oldest = db.selectFrom('event').selectAll().where('writer', '=', writer).orderBy('seq')
    // The newest of a chain stays: a writer goes on from it.
    chains.push((await oldest.limit(DEPTH + 1).execute()).slice(0, -1))
  }
  const ended = new Map<string, Ended>()
  for (const pids of paged([...new Set(chains.flat().map(({ pid }) => pid))])) {
    for (const row of await endedOf(db, pids, before)) ended.set(row.pid, row)
  }
  const events = chains.flatMap((chain) => until(chain, ({ pid }) => !ended.has(pid)))
  const here = new Set(events.map(({ pid }) => pid))
  // Of what an earlier run has moved, only events are left.
  const payments = [...ended.values()].filter(({ pid, body }) => here.has(pid) && body !== null)
  return { events, payments }
}

function until<T>(items: readonly T[], stops: (item: T) => boolean): readonly T[] {
  const end = items.findIndex(stops)
  return end < 0 ? items : items.slice(0, end)
}

/** Those that ended before then, for good: the chain refuses them by itself, nobody waits for word of them, and nothing of theirs can land. */
async function endedOf(db: Reads, pids: readonly string[], before: number): Promise<readonly Ended[]> {
  return db
    .selectFrom('settlement')
    .leftJoin('request', 'request.settlement', 'settlement.id')
    .selectAll('settlement')
    .select('body')
    .where('pid', 'in', pids)
    .where('updated_at', '<', before)
    .where('valid_before', '<', Math.floor(before / 1000))
    .where(({ and, or, eb, exists, not, selectFrom }) => {
      const mine = eb.ref('settlement.id')
      const evidence = selectFrom('evidence').select('log_index').whereRef('evidence.settlement', '=', mine)
      // What was given up is told to nobody any more.
      const untold = selectFrom('outbox')
        .select('outbox.pid')
        .where('published_at', 'is', null)
        .where((outbox) => outbox.not(outbox.exists(givenUp(outbox))))
      const waiting = selectFrom('delivery').select('delivery.pid').where('status', '=', 'waiting')
      const live = selectFrom('ride')
        .innerJoin('attempt', 'attempt.slot', 'ride.slot')
        .select('attempt.hash')
        .whereRef('ride.settlement', '=', mine)
        .where('attempt.status', 'in', liveStatuses)
      // Charged nothing: there is no block that could be undone.
      const isFree = and([eb('state', '=', 'settled'), not(exists(evidence))])
      const isOver = or([eb('state', 'in', ['final', 'dead', 'refused']), isFree])
      return and([isOver, eb('pid', 'not in', untold), eb('pid', 'not in', waiting), not(exists(live))])
    })
    .execute()
}

function givenUp(outbox: ExpressionBuilder<JournalTables, 'outbox'>) {
  return outbox
    .selectFrom('delivery')
    .select('delivery.id')
    .whereRef('delivery.message', '=', 'outbox.id')
    .where('delivery.status', '=', 'dead')
}

type Reads = Pick<Journal['db'], 'selectFrom'>

async function describe({ db }: Journal, { payments, events }: Batch): Promise<string> {
  const lines: Line[] = []
  for (const page of paged(payments)) {
    const pids = page.map(({ pid }) => pid)
    const rides = await db
      .selectFrom('ride')
      .innerJoin('attempt', 'attempt.slot', 'ride.slot')
      .selectAll('attempt')
      .select('ride.settlement')
      .where(
        'ride.settlement',
        'in',
        page.map(({ id }) => id),
      )
      .orderBy('attempt.signed_at')
      .execute()
    for (const { id, phase: _, block: __, body, ...payment } of page) {
      const attempts = rides.flatMap(({ settlement, ...attempt }) => (settlement === id ? [attempt] : []))
      lines.push({ kind: 'payment', settlement: { ...payment, request: body ?? '' }, attempts })
    }
    const messages = await db.selectFrom('outbox').selectAll().where('pid', 'in', pids).orderBy('turn').execute()
    for (const message of messages) lines.push({ kind: 'message', ...message })
  }
  for (const event of events) lines.push({ kind: 'event', ...event })
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** Takes the rows away, all or none: none, when one of the payments has moved since it was read. */
function remove(journal: Journal, { payments, events }: Batch): Promise<boolean> {
  return journal.transaction(async (trx) => {
    for (const page of paged(payments)) {
      const rows = trx.selectFrom('settlement').select(['pid', 'state', 'updated_at'])
      const pids = page.map(({ pid }) => pid)
      const now = new Map((await rows.where('pid', 'in', pids).execute()).map((row) => [row.pid, row]))
      const isSame = (row: Ended) =>
        now.get(row.pid)?.state === row.state && now.get(row.pid)?.updated_at === row.updated_at
      if (!page.every(isSame)) return false
    }
    for (const page of paged(payments)) await removePayments(trx, page)
    const ends = new Map<string, ChainEnd>()
    for (const { writer, seq, hash } of events) ends.set(writer, { seq: seq + 1, hash })
    for (const [writer, { seq, hash }] of ends) {
      await trx.deleteFrom('event').where('writer', '=', writer).where('seq', '<', seq).execute()
      await trx
        .insertInto('chain_start')
        .values({ writer, seq, hash })
        .onConflict((conflict) => conflict.column('writer').doUpdateSet({ seq, hash }))
        .execute()
    }
    return true
  })
}

async function removePayments(trx: Transaction<JournalTables>, payments: readonly Ended[]): Promise<void> {
  const ids = payments.map(({ id }) => id)
  const pids = payments.map(({ pid }) => pid)
  const slots = await trx.selectFrom('ride').select('slot').distinct().where('settlement', 'in', ids).execute()
  await trx.deleteFrom('ride').where('settlement', 'in', ids).execute()
  for (const page of paged(slots.map(({ slot }) => slot))) {
    // Others may still travel there.
    const kept = await trx.selectFrom('ride').select('slot').where('slot', 'in', page).execute()
    const empty = page.filter((slot) => !kept.some((each) => each.slot === slot))
    if (empty.length > 0) await trx.deleteFrom('attempt').where('slot', 'in', empty).execute()
  }
  // What was given up.
  await trx.deleteFrom('delivery').where('pid', 'in', pids).execute()
  await trx.deleteFrom('outbox').where('pid', 'in', pids).execute()
  await trx.deleteFrom('request').where('settlement', 'in', ids).execute()
}

function paged<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / PAGE) }, (_, at) => items.slice(at * PAGE, (at + 1) * PAGE))
}

/** What archives hold. Chains that are broken are named; `ends`: where each chain ends in them, and goes on in the journal or in a later archive. */
export type ArchiveAudit = {
  readonly payments: number
  readonly events: number
  readonly broken: readonly { readonly writer: string; readonly seq: number }[]
  readonly ends: ReadonlyMap<string, ChainEnd>
}

/**
 * Recomputes the chains of events in archives, the oldest archive first: every hash, and that none is missing. Lines that an archiving had written before it was
 * broken off may be there twice. Throws `SyntaxError` for what is no line of JSON.
 *
 * @example
 * const { broken, ends } = await verifyArchives(linesOf('2026-08.jsonl'))
 */
export async function verifyArchives(lines: AsyncIterable<string>): Promise<ArchiveAudit> {
  const ends = new Map<string, ChainEnd>()
  const broken: { writer: string; seq: number }[] = []
  const hashes = new Map<string, string>()
  const pids = new Set<string>()
  for await (const text of lines) {
    if (text === '') continue
    const line: Line = JSON.parse(text)
    if (line.kind === 'payment') pids.add(line.settlement.pid)
    if (line.kind !== 'event') continue
    const { writer, seq, hash, prev_hash } = line
    const end = ends.get(writer) ?? CHAIN_START
    const key = `${writer} ${seq}`
    if (hashes.get(key) === hash && eventHash(line) === hash) continue
    if (seq !== end.seq || prev_hash !== end.hash || hash !== eventHash(line)) broken.push({ writer, seq })
    hashes.set(key, hash)
    ends.set(writer, { seq: seq + 1, hash })
  }
  return { payments: pids.size, events: hashes.size, broken, ends }
}
