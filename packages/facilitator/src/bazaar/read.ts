import type { JsonObject } from '@groat/core'
import type { AnyStore, Reader } from '@groat/store'
import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { CatalogueFilter, ListQuery, SearchQuery } from './query.js'
import type { BazaarTables } from './tables.js'
import { words } from './words.js'

/** A row as it is read. */
export type ResourceRow = Selectable<BazaarTables['bazaar_resource']> & { readonly accepts: readonly JsonObject[] }

/** What a reader works on, and whether listings that their origin has not confirmed are shown. */
export type ReadFrom = {
  readonly db: Reader<BazaarTables>
  readonly kind: AnyStore['kind']
  readonly showsUnverified: boolean
}

/** A page of the list, in the order in which things were first seen, and how many there are in all: the same filters count and show (BAZAAR-021). */
export async function listRows(
  from: ReadFrom,
  query: ListQuery,
): Promise<{ readonly rows: readonly ResourceRow[]; readonly total: number }> {
  const where = conditions(from, query)
  const counted = await sql<{ total: number }>`select count(*) as total from bazaar_resource r where ${where}`.execute(
    from.db,
  )
  const page = await sql<Selectable<BazaarTables['bazaar_resource']>>`
    select ${COLUMNS} from bazaar_resource r where ${where} order by r.seq limit ${query.limit} offset ${query.offset}`.execute(
    from.db,
  )
  return { rows: await withOffers(from, page.rows), total: Number(counted.rows[0]?.total ?? 0) }
}

/** What was found, and where to go on; `undefined` for a cursor that is none, or of another question. */
export type FoundRows = { readonly rows: readonly ResourceRow[]; readonly cursor: string | null }

/**
 * Listings in which every word of the question begins a word: those that have it in name, tag or path first, and within these the better used (BAZAAR-024).
 * A cursor names the last one that was shown, so that what comes in between neither repeats nor hides a row.
 */
export async function searchRows(from: ReadFrom, query: SearchQuery): Promise<FoundRows | undefined> {
  const asked = words(query.query, 12)
  if (asked.length === 0) return { rows: [], cursor: null }
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, asked)
  if (query.cursor !== undefined && after === undefined) return undefined
  const where = conditions(from, query)
  const found: (Selectable<BazaarTables['bazaar_resource']> & { readonly tier: number })[] = []
  for (const tier of [0, 1]) {
    if (after !== undefined && after.tier > tier) continue
    const more = query.limit + 1 - found.length
    if (more <= 0) break
    const past =
      after?.tier === tier
        ? sql`and (r.score < ${after.score} or (r.score = ${after.score} and r.seq > ${after.seq}))`
        : sql``
    const rows =
      from.kind === 'postgres'
        ? await postgresPage(from, { query, asked, tier, past, limit: more })
        : (
            await sql<Row>`
              select ${COLUMNS} from ${matchingFts(asked, tier)} and ${where} ${past}
              order by r.score desc, r.seq limit ${more}`.execute(from.db)
          ).rows
    found.push(...rows.map((row) => ({ ...row, tier })))
  }
  const shown = found.slice(0, query.limit)
  const last = found.length > query.limit ? shown.at(-1) : undefined
  return { rows: await withOffers(from, shown), cursor: last === undefined ? null : encodeCursor({ ...last, asked }) }
}

/** What is asked of a row by whoever wants to know why it is listed, or is not. */
export type ListedRow = Pick<
  ResourceRow,
  'url' | 'method' | 'tool' | 'pay_to' | 'origin_state' | 'probe' | 'hidden' | 'said_by' | 'shown'
>

/** How an origin's listings stand, shown or not: without words and offers, for there may be a thousand of them. */
export function rowsOfOrigin({ db }: ReadFrom, origin: string): Promise<readonly ListedRow[]> {
  return db
    .selectFrom('bazaar_resource')
    .select(['url', 'method', 'tool', 'pay_to', 'origin_state', 'probe', 'hidden', 'said_by', 'shown'])
    .where('origin', '=', origin)
    .orderBy('seq')
    .limit(1000)
    .execute()
}

const COLUMNS = sql.raw(
  [
    'seq',
    'key',
    'type',
    'url',
    'origin',
    'method',
    'tool',
    'pay_to',
    'x402_version',
    'said',
    'said_by',
    'first_seen',
    'last_seen',
    'origin_state',
    'probed_at',
    'probe',
    'failures',
    'hidden',
    'shown',
    'score',
    'payers',
    'quality',
    'extension_keys',
  ]
    .map((name) => `r.${name}`)
    .join(', '),
)

type Row = Selectable<BazaarTables['bazaar_resource']>

type PageOf = {
  readonly query: SearchQuery
  readonly asked: readonly string[]
  readonly tier: number
  readonly past: RawBuilder<unknown>
  readonly limit: number
}

/** As many as are fetched and sorted; of more than these the best are soon met in the order of their score. */
const FEW = 2_000

/**
 * One page on PostgreSQL, by a plan that does not hang on what its statistics say of words. What is rare is found in the index of words and facets, which both narrow down; what is
 * common is met within a few rows in the order of the score. Which of both it is shows when it is fetched, and not before.
 */
