import type { IncomingMessage } from 'node:http'
import {
  type Decoded,
  decodeJsonObject,
  type JsonObject,
  joinBytes,
  type Refusal,
  readBounded,
  refuse,
} from '@groat/core'

/** The largest body that is read: 64 KiB. */
export const MAX_BODY = 65_536

const AT_MOST = `a body has ${MAX_BODY} bytes at the most`

/** A body that is not worth parsing: it is answered as a problem, not as a verdict. */
export type BodyRefusal = Refusal & { readonly code: 'request_too_large' | 'unsupported_media_type' }

/**
 * The JSON object in a request. Refuses `unsupported_media_type`, `request_too_large` (before the rest is read), and `invalid_payload` for
 * what is not a JSON object in UTF-8, is nested too deep, or names a member twice. `incoming`: the same request, where it comes by a socket of our own.
 */
export async function readJsonBody(request: Request, incoming?: IncomingMessage): Promise<Decoded<JsonObject>> {
  if (!isJson(request.headers)) return refuse('unsupported_media_type')
  const announced = request.headers.get('content-length')
  if (Number(announced ?? 0) > MAX_BODY) return refuse('request_too_large', AT_MOST)
  // Nobody sends more than was announced; only what was not announced has to be counted.
  const bytes = await (announced === null
    ? readBounded(request.body, { maxBytes: MAX_BODY })
    : readAnnounced(request, incoming)
  ).catch(() => 'cut' as const)
  if (bytes === 'cut') return refuse('invalid_payload', 'the body ended early')
  if (bytes === undefined) return refuse('request_too_large', AT_MOST)
  const text = decodeUtf8(bytes)
  return text === undefined ? refuse('invalid_payload', 'not UTF-8') : decodeJsonObject(text)
}

function isJson(headers: Headers): boolean {
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity') return false
  return JSON_TYPE.test(headers.get('content-type') ?? '')
}

const JSON_TYPE = /^ *application\/json *(?:; *charset="?utf-8"? *)?$/i

async function readAnnounced(request: Request, incoming: IncomingMessage | undefined): Promise<Uint8Array> {
  return incoming === undefined ? new Uint8Array(await request.arrayBuffer()) : readIncoming(incoming)
}

/** As the bytes come: a `Request` would copy them. */
function readIncoming(incoming: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    const cut = () => reject(new Error('the connection ended'))
    if (incoming.destroyed) cut()
    incoming.on('data', (part: Uint8Array) => void parts.push(part))
    incoming.on('end', () => resolve(joinBytes(parts)))
    incoming.on('error', cut)
    // After its end that says nothing more.
    incoming.on('close', cut)
  })
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
