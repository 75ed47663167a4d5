import { createHash } from 'node:crypto'
import { canonicalAddress, encodeRequirements, type PaymentRequirements, type Pid, requirementsId } from '@groat/core'
import type { Listing, ListingFlaw } from '@groat/extensions/bazaar/facilitator'
import { sql, type Transaction } from 'kysely'
import { DAY_MS, type PayerUse, type Quality, qualityOf, WINDOW_DAYS } from './quality.js'
import type { BazaarTables, SaidBy } from './tables.js'
import { wordsOf } from './words.js'

/** A settled payment and what it declares. */
export type Sale = {
  readonly pid: Pid
  readonly payer: string
  readonly requirements: PaymentRequirements
  readonly listing: Listing
  /** Keys of all extensions of the payment. */
  readonly extensions: readonly string[]
  /** Whether a server asked for the settlement whose key the operator knows for the account that is paid. */
  readonly bySeller: boolean
}

/** Bounds of the catalogue: whatever strangers pay for, one of them does not fill it. */
export type CatalogueLimits = {
  /** Listings of one origin. Default 1000. */
  readonly perOrigin?: number
  /** Recipients that one place may have. Default 8. */
  readonly perPlace?: number
  /** Listings in all. Default 1,000,000. */
  readonly total?: number
}

/** Why a sale was not listed. */
export type RecordFlaw =
  | ListingFlaw
  | 'resource_private'
  | 'tool_unspoken'
  | 'origin_full'
  | 'too_many_recipients'
  | 'catalogue_full'

/** Offers that are kept of one listing. */
const MAX_OFFERS = 16

/** Milliseconds for which a score holds, whatever comes in. */
const SCORE_MS = 60_000

/** What one listing is known by: its type, its place, and who is paid there. Another recipient is another listing: nobody adds an account to somebody else's (D12). */
export function keyOf(
  { type, url, method = '', tool = '' }: Pick<Listing, 'type' | 'url' | 'method' | 'tool'>,
  payTo: string,
): string {
  return createHash('sha256').update([type, url, method, tool, payTo].join('\n')).digest('hex')
}

/**
 * Writes a sale into the catalogue. A payment counts once and brings one listing, however often its settlement is asked for and whatever it says then that it was for (BAZAAR-042); one to the payer's own
 * account lists and counts for nothing (BAZAAR-041). Answers with the listing's number, or why there is none; `undefined` where another was brought before.
 */
