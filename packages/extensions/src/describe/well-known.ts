import { encodeRequirements, isJsonObject, type JsonObject } from '@groat/core'
import { templateOf } from './openapi.js'
import type { DescribedRoute, DescribedService } from './service.js'

/**
 * What a seller says of itself under `/.well-known/x402`, so that the readers of all forms that are about find theirs: `resources` are URLs alone,
 * `items` are whole, and the head is that of the `discovery` proposal (DESC-003).
 *
 * @example
 * wellKnown({ origin: 'https://shop.example', title: 'Shop', routes }).resources // ['https://shop.example/weather']
 */
export function wellKnown(service: DescribedService): JsonObject {
  const { origin, title, description, documentation, contact, routes } = service
  const sold = routes.filter(({ free = false }) => !free)
  return {
    ...{ x402Version: 2, version: 1, kind: 'resource-server', name: title },
    ...(description === undefined ? {} : { description }),
    ...(documentation === undefined ? {} : { docs: documentation }),
    ...(contact === undefined ? {} : { contact }),
    resources: [...new Set(sold.map((route) => urlOf(route, origin)))],
    items: sold.map((route) => itemOf(route, origin)),
  }
}

const urlOf = ({ path }: DescribedRoute, origin: string) => origin + templateOf(path).path

function itemOf(route: DescribedRoute, origin: string): JsonObject {
  const { about, offers, extensions = {}, method, price, websocket = false } = route
  const info = isJsonObject(extensions.bazaar) ? extensions.bazaar.info : undefined
  const { input, output } = isJsonObject(info) ? info : {}
  return {
    resource: { url: urlOf(route, origin), ...about },
    ...{ type: 'http', x402Version: 2, method },
    // The readers of this form know requests alone: a handshake is one, and says so.
    ...(websocket ? { protocol: 'websocket' } : {}),
    accepts: offers.map(({ requirements }) => encodeRequirements(2, requirements)),
    ...(price === undefined ? {} : { price }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  }
}
