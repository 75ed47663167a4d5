import { parametersOf } from '@groat/extensions/bazaar/facilitator'
import { type ListedRow, type ReadFrom, rowsOfOrigin } from './read.js'
import { placeOf } from './record.js'

/** One thing that has to be so for a place to be listed. `ok` is `null` where it is not known. */
export type ListingCheck = { readonly name: string; readonly ok: boolean | null; readonly detail: string }

/** Whether a place is listed, and what stands in the way (BAZAAR-050). */
export type WhyListed = {
  readonly resource: string
  readonly listed: boolean
  readonly checks: readonly ListingCheck[]
}

/** What is asked about. */
export type WhyQuery = { readonly resource: string; readonly method?: string; readonly tool?: string }

/** Looks up why a place is listed, or is not. Fetches nothing. */
export async function whyListed(
  from: ReadFrom,
  { resource, method, tool }: WhyQuery,
  isPublic: (url: string) => boolean,
): Promise<WhyListed> {
  const place = placeOf(resource)
  if (place === undefined || !isPublic(resource)) {
    const detail =
      place === undefined
        ? 'The URL is not one of http or https'
        : 'The URL is not on the public internet, and this catalogue lists nothing else'
    return { resource, listed: false, checks: [{ name: 'url', ok: false, detail }] }
  }
  const rows = (await rowsOfOrigin(from, place.origin)).filter(
    (row) =>
      isAt(row.url, place.href) &&
      (method === undefined || row.method === null || row.method === method) &&
      (tool === undefined || row.tool === tool),
  )
  const note = await from.db.selectFrom('bazaar_note').selectAll().where('place', '=', place.href).executeTakeFirst()
  const url: ListingCheck = { name: 'url', ok: true, detail: place.href }
  if (rows.length > 0) {
    const checks = rows.flatMap((row) => checksOf(row, from.showsUnverified))
    return {
      resource,
      listed: rows.some((row) => isListed(row, from.showsUnverified)),
      checks: [url, SETTLED, ...checks],
    }
  }
  if (note === undefined) {
    const detail = 'No payment for it was settled here. A payment that was only verified lists nothing'
    return { resource, listed: false, checks: [url, { name: 'settled', ok: false, detail }] }
  }
  const detail = FLAWS[note.flaw] ?? note.flaw
  return {
    resource,
    listed: false,
    checks: [url, SETTLED, { name: 'declaration', ok: false, detail: `${detail} (${note.flaw})` }],
  }
}

const SETTLED: ListingCheck = { name: 'settled', ok: true, detail: 'A payment for it was settled here' }

function isListed({ shown, origin_state }: ListedRow, showsUnverified: boolean): boolean {
  return Number(shown) === 1 && (showsUnverified || origin_state === 'verified')
}

function checksOf(row: ListedRow, showsUnverified: boolean): readonly ListingCheck[] {
  const { method, tool, pay_to, origin_state, probe, hidden, said_by } = row
  const what = `${tool ?? method ?? 'any method'}, paid to ${pay_to}`
  const wanted = !showsUnverified && (origin_state === 'unknown' || origin_state === 'named')
  const origin: ListingCheck =
    origin_state === 'verified'
      ? { name: 'origin', ok: true, detail: 'Its own 402 asks for payments to that account' }
      : origin_state === 'unknown'
        ? {
            name: 'origin',
            ok: wanted ? false : null,
            detail: `${askedSoFar(probe)}${wanted ? ', and only what origins say is shown here' : ''}`,
          }
        : origin_state === 'named'
          ? { name: 'origin', ok: wanted ? false : null, detail: NAMED }
          : { name: 'origin', ok: false, detail: (tool === null ? STATES : TOOL_STATES)[origin_state] ?? origin_state }
  return [
    { name: 'declaration', ok: true, detail: what },
    origin,
    ...(said_by === 'payer' ? [UNSPOKEN] : []),
    ...(hidden === null ? [] : [{ name: 'hidden', ok: false, detail: `Taken off by the operator: ${hidden}` }]),
  ]
}

/** What came of asking an origin that has confirmed nothing so far. */
function askedSoFar(probe: string | null): string {
  if (probe === null) return 'Its origin was not asked yet'
  // As the prober has written it.
  const { status, outcome } = JSON.parse(probe) as { readonly status: number | null; readonly outcome: string }
  if (status === null) return 'Its origin was asked and did not answer; it is asked again'
  const meaning =
    outcome === 'unclear' ? 'which to a question of our own making says nothing' : 'and not with a 402 that can be read'
  return `Its origin was asked and answered with ${status}, ${meaning}; it is asked again`
}

const UNSPOKEN: ListingCheck = {
  name: 'words',
  ok: null,
  detail:
    'Only payers have said what it is: it stands there without words and prices, until its own 402 is asked or a server with a key settles for it',
}

const STATES: Readonly<Record<string, string>> = {
  disowned: 'Its own 402 asks for payments to other accounts',
  gone: 'It did not answer with a 402, several times in a row',
}

const NAMED =
  'Its server lists the tool. Whom it is paid to shows in a call only, and none is made here: what it costs is what it says when it is called'

const TOOL_STATES: Readonly<Record<string, string>> = {
  disowned: 'Its server does not list the tool',
  gone: 'Its server did not answer, several times in a row',
}

const FLAWS: Readonly<Record<string, string>> = {
  no_declaration:
    'Payments for it carry no `bazaar` extension: the challenge declares none, or the client does not echo it',
  opted_out: 'It says `discoverable: false`',
  no_resource: 'Payments for it name no resource',
  resource_not_http: 'The resource is not an http or https URL',
  resource_private: 'The resource is not on the public internet',
  declaration_too_large: 'The declaration is too large or too deep',
  declaration_malformed: 'The declaration has no `info.input` of type http or mcp',
  unknown_method: 'The method is none of GET, HEAD, DELETE, POST, PUT, PATCH',
  unknown_body_type: 'The body type is none of json, form-data, text, or the method has no body',
  tool_unspoken: 'Only payers have named the tool, and its name is not of letters, digits, `_`, `-`, `.` and `/`',
  missing_tool: 'A tool needs a name and an input schema',
  origin_full: 'Its origin has as many listings as one may have',
  too_many_recipients: 'Payments for it go to too many accounts: a listing needs a recipient that stays',
  catalogue_full: 'The catalogue is full',
}

/** Whether a listing is of a place: the same URL, or a template that it fits. */
export function isAt(listed: string, href: string): boolean {
  if (listed === href) return true
  if (parametersOf(listed.slice(8)).length === 0) return false
  const [template, path] = [listed.split('/'), href.split('/')]
  return (
    template.length === path.length &&
    template.every((part, at) => part === path[at] || (at > 2 && part.startsWith(':')))
  )
}