export async function recordSale(
  trx: Transaction<BazaarTables>,
  sale: Sale,
  now: number,
  { perOrigin = 1000, perPlace = 8, total = 1_000_000 }: CatalogueLimits,
): Promise<number | RecordFlaw | undefined> {
  const { pid, requirements, listing } = sale
  const payTo = canonicalAddress(requirements.payTo)
  const payer = canonicalAddress(sale.payer)
  const key = keyOf(listing, payTo)
  const { origin } = new URL(listing.url)
  const known = await trx
    .selectFrom('bazaar_resource')
    .select(['seq', 'said', 'said_by', 'origin_state', 'scored_at', 'extension_keys'])
    .where('key', '=', key)
    .executeTakeFirst()
  const by: SaidBy = sale.bySeller ? 'seller' : 'payer'
  // What a payer says of it is not kept: what is asked of its origin would hang on whoever paid last.
  const own = sale.bySeller ? listing : bare(listing)
  const said = saidOf(own)
  // Which extensions a payment carries is its payer's choice.
  const keys = sale.bySeller ? `|${[...sale.extensions].sort().join('|')}|` : '|bazaar|'
  const isFirst = await isSeenFirst(trx, pid, now)
  // No signature says what a payment was for: whoever asks for its settlement again could name anything.
  if (known === undefined && !isFirst && !sale.bySeller) return undefined
  if (known === undefined) {
    // Its name is all that there is of it, and would be a stranger's words.
    if (!sale.bySeller && !/^[\w./-]{0,128}$/.test(listing.tool ?? '')) return 'tool_unspoken'
    const full = await makeRoom(trx, { origin, listing, by, perOrigin, perPlace, total })
    if (full !== undefined) return full
  }
  // What the origin or the seller has said is not changed by what a payer echoes (BAZAAR-032, BAZAAR-037).
  // A list of tools has no prices: whoever may speak for them still does.
  const isTool = listing.type === 'mcp'
  const mayChange = known === undefined || RANK[by] >= RANK[known.said_by] || (isTool && by === 'seller')
  const mayOffer = known === undefined || by === 'seller' || known.said_by !== 'seller'
  const isNew = known?.said !== said || known.said_by !== by || known.extension_keys !== keys
  const isOurs = mayChange && isNew
  const { name, more } = isOurs ? wordsOf(own) : { name: '', more: '' }
  const row = known?.seq ?? (await insert(trx, { key, origin, payTo, listing, said, by, keys, name, more, now }))
  if (known !== undefined) {
    const words = isOurs
      ? {
          said,
          said_by: by,
          extension_keys: keys,
          name_words: name,
          more_words: more,
          x402_version: listing.x402Version,
        }
      : {}
    await trx
      .updateTable('bazaar_resource')
      .set({ last_seen: now, ...words })
      .where('seq', '=', row)
      .execute()
  }
  // What a verified origin asks for it says itself; whoever pays to its account could have asked for anything (BAZAAR-032).
  if (known?.origin_state !== 'verified' && mayOffer) {
    const { received: _, ...plain } = requirements
    const settled = sale.bySeller ? requirements : { ...plain, extra: {} }
    // The seller's own offers begin where those of payers end.
    const begins = known !== undefined && by === 'seller' && known.said_by !== 'seller'
    await (begins ? replaceOffers(trx, row, [settled], now) : recordOffer(trx, row, settled, now))
  }
  const counts = isFirst && payer !== payTo
  if (counts) await recordUse(trx, row, payer, now)
  if (counts && now - (known?.scored_at ?? 0) >= SCORE_MS) await rescore(trx, row, payTo, now)
  return row
}

/** Remembers a payment. `false`: it was there before. */
export async function isSeenFirst(trx: Transaction<BazaarTables>, pid: Pid, now: number): Promise<boolean> {
  const first = await trx
    .insertInto('bazaar_seen')
    .values({ pid, at: now })
    .onConflict((c) => c.doNothing())
    .returning('pid')
    .executeTakeFirst()
  return first !== undefined
}

/** Who is believed before whom. */
const RANK: Readonly<Record<SaidBy, number>> = { payer: 0, seller: 1, origin: 2 }

/** What is left of a listing without the words of whoever paid: where it is. */
const bare = ({ type, url, method, tool, x402Version }: Listing): Listing => ({
  ...{ type, url, x402Version, info: {} },
  ...(method === undefined ? {} : { method }),
  ...(tool === undefined ? {} : { tool }),
})

/** Remembers why a place is not listed, for whoever asks. */
export async function recordNote(
  trx: Transaction<BazaarTables>,
  url: string,
  flaw: RecordFlaw,
  now: number,
): Promise<void> {
  const place = placeOf(url)
  if (place === undefined) return
  await trx
    .insertInto('bazaar_note')
    .values({ place: place.href, origin: place.origin, flaw, at: now })
    .onConflict((c) => c.column('place').doUpdateSet({ flaw, at: now }))
    .execute()
}

/** A URL without query and fragment. */
export function placeOf(url: string): { readonly href: string; readonly origin: string } | undefined {
  if (url.length > 2048 || !URL.canParse(url)) return undefined
  const { origin, pathname, protocol } = new URL(url)
  return /^https?:$/.test(protocol) ? { href: origin + pathname, origin } : undefined
}

/** What a listing's row says. */
export function saidOf({ info, schema, description, mimeType, serviceName, tags, iconUrl }: Listing): string {
  return JSON.stringify({ description, mimeType, serviceName, tags, iconUrl, info, schema })
}

