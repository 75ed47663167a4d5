import { comparableBody, sha256Hex } from '@groat/core'
import type { GateRequest } from './terms.js'

/** What a price was made from, by request: headers, and whether the body was looked at. */
const reads = new WeakMap<GateRequest, { readonly headers: Map<string, string | undefined>; body: boolean }>()

/**
 * A request as a price function sees it: the headers that it looks at are remembered, and whether it looks at the body. What is bought at that price is bound to
 * them (SRV-038, SRV-039).
 *
 * @example
 * const price = priceOf(watched(request))
 * await readFor(request) // what the price hangs on
 */
export function watched(request: GateRequest): GateRequest {
  const read = { headers: new Map<string, string | undefined>(), body: false }
  reads.set(request, read)
  const { body } = request
  return {
    ...request,
    header: (name) => {
      const value = request.header(name)
      read.headers.set(name.toLowerCase(), value ?? undefined)
      return value
    },
    ...(body && {
      body: () => {
        read.body = true
        return body()
      },
    }),
  }
}

/** What the price of a request was made from beside method and path, as text that differs where it does; empty where the price is fixed. */
export async function readFor(request: GateRequest): Promise<string> {
  const read = reads.get(request)
  if (read === undefined) return ''
  const headers = [...read.headers].map(([name, value]) => JSON.stringify([name, value ?? null])).sort()
  if (!read.body) return headers.join('\n')
  const bytes = await request.body?.()
  return [...headers, bytes === undefined ? 'unread' : digestOf(request, bytes)].join('\n')
}

/** The hash of a request's body; empty where there is none, and `undefined` where it cannot be had, or not before all of it has come. */
export async function contentOf(request: GateRequest): Promise<string | undefined> {
  const { header, body } = request
  if (header('transfer-encoding')) return undefined
  if (body === undefined) return ''
  const bytes = await body()
  return bytes?.length === 0 ? '' : bytes && digestOf(request, bytes)
}

/** The hash of a body, by which its request is told from another. */
export const digestOf = ({ header }: GateRequest, bytes: Uint8Array): string =>
  sha256Hex(comparableBody(bytes, header('content-type')))
