import { readFile } from 'node:fs/promises'
import { type ErrorCode, type ExtensionFacilitator, PROBLEM_TYPE, problem as problemOf } from '@groat/core'
import { bazaarExtension } from '@groat/extensions/bazaar/facilitator'
import type { Context, Hono } from 'hono'
import type { Catalogue } from './catalogue.js'
import { type Parsed, parseListQuery, parseSearchQuery } from './query.js'
import { encodeListing } from './wire.js'

/** How the catalogue answers what it cannot. */
export type CatalogueAnswers = { problem(c: Context, code: ErrorCode, detail?: string): Response }

/**
 * The catalogue over HTTP: `GET /discovery/resources`, `GET /discovery/search`, `GET /discovery/why`, and `GET /discovery`, a page to browse it.
 *
 * @example
 * addCatalogueRoutes(app, catalogue, { problem })
 */
export function addCatalogueRoutes(app: Hono, catalogue: Catalogue, { problem }: CatalogueAnswers): void {
  const open = (c: Context) => c.header('access-control-allow-origin', '*')

  app.get('/discovery/resources', async (c) => {
    open(c)
    const asked = parseListQuery(new URL(c.req.url).searchParams)
    if (!asked.ok) return wrong(c, asked.field)
    const { limit, offset } = asked.value
    const { rows, total } = await catalogue.list(asked.value)
    return c.json({
      x402Version: 2,
      items: rows.map(encodeListing),
      pagination: { limit, offset, total },
      ...unapplied(asked),
    })
  })

  app.get('/discovery/search', async (c) => {
    open(c)
    const asked = parseSearchQuery(new URL(c.req.url).searchParams)
    if (!asked.ok) return wrong(c, asked.field)
    const found = await catalogue.search(asked.value)
    if (found === undefined) return wrong(c, 'cursor')
    const { rows, cursor } = found
    const pagination = { limit: asked.value.limit, cursor }
    return c.json({
      x402Version: 2,
      resources: rows.map(encodeListing),
      partialResults: cursor !== null,
      pagination,
      ...unapplied(asked),
    })
  })

  app.get('/discovery/why', async (c) => {
    open(c)
    const { resource, method, tool } = c.req.query()
    if (resource === undefined || resource.length > 2048) return wrong(c, 'resource')
    return c.json(await catalogue.why({ resource, ...(method && { method }), ...(tool && { tool }) }))
  })

  const file = (path: string, name: string, type: string) =>
    app.get(path, async (c) => {
      // Beside `src` and `dist` alike.
      const text = await readFile(new URL(`../../assets/${name}`, import.meta.url), 'utf8')
      c.header('x-content-type-options', 'nosniff')
      c.header('referrer-policy', 'no-referrer')
      return c.body(text, 200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY })
    })
  file('/discovery', 'bazaar.html', 'text/html')
  file('/discovery/page.css', 'page.css', 'text/css')
  file('/discovery/bazaar.css', 'bazaar.css', 'text/css')
  file('/discovery/bazaar.js', 'bazaar.js', 'text/javascript')

  for (const path of ['/discovery', '/discovery/resources', '/discovery/search', '/discovery/why']) {
    app.all(path, (c) => {
      c.header('allow', 'GET, HEAD')
      return problem(c, 'method_not_allowed')
    })
  }
}

/** Tells a resource server, in `EXTENSION-RESPONSES`, what becomes of a declaration. A payment that was only verified is told nothing: it lists nothing. */
export function bazaarAnswers(catalogue: Catalogue): ExtensionFacilitator {
  return {
    extension: bazaarExtension,
    observe: (seen) => (seen.during === 'settle' ? catalogue.judge(seen) : undefined),
  }
}

/** A question that is none: 400 in words of its own, for the registry speaks of payments. */
function wrong(c: Context, field: string): Response {
  const isGiven = new URL(c.req.url).searchParams.has(field)
  const said = {
    ...problemOf('invalid_payload', { detail: `${field} is ${isGiven ? 'malformed' : 'missing'}` }),
    ...{ status: 400, title: 'The question to the catalogue cannot be read', retry: 'never', field },
    hint: HINTS[field] ?? 'Leave it out.',
  }
  return c.body(JSON.stringify(said), 400, { 'content-type': PROBLEM_TYPE })
}

/** What a member of a question may be. */
const HINTS: Readonly<Record<string, string>> = {
  resource: 'Name the service by its URL: /discovery/why?resource=https://api.example/weather',
  query: 'Say what you look for, in 400 characters at the most: /discovery/search?query=weather',
  cursor: 'Take the cursor of the page before, of the same query, or none.',
  limit: 'A number from 1.',
  offset: 'A number from 0.',
  type: '`http` or `mcp`.',
  network: 'A name such as `base-sepolia`, or a CAIP-2 id such as `eip155:84532`.',
  payTo: 'An account.',
  scheme: 'The name of a scheme, such as `exact`.',
  asset: 'The address of a token; `maxAmount` needs one, for its units are the token’s.',
  maxAmount: 'Atomic units of `asset`: digits alone.',
  extensions: 'Keys of extensions, eight at the most, with commas between them.',
  originVerified: '`true` or `false`.',
  minUniquePayers: 'A number from 0.',
}

function unapplied(asked: Parsed<unknown>): { readonly unappliedFilters?: readonly string[] } {
  return asked.ok && asked.unapplied.length > 0 ? { unappliedFilters: asked.unapplied } : {}
}

/** Images too: an icon would tell its host who looks. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
