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
    const page = await sql<Selectable<BazaarTables['bazaar_resource']>>`
      select ${COLUMNS} from ${matching(from.kind, asked, tier)} and ${where} ${past}
      order by r.score desc, r.seq limit ${more}`.execute(from.db)
    found.push(...page.rows.map((row) => ({ ...row, tier })))
  }
  const shown = found.slice(0, query.limit)
  const last = found.length > query.limit ? shown.at(-1) : undefined
  return { rows: await withOffers(from, shown), cursor: last === undefined ? null : encodeCursor({ ...last, asked }) }
}

/** Everything that is known of an origin, shown or not. */
export async function rowsOfOrigin(from: ReadFrom, origin: string): Promise<readonly ResourceRow[]> {
  const { rows } = await sql<Selectable<BazaarTables['bazaar_resource']>>`
    select ${COLUMNS} from bazaar_resource r where r.origin = ${origin} order by r.seq limit 1000`.execute(from.db)
  return withOffers(from, rows)
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

/** Rows in which every word begins a word: of the name (tier 0), or of the rest while not all stand in the name (tier 1). */
function matching(kind: AnyStore['kind'], asked: readonly string[], tier: number): RawBuilder<unknown> {
  if (kind === 'postgres') {
    // Letters and digits alone: nothing of it is syntax.
    const any = asked.map((word) => `${word}:*`).join(' & ')
    const named = asked.map((word) => `${word}:*A`).join(' & ')
    const inName = sql`r.words @@ to_tsquery('simple', ${named})`
    return tier === 0
      ? sql`bazaar_resource r where ${inName}`
      : sql`bazaar_resource r where r.words @@ to_tsquery('simple', ${any}) and not ${inName}`
  }
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
