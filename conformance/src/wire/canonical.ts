import { createHash } from 'node:crypto'
import { isObject } from '../http/exchange.js'

/**
 * A value as canonical JSON (RFC 8785): members in the order of their names, no space.
 *
 * @example
 * canonical({ b: 1, a: 'x' }) // '{"a":"x","b":1}'
 */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  )
}

/** SHA-256 in hex. */
export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
