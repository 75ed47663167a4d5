import type { IncomingMessage } from 'node:http'
import { canonicalJson, type Json, readBounded } from '@groat/core'

/** Bytes of a request that are read for an extension. */
const MAX_BODY_BYTES = 1024 * 1024

/** Reads the body of a web request beside its handler. */
export function bodyOfRequest(request: Request): () => Promise<Uint8Array | undefined> {
  return once(async () => {
    if (request.body === null) return new Uint8Array()
    if (request.bodyUsed) return undefined
    // Whatever it is that the handler gets, this half of it is not waited for.
    return readBounded(request.clone().body, { maxBytes: MAX_BODY_BYTES })
  })
}

/**
 * Reads the body of a Node request, and puts it back: whole bodies of a known length only. Where a parser has been there already, its value
 * counts, as canonical JSON.
 */
export function bodyOfMessage(
  message: IncomingMessage,
  parsed: () => unknown = () => undefined,
): () => Promise<Uint8Array | undefined> {
  return once(async () => {
    const known = parsed()
    const { 'content-length': length, 'transfer-encoding': coding } = message.headers
    const size = Number(length ?? 0)
    // A parser's value is JSON, text or bytes.
    if (known !== undefined && (message.readableEnded || message.readableDidRead))
      return isPartial(message, known) ? undefined : bytesOf(known as Json)
    if (coding !== undefined || (length === undefined && isFramed(message))) return undefined
    if (size === 0) return new Uint8Array()
    if (message.readableEnded || message.readableDidRead) return undefined
    return size <= MAX_BODY_BYTES ? peek(message, size) : undefined
  })
}

/** Whether a body comes in frames that say nothing of its length beforehand, as HTTP/2 has them. */
function isFramed(message: IncomingMessage & { readonly stream?: { readonly endAfterHeaders?: boolean } }): boolean {
  return message.httpVersionMajor >= 2 && message.stream?.endAfterHeaders !== true
}

/** What parsers of forms leave in a body is its fields: the files are somewhere else. */
function isPartial({ headers }: IncomingMessage, known: unknown): boolean {
  return /^\s*multipart\//i.test(headers['content-type'] ?? '') && !(known instanceof Uint8Array)
}

/** Reads at the first call, and gives the same to every other: also to one that comes when the handler has taken the body. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= read()
    return made
  }
}

function peek(message: IncomingMessage, size: number): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let have = 0
    const finish = (bytes: Uint8Array | undefined): void => {
      message.off('readable', read)
      message.off('close', lost)
      message.off('error', lost)
      resolve(bytes)
    }
    const lost = (): void => finish(undefined)
    const read = (): void => {
      for (let chunk = message.read(); chunk !== null; chunk = message.read()) {
        chunks.push(chunk)
        have += chunk.length
        if (have >= size) break
      }
      if (have < size) return
      const all = Buffer.concat(chunks)
      // Before the stream can say that it has ended.
      message.unshift(all)
      finish(new Uint8Array(all))
    }
    message.on('readable', read)
    message.on('close', lost)
    message.on('error', lost)
  })
}

function bytesOf(value: Json | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value
  return new TextEncoder().encode(typeof value === 'string' ? value : canonicalJson(value))
}
