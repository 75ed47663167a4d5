/**
 * Whether text may stand as the path of a listing in the place of the one that was asked for: characters of a path alone, and nothing that
 * leaves it however often it is decoded (BAZAAR-013). Clients can write what they like there.
 *
 * @example
 * isRouteTemplate('/books/:isbn') // true
 * isRouteTemplate('/a/%252e%252e/b') // false
 */
export function isRouteTemplate(text: unknown): text is string {
  if (typeof text !== 'string' || text.length > MAX_TEMPLATE || !/^\/[a-zA-Z0-9_/:.\-~%]*$/.test(text)) return false
  const decoded = decodedWholly(text)
  // A second slash at the start would name another host.
  return decoded !== undefined && !/\.\.|:\/\/|\\/.test(decoded) && !decoded.startsWith('//')
}

/**
 * The path of a route as listings write it: `[isbn]` and `{isbn}` become `:isbn`, a lone `*` a numbered parameter; `undefined` where nothing of it varies.
 *
 * @example
 * routeTemplate('/books/[isbn]') // '/books/:isbn'
 */
export function routeTemplate(path: string): string | undefined {
  let stars = 0
  const segments = path.split('/').map((segment) => {
    if (segment === '*') return `:var${++stars}`
    return segment.replace(/[[{]([a-zA-Z_][a-zA-Z0-9_]*)[\]}]/g, ':$1').replace(/^(:[a-zA-Z_][a-zA-Z0-9_]*)\W.*$/, '$1')
  })
  const template = segments.join('/')
  if (!/:[a-zA-Z_]/.test(template) || path.split('/').every((segment) => segment === '' || segment === '*'))
    return undefined
  return isRouteTemplate(template) ? template : undefined
}

/** Names of the parts of a template that vary, in their order. */
export function parametersOf(template: string): readonly string[] {
  return [...template.matchAll(/:([a-zA-Z_][a-zA-Z0-9_]*)/g)].map(([, name = '']) => name)
}

const MAX_TEMPLATE = 512

/** Percent signs within percent signs hide what a path says; what is still encoded after five rounds is refused. */
function decodedWholly(text: string): string | undefined {
  let known = text
  for (let round = 0; round < 5; round++) {
    let next: string
    try {
      next = decodeURIComponent(known)
    } catch {
      return undefined
    }
    if (next === known) return known
    known = next
  }
  return undefined
}
