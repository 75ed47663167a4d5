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

/** A question that is none: 400, whatever the registry says of payments. */
function wrong(c: Context, field: string): Response {
  const said = { ...problemOf('invalid_payload', { detail: `${field} is missing or malformed` }), status: 400 }
  return c.body(JSON.stringify(said), 400, { 'content-type': PROBLEM_TYPE })
}

function unapplied(asked: Parsed<unknown>): { readonly unappliedFilters?: readonly string[] } {
  return asked.ok && asked.unapplied.length > 0 ? { unappliedFilters: asked.unapplied } : {}
}

/** Images too: an icon would tell its host who looks. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
