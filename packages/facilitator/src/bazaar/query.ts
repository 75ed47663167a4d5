import { canonicalAddress, networkByV1Name } from '@groat/core'

/** What a caller asks a catalogue for. */
export type CatalogueFilter = {
  readonly type?: 'http' | 'mcp'
  readonly payTo?: string
  readonly scheme?: string
  readonly network?: string
  readonly asset?: string
  /** Atomic units of `asset`, as decimal text. */
  readonly maxAmount?: string
  /** Keys of extensions that all have to be declared. */
  readonly extensions?: readonly string[]
  readonly originVerified?: boolean
  readonly minUniquePayers?: number
}

/** A page of the list. */
export type ListQuery = CatalogueFilter & { readonly limit: number; readonly offset: number }

/** A page of what was found. */
export type SearchQuery = CatalogueFilter & { readonly query: string; readonly limit: number; readonly cursor?: string }

/** What was asked, and which words of it nobody here understands; or which value is wrong. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly unapplied: readonly string[] }
  | { readonly ok: false; readonly field: string }

/**
 * Reads the query of `GET /discovery/resources`. What is not known is named and never silently dropped (BAZAAR-023).
 *
 * @example
 * parseListQuery(new URLSearchParams('type=http&color=red')) // { ok: true, value: { type: 'http', limit: 20, offset: 0 }, unapplied: ['color'] }
 */
export function parseListQuery(params: URLSearchParams): Parsed<ListQuery> {
  const limit = numberOf(params.get('limit'), 20, 1, 1_000_000)
  const offset = numberOf(params.get('offset'), 0, 0, 10_000_000)
  if (limit === undefined || offset === undefined) return { ok: false, field: limit === undefined ? 'limit' : 'offset' }
  // More than a page is asked for by many; a page is what they get, and it says so.
  return withFilter(params, ['limit', 'offset'], { limit: Math.min(limit, MOST), offset })
}

/** Reads the query of `GET /discovery/search`. */
export function parseSearchQuery(params: URLSearchParams): Parsed<SearchQuery> {
  const limit = numberOf(params.get('limit'), 20, 1, 1_000_000)
  const query = params.get('query')
  const cursor = params.get('cursor')
  if (limit === undefined) return { ok: false, field: 'limit' }
  if (query === null || query.length > 400) return { ok: false, field: 'query' }
  const page = { query, limit: Math.min(limit, MOST), ...(cursor === null ? {} : { cursor }) }
  return withFilter(params, ['limit', 'query', 'cursor'], page)
}

/** Rows of one page. */
const MOST = 100

function withFilter<Page>(params: URLSearchParams, own: readonly string[], page: Page): Parsed<CatalogueFilter & Page> {
  const said: { -readonly [name in keyof CatalogueFilter]: CatalogueFilter[name] } = {}
  const unapplied: string[] = []
  for (const name of new Set(params.keys())) {
    const value = params.get(name) ?? ''
    if (own.includes(name)) continue
    const read = Object.hasOwn(READERS, name) ? READERS[name as keyof CatalogueFilter] : undefined
    if (read === undefined) unapplied.push(name.slice(0, 64))
    else {
      // No text of a database holds the character of number zero.
      const parsed = value.length > 128 || value.includes('\0') ? undefined : read(value, params)
      if (parsed === undefined) return { ok: false, field: name }
      Object.assign(said, { [name]: parsed })
    }
  }
  if (said.maxAmount !== undefined && said.asset === undefined) return { ok: false, field: 'asset' }
  return { ok: true, value: { ...said, ...page }, unapplied: unapplied.slice(0, 32) }
}

const text = (value: string) => (value === '' ? undefined : value)

const READERS: {
  readonly [name in keyof CatalogueFilter]-?: (value: string, params: URLSearchParams) => CatalogueFilter[name]
} = {
  type: (value) => (value === 'http' || value === 'mcp' ? value : undefined),
  payTo: (value) => text(canonicalAddress(value)),
  scheme: text,
  network: (value) =>
    networkByV1Name(value) ?? (/^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(value) ? value : undefined),
  asset: (value) => text(canonicalAddress(value)),
  maxAmount: (value) => (/^(0|[1-9][0-9]{0,77})$/.test(value) ? value : undefined),
  extensions: (_, params) => {
    const keys = params.getAll('extensions').flatMap((each) => each.split(','))
    return keys.length <= 8 && keys.every((key) => /^[\w.-]{1,64}$/.test(key)) ? keys : undefined
  },
  originVerified: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  minUniquePayers: (value) => numberOf(value, 0, 0, 1_000_000_000),
}

function numberOf(value: string | null, fallback: number, least: number, most: number): number | undefined {
  if (value === null) return fallback
  const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : Number.NaN
  return number >= least && number <= most ? number : undefined
}