/** Counts a listing's use anew and ranks it by that. */
export async function rescore(
  trx: Transaction<BazaarTables>,
  resource: number,
  payTo: string,
  now: number,
): Promise<Quality> {
  const since = Math.floor(now / DAY_MS) - WINDOW_DAYS
  const { rows } = await sql<{ calls: number; days: number; last_at: number; others: number; back: number }>`
    select sum(u.calls) as calls, count(*) as days, max(u.last_at) as last_at,
      max(case when exists (select 1 from bazaar_use o join bazaar_resource r on r.seq = o.resource
        where o.payer = u.payer and r.pay_to <> ${payTo}) then 1 else 0 end) as others,
      max(case when exists (select 1 from bazaar_use b join bazaar_resource r on r.seq = b.resource
        where b.payer = ${payTo} and r.pay_to = u.payer) then 1 else 0 end) as back
    from bazaar_use u where u.resource = ${resource} and u.day > ${since} and u.payer <> ${payTo}
    group by u.payer order by max(u.last_at) desc limit 10000`.execute(trx)
  const uses = rows.map(
    ({ calls, days, last_at, others, back }): PayerUse => ({
      calls: Number(calls),
      days: Number(days),
      lastAt: Number(last_at),
      knowsOthers: Number(others) === 1,
      paidBack: Number(back) === 1,
    }),
  )
  const quality = qualityOf(uses, now)
  const { score, l30DaysUniquePayers: payers } = quality
  await trx
    .updateTable('bazaar_resource')
    .set({ score, payers, quality: JSON.stringify(quality), scored_at: now })
    .where('seq', '=', resource)
    .execute()
  return quality
}

type Place = { readonly origin: string; readonly listing: Listing; readonly by: SaidBy }

/**
 * Sees to it that there is room for one listing more; answers why there is none. What only payers have said, and no origin has confirmed, takes no room of a seller's, and makes room for the next of its
 * kind, the least used first: else a few payments to oneself would keep a place from whoever it belongs to.
 */
async function makeRoom(
  trx: Transaction<BazaarTables>,
  { origin, listing, by, perOrigin, perPlace, total }: Place & Required<CatalogueLimits>,
): Promise<RecordFlaw | undefined> {
  const listed = trx
    .selectFrom('bazaar_resource')
    .select(['seq', 'url', 'method', 'tool'])
    .where('origin', '=', origin)
    // What its origin has disowned takes no room of the origin's.
    .where('origin_state', 'not in', ['disowned', 'gone'])
  const spoken = await listed
    .where(({ eb, or }) => or([eb('said_by', '=', 'seller'), eb('origin_state', '=', 'verified')]))
    .limit(perOrigin)
    .execute()
  const loose =
    by !== 'payer'
      ? []
      : await listed
          .where('said_by', '<>', 'seller')
          .where('origin_state', '<>', 'verified')
          .orderBy('score')
          .orderBy('last_seen')
          .orderBy('seq')
          .limit(perOrigin)
          .execute()
  const isHere = ({ url, method, tool }: { url: string; method: string | null; tool: string | null }) =>
    url === listing.url && method === (listing.method ?? null) && tool === (listing.tool ?? null)
  const [here, looseHere] = [spoken.filter(isHere), loose.filter(isHere)]
  if (spoken.length >= perOrigin) return 'origin_full'
  if (here.length >= perPlace) return 'too_many_recipients'
  if (await isFull(trx, total)) return 'catalogue_full'
  const isPlaceFull = here.length + looseHere.length >= perPlace
  const isOriginFull = spoken.length + loose.length >= perOrigin
  const [least] = isPlaceFull ? looseHere : isOriginFull ? loose : []
  if (least !== undefined) await forget(trx, Number(least.seq))
  return undefined
}

async function forget(trx: Transaction<BazaarTables>, resource: number): Promise<void> {
  await trx.deleteFrom('bazaar_offer').where('resource', '=', resource).execute()
  await trx.deleteFrom('bazaar_use').where('resource', '=', resource).execute()
  await trx.deleteFrom('bazaar_resource').where('seq', '=', resource).execute()
}

type NewRow = {
  readonly key: string
  readonly origin: string
  readonly payTo: string
  readonly listing: Listing
  readonly said: string
  readonly by: SaidBy
  readonly keys: string
  readonly name: string
  readonly more: string
  readonly now: number
}

