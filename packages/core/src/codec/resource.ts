import * as z from 'zod/mini'
import { isJsonObject } from '../model/json.js'
import type { ResourceInfo } from '../model/payment.js'
import * as v2 from '../schema/v2.js'

/**
 * The resource of a message whose optional members may break their limits: those are dropped, not the message.
 *
 * @example
 * readResource({ url: 'https://a.example', serviceName: 'far too long …' }) // { url: 'https://a.example' }
 */
export function readResource(wire: unknown): ResourceInfo | undefined {
  if (!isJsonObject(wire) || typeof wire.url !== 'string' || wire.url === '') return undefined
  const good = Object.entries(v2.ResourceInfo.shape).filter(([key, schema]) => z.safeParse(schema, wire[key]).success)
  return resourceFrom(Object.fromEntries(good.map(([key]) => [key, wire[key]])) as z.output<typeof v2.ResourceInfo>)
}

/** The resource of a message that was already checked. */
export function resourceFrom(wire: z.output<typeof v2.ResourceInfo>): ResourceInfo {
  const { url, description, mimeType, serviceName, tags, iconUrl } = wire
  return {
    url,
    ...(description == null ? undefined : { description }),
    ...(mimeType == null ? undefined : { mimeType }),
    ...(serviceName == null ? undefined : { serviceName }),
    ...(tags == null ? undefined : { tags }),
    ...(iconUrl == null ? undefined : { iconUrl }),
  }
}