async function postgresPage(from: ReadFrom, { query, asked, tier, past, limit }: PageOf): Promise<readonly Row[]> {
  const where = sql`${matchingWords(asked, tier)} and ${facets(query)} and ${conditions(from, query)} ${past}`
  const few = await sql<Row & { readonly found: number }>`
    with found as materialized (select r.seq, r.score from bazaar_resource r where ${where} limit ${FEW + 1}),
      best as materialized (select seq from found order by score desc, seq limit ${limit})
    select ${COLUMNS}, (select count(*) from found) as found from best join bazaar_resource r on r.seq = best.seq
    order by r.score desc, r.seq`.execute(from.db)
  if (Number(few.rows[0]?.found ?? 0) <= FEW) return few.rows
  // \`offset 0\` keeps the order inside: rows come one by one, and the last that is needed ends it.
  const ordered = sql`select * from bazaar_resource where shown = 1 order by score desc, seq offset 0`
  const { rows } = await sql<Row>`select ${COLUMNS} from (${ordered}) r where ${where} limit ${limit}`.execute(from.db)
  return rows
}

/** What the filters ask for, as far as the index knows it. */
function facets({ type, network, scheme, asset }: CatalogueFilter): RawBuilder<unknown> {
  const named = Object.entries({ type, network, scheme, asset })
  const all = named.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
  return all.length === 0 ? sql`true` : sql`r.facets @> ${all}::text[]`
}

/** Rows in which every word begins a word: of the name (tier 0), or of the rest while not all stand in the name (tier 1). */
function matchingWords(asked: readonly string[], tier: number): RawBuilder<unknown> {
  // Letters and digits alone: nothing of it is syntax.
  const any = asked.map((word) => `${word}:*`).join(' & ')
  const inName = sql`r.words @@ to_tsquery('simple', ${asked.map((word) => `${word}:*A`).join(' & ')})`
  return tier === 0 ? inName : sql`r.words @@ to_tsquery('simple', ${any}) and not ${inName}`
}

/** The same for SQLite, with its tables. */
function matchingFts(asked: readonly string[], tier: number): RawBuilder<unknown> {
  const all = asked.map((word) => `"${word}"*`).join(' AND ')
  const named = `name_words : (${all})`
  return tier === 0
    ? sql`bazaar_words w join bazaar_resource r on r.seq = w.rowid where w.bazaar_words match ${named}`
    : sql`bazaar_words w join bazaar_resource r on r.seq = w.rowid where w.bazaar_words match ${`(${all}) NOT (${named})`}`
}

function conditions(
  { showsUnverified }: Pick<ReadFrom, 'showsUnverified'>,
  filter: CatalogueFilter,
): RawBuilder<unknown> {
  const { type, payTo, scheme, network, asset, maxAmount, extensions = [], originVerified, minUniquePayers } = filter
  const offer = [
    ...(scheme === undefined ? [] : [sql`o.scheme = ${scheme}`]),
    ...(network === undefined ? [] : [sql`o.network = ${network}`]),
    ...(asset === undefined ? [] : [sql`o.asset = ${asset}`]),
    // Decimal text without leading zeros: the longer is the larger.
    ...(maxAmount === undefined
      ? []
      : [
          sql`(length(o.amount) < ${maxAmount.length} or (length(o.amount) = ${maxAmount.length} and o.amount <= ${maxAmount}))`,
        ]),
  ]
  const all = [
    sql`r.shown = 1`,
    ...(showsUnverified ? [] : [sql`r.origin_state = 'verified'`]),
    ...(type === undefined ? [] : [sql`r.type = ${type}`]),
    // A price is what somebody asks who may; what a stranger has paid is none.
    ...(maxAmount === undefined ? [] : [sql`(r.said_by = 'seller' or r.origin_state = 'verified')`]),
    ...(payTo === undefined ? [] : [sql`r.pay_to = ${payTo}`]),
    ...(originVerified === undefined
      ? []
      : [originVerified ? sql`r.origin_state = 'verified'` : sql`r.origin_state <> 'verified'`]),
    ...(minUniquePayers === undefined ? [] : [sql`r.payers >= ${minUniquePayers}`]),
    ...extensions.map((key) => sql`r.extension_keys like ${`%|${key.replace(/[\\%_]/g, '\\$&')}|%`} escape '\\'`),
    ...(offer.length === 0
      ? []
      : [sql`exists (select 1 from bazaar_offer o where o.resource = r.seq and ${sql.join(offer, sql` and `)})`]),
  ]
  return sql.join(all, sql` and `)
}

async function withOffers(
  { db }: ReadFrom,
  rows: readonly Selectable<BazaarTables['bazaar_resource']>[],
): Promise<readonly ResourceRow[]> {
  if (rows.length === 0) return []
  const offers = await db
    .selectFrom('bazaar_offer')
    .select(['resource', 'requirements'])
    .where(
      'resource',
      'in',
      rows.map(({ seq }) => Number(seq)),
    )
    .orderBy('last_seen', 'desc')
    .orderBy('rid')
    .execute()
  return rows.map((row) => ({
    ...row,
    seq: Number(row.seq),
    // Written by us.
    accepts: offers
      .filter(({ resource }) => Number(resource) === Number(row.seq))
      .map(({ requirements }) => JSON.parse(requirements) as JsonObject),
  }))
}

type Place = { readonly tier: number; readonly score: number; readonly seq: number }

function encodeCursor({ tier, score, seq, asked }: Place & { readonly asked: readonly string[] }): string {
  return Buffer.from(JSON.stringify([tier, Number(score), Number(seq), asked.join(' ')])).toString('base64url')
}

function decodeCursor(text: string, asked: readonly string[]): Place | undefined {
  try {
    const [tier, score, seq, of]: unknown[] = JSON.parse(Buffer.from(text.slice(0, 2048), 'base64url').toString())
    const isPlace = [tier, score, seq].every((each) => Number.isSafeInteger(each)) && of === asked.join(' ')
    return isPlace ? { tier: Number(tier), score: Number(score), seq: Number(seq) } : undefined
  } catch {
    return undefined
  }
}
