import { readBounded } from '@groat/core'
import type { ReadBody } from './web-response.js'

/**
 * Reads a body like any other, and that of a response of `@hono/node-server` which nobody has read yet without a stream: it sends the text that it keeps beside
 * status and headers, and makes a stream of it, at the price of the whole rest of the gate, only for who asks for one.
 */
export const readUnread: ReadBody = async (response, bound) => {
  const text = unreadText(response)
  if (text === undefined) return readBounded(response.body, bound)
  const bytes = new TextEncoder().encode(text)
  return bytes.byteLength > bound.maxBytes ? undefined : bytes
}

/** The text; `undefined` for every other response. */
function unreadText(response: Response): string | undefined {
  const kept = Object.getOwnPropertySymbols(response).find(({ description }) => description === 'cache')
  const value: unknown = kept && Reflect.get(response, kept)
  if (!Array.isArray(value) || value.length !== 3 || value[0] !== response.status) return undefined
  return typeof value[1] === 'string' ? value[1] : undefined
}