async function insert(
  trx: Transaction<BazaarTables>,
  { key, origin, payTo, listing, said, by, keys, name, more, now }: NewRow,
): Promise<number> {
  const { type, url, method = null, tool = null, x402Version } = listing
  // What the operator has taken off stays off, whoever pays for it next.
  const hiding = await trx
    .selectFrom('bazaar_hidden')
    .select('reason')
    .where('url', '=', url)
    .where('pay_to', 'in', ['', payTo])
    .orderBy('pay_to', 'desc')
    .executeTakeFirst()
  const hidden = hiding?.reason ?? null
  const { seq } = await trx
    .insertInto('bazaar_resource')
    .values({
      ...{
        key,
        type,
        url,
        origin,
        method,
        tool,
        pay_to: payTo,
        x402_version: x402Version,
        said,
        said_by: by,
        extension_keys: keys,
      },
      ...{ name_words: name, more_words: more, first_seen: now, last_seen: now, origin_state: 'unknown', probed_at: 0 },
      ...{ probe: null, failures: 0, hidden, shown: hidden === null ? 1 : 0, score: 0, payers: 0, scored_at: 0 },
      quality: JSON.stringify(qualityOf([], now)),
    })
    .returning('seq')
    .executeTakeFirstOrThrow()
  return Number(seq)
}

/** Puts what an origin asks for itself in the place of all that payments have said. */
export async function replaceOffers(
  trx: Transaction<BazaarTables>,
  resource: number,
  offers: readonly PaymentRequirements[],
  now: number,
): Promise<void> {
  await trx.deleteFrom('bazaar_offer').where('resource', '=', resource).execute()
  // Names of assets and schemes are short; others would be no good in an index or on a page.
  const plain = offers.filter(({ asset, scheme }) => asset.length <= 128 && scheme.length <= 128)
  for (const offer of plain.slice(0, MAX_OFFERS)) await recordOffer(trx, resource, offer, now)
}

async function recordOffer(
  trx: Transaction<BazaarTables>,
  resource: number,
  requirements: PaymentRequirements,
  now: number,
): Promise<void> {
  const { scheme, network, amount } = requirements
  const offer = {
    ...{ network, scheme, asset: canonicalAddress(requirements.asset), amount: amount.toString(), last_seen: now },
    requirements: requirementsText(requirements),
  }
  // What varies from request to request is not the offer's identity.
  const rid = requirementsId({ ...requirements, amount: 0n, extra: {} })
  await trx
    .insertInto('bazaar_offer')
    .values({ resource, rid, ...offer })
    .onConflict((c) => c.columns(['resource', 'rid']).doUpdateSet(offer))
    .execute()
  const kept = trx
    .selectFrom('bazaar_offer')
    .select('rid')
    .where('resource', '=', resource)
    .orderBy('last_seen', 'desc')
    .orderBy('rid')
    .limit(MAX_OFFERS)
  await trx.deleteFrom('bazaar_offer').where('resource', '=', resource).where('rid', 'not in', kept).execute()
}

async function recordUse(trx: Transaction<BazaarTables>, resource: number, payer: string, now: number): Promise<void> {
  await trx
    .insertInto('bazaar_use')
    .values({ resource, payer, day: Math.floor(now / DAY_MS), calls: 1, last_at: now })
    .onConflict((c) =>
      c
        .columns(['resource', 'payer', 'day'])
        .doUpdateSet(({ ref, eb }) => ({ calls: eb(ref('bazaar_use.calls'), '+', 1), last_at: now })),
    )
    .execute()
}

function requirementsText(requirements: PaymentRequirements): string {
  const text = JSON.stringify(encodeRequirements(2, requirements))
  if (text.length <= 8192) return text
  const { received: _, ...rest } = requirements
  return JSON.stringify(encodeRequirements(2, { ...rest, extra: {} }))
}

/** Whether there are that many listings. They are counted only once that many have ever been: counting takes its time. */
async function isFull(trx: Transaction<BazaarTables>, total: number): Promise<boolean> {
  const last = await trx.selectFrom('bazaar_resource').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
  if (last === undefined || Number(last.seq) < total) return false
  const all = trx.selectFrom('bazaar_resource').select(({ fn }) => fn.countAll<number | string>().as('rows'))
  return Number((await all.executeTakeFirstOrThrow()).rows) >= total
}
