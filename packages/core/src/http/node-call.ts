import type { Agent, Dispatcher } from 'undici'
import { callOver, type HttpAnswer, type HttpCall, type HttpRequest, NoAnswer } from './call.js'
import type { PublicAddresses } from './public-address.js'

/** Where Node's client may connect to. */
export type NodeCallOptions = {
  /** Says which addresses it may connect to: see `publicCall`. */
  readonly guard?: PublicAddresses
}

/**
 * Exchanges by Node's HTTP client itself over kept connections, at about an eighth of what `fetch`, which stands on it, costs there.
 * Where a bundler has made it impossible to load, `fetch` does it, unless there is a `guard`, which `fetch` does not know: then there is no
 * answer. `undefined` where there is no Node: other runtimes never load it.
 *
 * @example
 * const call = nodeCall() ?? callOver(globalThis.fetch)
 */
export function nodeCall({ guard }: NodeCallOptions = {}): HttpCall | undefined {
  if (globalThis.process?.release?.name !== 'node') return undefined
  let loading: Promise<HttpCall> | undefined
  return async (asked) => {
    loading ??= connect(guard)
    const call = await loading
    return call(asked)
  }
}

async function connect(guard: PublicAddresses | undefined): Promise<HttpCall> {
  // undici, where it is loaded first, makes itself what the platform's fetch dispatches to, and another version's headers are wrong to it.
  void globalThis.Headers
  const { Agent } = await import('#undici').catch(() => ({ Agent: undefined }))
  if (Agent === undefined) return guard === undefined ? callOver(globalThis.fetch) : noCall
  // Servers keep idle connections for 5 s and more; one that is about to be closed must not be used. The deadline of a call is its own.
  const options = { keepAliveTimeout: 4_000, keepAliveMaxTimeout: 4_000, headersTimeout: 0, bodyTimeout: 0 }
  const client = new Agent(guard === undefined ? options : { ...options, connect: { lookup: guard.lookup } })
  return async (asked) => {
    const place = placeOf(asked.url)
    if (guard !== undefined && place.address !== undefined && !guard.isPublic(place.address)) {
      throw new NoAnswer(Object.assign(new Error('a private address'), { code: 'EHOSTUNREACH' }))
    }
    return exchange(client, place, asked)
  }
}

/** Where a URL is. */
type Place = {
  readonly origin: string
  readonly path: string
  /** Its host, where that is an address: it needs no lookup, so nothing else would look at it. */
  readonly address: string | undefined
}

const places = new Map<string, Place>()

/** The same few URLs are called again and again. */
function placeOf(url: string): Place {
  const known = places.get(url)
  if (known !== undefined) return known
  const { origin, pathname, search, hostname } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const place = { origin, path: pathname + search, address: /^[0-9.]+$|:/.test(host) ? host : undefined }
  if (places.size >= MAX_PLACES) places.clear()
  places.set(url, place)
  return place
}

const MAX_PLACES = 64

const noCall: HttpCall = async () => {
  throw new NoAnswer(Object.assign(new Error('no HTTP client that looks at addresses'), { code: 'ENETUNREACH' }))
}

function exchange(client: Agent, { origin, path }: Place, asked: HttpRequest) {
  const { method, headers, body, timeoutMs, maxBytes, signal } = asked
  return new Promise<HttpAnswer>((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let given: Error | undefined
    const cancel = (): void => {
      given = new Error('given up')
      controller?.abort(given)
      fail(given)
    }
    const timer = setTimeout(cancel, timeoutMs)
    signal?.addEventListener('abort', cancel)
    const over = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
    const fail = (error: unknown): void => {
      over()
      reject(new NoAnswer(error))
    }
    const done = (answer: HttpAnswer): void => {
      over()
      resolve(answer)
    }
    if (signal?.aborted) {
      cancel()
      return
    }
    let status = 0
    let retryAfter: string | undefined
    let received: Readonly<Record<string, string | string[] | undefined>> = {}
    const header = (name: string) => received[name.toLowerCase()]?.toString()
    let size = 0
    const chunks: Uint8Array[] = []
    client.dispatch(
      { origin, path, method, headers, body: body ?? null },
      {
        onRequestStart(started) {
          controller = started
          if (given) started.abort(given)
        },
        onResponseStart(_, code, answered) {
          const { 'retry-after': after } = answered
          received = answered
          status = code
          retryAfter = typeof after === 'string' ? after : undefined
        },
        onResponseData(reading, chunk) {
          size += chunk.byteLength
          chunks.push(chunk)
          if (size <= maxBytes) return
          done({ status, retryAfter, header, text: undefined })
          reading.abort(new Error('longer than may be'))
        },
        onResponseEnd() {
          done({ status, retryAfter, header, text: Buffer.concat(chunks).toString() })
        },
        onResponseError: (_, error) => fail(error),
      },
    )
  })
}
