import { isJsonObject } from '../model/json.js'
import type { ResourceInfo } from '../model/payment.js'
import * as v2 from '../schema/v2.shapes.js'
import { check, type Fitting } from './check.js'

/**
 * The resource of a message whose optional members may break their limits: those are dropped, not the message.
 *
 * @example
 * readResource({ url: 'https://a.example', serviceName: 'far too long …' }) // { url: 'https://a.example' }
 */
export function readResource(wire: unknown): ResourceInfo | undefined {
  if (!isJsonObject(wire)) return undefined
  const members = Object.entries(v2.ResourceInfo.properties ?? {})
    .filter(([name, shape]) => check(shape, wire[name]).ok)
    .map(([name]) => [name, wire[name]])
  const checked = check(v2.ResourceInfo, Object.fromEntries(members))
  return checked.ok ? resourceFrom(checked.value) : undefined
}

/** The resource of a message that was already checked. */
export function resourceFrom(wire: Fitting<typeof v2.ResourceInfo>): ResourceInfo {
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
