import { type ExtensionChallenge, type ExtensionServer, isJsonObject, type Json, X402Error } from '@groat/core'
import { type BazaarDeclaration, declareBazaar, withMethod } from './declaration.js'
import { bazaarExtension } from './extension.js'
import { routeTemplate } from './route-template.js'

export { type BazaarBlock, type BazaarDeclaration, declareBazaar } from './declaration.js'
export { bazaarExtension } from './extension.js'

/**
 * The seller's half of `bazaar`: every challenge of a route that declares it says how the route is called, so that the facilitator that settles
 * a payment can list it. A route says `true`, or what its requests and answers look like; method and path come from the route's name where that
 * is one such as `GET /books/:isbn`. Throws `X402Error` `invalid_config`.
 *
 * @example
 * const paid = paywall({ facilitator, payTo, schemes: [exactEvm], store, extensions: [bazaar] })
 * paid({ name: 'GET /weather/:city', price: '$0.001', extensions: { bazaar: true } })
 */
export const bazaar: ExtensionServer = {
  extension: bazaarExtension,
  declare(options, { name }) {
    const declaration = bazaarOf(options, name)
    const block = declareBazaar(declaration)
    if (declaration.method !== undefined || declaration.tool !== undefined) {
      return { announce: block, vouch: () => block }
    }
    const whole = ({ request }: ExtensionChallenge) => withMethod(block, request.method)
    return { announce: block, enrich: whole, vouch: whole }
  },
}

/**
 * What a route declares, with what its name says of it.
 *
 * @example
 * bazaarOf(true, 'GET /books/:isbn') // { method: 'GET', route: '/books/:isbn' }
 */
export function bazaarOf(options: Json | undefined, name: string): BazaarDeclaration {
  if (options !== true && !isJsonObject(options)) {
    throw new X402Error('invalid_config', {
      field: 'extensions.bazaar',
      reason: 'true, or what requests and answers look like',
    })
  }
  // Each member is looked at where it is used; what is not an object there is refused by then.
  const said = (options === true ? {} : options) as BazaarDeclaration
  if (said.tool !== undefined) return said
  const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(name) ?? []
  const template = path === undefined ? undefined : routeTemplate(path)
  return {
    ...(method === undefined || method === 'ALL' ? {} : { method }),
    ...(template === undefined ? {} : { route: template }),
    ...said,
  }
}
