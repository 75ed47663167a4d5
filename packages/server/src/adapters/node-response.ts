import type { ServerResponse } from 'node:http'
import type { HeaderFields, HeaderTable } from '../answer.js'

/** The headers of a Node response, as a table. */
export function tableOf(res: ServerResponse): HeaderTable {
  return {
    get: (name) => res.getHeader(name)?.toString(),
    delete: (name) => res.removeHeader(name),
    set: (name, value) => {
      res.setHeader(name, value)
    },
  }
}

/** The headers that stand on a response. */
export function fieldsOf(res: ServerResponse): HeaderFields {
  const fields: Record<string, string | readonly string[]> = {}
  for (const [name, value] of Object.entries(res.getHeaders())) {
    if (value !== undefined) fields[name] = typeof value === 'number' ? String(value) : value
  }
  return fields
}

/** Puts the headers of a response back to what they were. */
export function resetHeaders(res: ServerResponse, to: HeaderFields): void {
  for (const name of res.getHeaderNames()) if (to[name] === undefined) res.removeHeader(name)
  for (const [name, value] of Object.entries(to)) if (res.getHeader(name) !== value) res.setHeader(name, value)
}

/** What `writeHead` was given, put where it can still be taken back: a reason phrase, then an object or a flat list of headers. */
export function applyHead(res: ServerResponse, status: number, rest: readonly unknown[]): void {
  res.statusCode = status
  const [first, second] = rest
  if (typeof first === 'string') res.statusMessage = first
  const headers = typeof first === 'string' ? second : (first ?? second)
  if (Array.isArray(headers)) {
    const pairs = Array.isArray(headers[0]) ? headers : pairsOf(headers)
    for (const [name] of pairs) res.removeHeader(String(name))
    for (const [name, value] of pairs) res.appendHeader(String(name), textOf(value))
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, textOf(value))
  }
}

function pairsOf(flat: readonly unknown[]): readonly (readonly unknown[])[] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]]] : []))
}

function textOf(value: unknown): string | readonly string[] {
  return Array.isArray(value) ? value.map(String) : String(value)
}

/** What a response may be written as, as bytes. */
export function bytesOf(chunk: unknown, encoding: unknown): Buffer {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8')
  }
  if (chunk instanceof Uint8Array) return Buffer.from(chunk)
  throw new TypeError('A response is written as text or bytes.')
}

/** The same bytes, as Node likes them. */
export function bufferOver({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
