import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { fail, untestable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import type { Exchange } from '../model/result.js'

/** A request as it goes over the wire: the path is sent as it stands, a list of header values as so many headers. */
export type WireRequest = {
  readonly method?: string
  readonly url: string
  /** Instead of the path of the URL, unnormalised. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
}

/** What came back. */
export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  /** When the first byte came, by `performance.now`. */
  readonly begunAt: number
}

/** No answer, and why, as a sentence about the target. */
export type Silence = { readonly silent: string; readonly timedOut: boolean }

/** Sends requests, and neither waits nor reads for ever. */
export interface Http {
  /** The answer, or why there is none. Never throws because of the target. */
  attempt(request: WireRequest): Promise<Answer | Silence>
  /** The answer. A target without one fails the check. */
  send(request: WireRequest): Promise<Answer>
}

/** Limits of one exchange. */
export type HttpLimits = {
  /** Milliseconds until the whole answer has to be there; 15,000 unless told. */
  readonly timeoutMs?: number
  /** No request waits longer, whatever it asks for itself. */
  readonly mostMs?: number
  /** Bytes of body that are read; 1 MiB unless told. */
  readonly maxBytes?: number
}

/** Notes down what goes over the wire, and counts how often nothing came back in time. */
export interface Recorder {
  readonly limits?: HttpLimits
  note(exchange: Omit<Exchange, 'at'>): void
  /** Told whether there was an answer. */
  heard?(answered: boolean): void
  /** True once the target is given up. */
  isGone?(): boolean
  /** Why the target no longer runs; undefined while it does. */
  ended?(): string | undefined
  /** Ends what is under way. */
  readonly signal?: AbortSignal | undefined
}

/** Requests with limits, written down. */
export function createHttp(recorder: Recorder): Http {
  async function attempt(request: WireRequest): Promise<Answer | Silence> {
    if (recorder.isGone?.() === true) untestable('the target stopped answering during an earlier check')
    const { timeoutMs = 15_000, mostMs = Number.POSITIVE_INFINITY, maxBytes = 1 << 20 } = recorder.limits ?? {}
    const result = await exchange(request, Math.min(request.timeoutMs ?? timeoutMs, mostMs), maxBytes, recorder.signal)
    recorder.note({ who: 'kit → target', ...describeRequest(request), ...describeResult(result) })
    recorder.heard?.(!('silent' in result))
    return result
  }
  const epitaph = () => {
    const ended = recorder.ended?.()
    return ended === undefined ? '' : `; ${ended}`
  }
  return {
    attempt,
    async send(request) {
      const result = await attempt(request)
      // The end of a process is known a little later than that of its connections.
      if ('silent' in result && !result.timedOut) await new Promise((resolve) => setTimeout(resolve, 100))
      if ('silent' in result)
        fail(`${request.method ?? 'GET'} ${pathOf(request)} has no answer: the target ${result.silent}${epitaph()}`)
      return result
    },
  }
}

/** The JSON object in an answer. Anything else fails the check. */
export function objectIn(answer: Answer, of: string): Readonly<Record<string, unknown>> {
  const value = jsonIn(answer)
  if (isObject(value)) return value
  fail(
    `${of} is no JSON object`,
    'a JSON object',
    `${answer.status} ${answer.headers['content-type'] ?? ''} ${answer.text}`,
  )
}

/** The JSON in an answer, or undefined. */
export const jsonIn = ({ text }: Answer): unknown => parseJson(text)

/** An object of JSON. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function exchange(
  request: WireRequest,
  timeoutMs: number,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Answer | Silence> {
  const { url, method = 'GET', headers = {}, body, path } = request
  const target = new URL(url)
  const start = target.protocol === 'https:' ? tlsRequest : plainRequest
  return new Promise((resolve) => {
    let begun: IncomingMessage | undefined
    const end = (result: Answer | Silence) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', broken)
      resolve(result)
      outgoing.destroy()
    }
    const silence = (silent: string, timedOut = false) => end({ silent, timedOut })
    const broken = () => silence('was not waited for')
    signal?.addEventListener('abort', broken)
    const timer = setTimeout(
      () =>
        silence(
          begun === undefined
            ? `did not answer within ${timeoutMs / 1000} s`
            : `began to answer (${begun.statusCode}) and did not end within ${timeoutMs / 1000} s`,
          true,
        ),
      timeoutMs,
    )
    const outgoing = start({
      hostname: target.hostname.replace(/^\[|\]$/g, ''),
      port: target.port,
      path: path ?? `${target.pathname}${target.search}`,
      method,
      headers: { host: target.host, connection: 'close', ...lengthOf(body), ...headers } as Record<string, string>,
      agent: false,
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => silence(reasonOf(error)))
    outgoing.on('response', (incoming) => {
      begun = incoming
      const begunAt = performance.now()
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > maxBytes) silence(`sent more than ${Math.round(maxBytes / 1024)} KiB`)
        else chunks.push(chunk)
      })
      incoming.on('error', () => silence('broke off in the middle of its answer'))
      incoming.on('aborted', () => silence('broke off in the middle of its answer'))
      incoming.on('end', () =>
        end({
          status: incoming.statusCode ?? 0,
          headers: flatten(incoming.headers),
          text: Buffer.concat(chunks).toString('utf8'),
          begunAt,
        }),
      )
    })
    // A target may answer before it has read all of a large body, and close.
    outgoing.end(body)
  })
}

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'refuses connections'
  if (code.startsWith('HPE_')) return `answered with something that is not HTTP (${code})`
  if (code === 'ECONNRESET' || code === 'EPIPE' || message === 'socket hang up') return 'closed the connection'
  return `could not be reached (${code || message})`
}

const lengthOf = (body: string | Uint8Array | undefined) =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }

function flatten(headers: IncomingMessage['headers']): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

const pathOf = ({ url, path }: WireRequest) => path ?? new URL(url).pathname

function describeRequest(request: WireRequest): Pick<Exchange, 'method' | 'url' | 'requestHeaders' | 'requestBody'> {
  const { method = 'GET', url, path, headers, body } = request
  return {
    method,
    url: path === undefined ? url : `${new URL(url).origin}${path}`,
    ...(headers === undefined
      ? {}
      : {
          requestHeaders: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, cut(String(value))]),
          ),
        }),
    ...(body === undefined ? {} : { requestBody: cut(Buffer.from(body).toString('utf8')) }),
  }
}

function describeResult(result: Answer | Silence): Partial<Exchange> {
  if ('silent' in result) return { failure: `the target ${result.silent}` }
  const headers = Object.entries(result.headers).map(([name, value]) => [name, cut(value ?? '')])
  return { status: result.status, responseHeaders: Object.fromEntries(headers), responseBody: cut(result.text) }
}

/** The first four thousand characters. */
export const cut = (text: string): string =>
  text.length > 4_000 ? `${text.slice(0, 4_000)}... (${text.length} characters)` : text
