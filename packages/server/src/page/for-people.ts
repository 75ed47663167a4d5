import type { PaywallPage } from '../paywall.js'
import type { Challenge, GateRequest, Terms } from '../terms.js'

/** Challenges as pages, made once for each. */
const pages = new WeakMap<Terms, Challenge>()

/**
 * The challenge as who asks can read it: a browser that goes to a page gets one, with the same status and headers; everybody else gets the
 * JSON. A cache keeps neither.
 */
export function forPeople(page: PaywallPage, { method, header }: GateRequest, terms: Terms): Challenge {
  const { challenge } = terms
  const vary = { ...challenge.headers, vary: 'Accept' }
  if (method !== 'GET' || !isLookedAt(header)) return { ...challenge, headers: vary }
  const known = pages.get(terms)
  if (known !== undefined) return known
  const { resource, offers } = terms
  const { headers, body } = page.render({ resource, offers: offers.map(({ requirements }) => requirements) })
  const shown: Challenge = { ...challenge, headers: { ...vary, ...headers }, body }
  pages.set(terms, shown)
  return shown
}

/** Browsers say what they go to; older ones say that they would like HTML, before anything else. */
function isLookedAt(header: GateRequest['header']): boolean {
  const mode = header('sec-fetch-mode')
  if (mode) return mode === 'navigate'
  const accept = header('accept') ?? ''
  const [html, json] = [accept.indexOf('text/html'), accept.indexOf('json')]
  return html >= 0 && (json < 0 || html < json)
}
