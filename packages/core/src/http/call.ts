import { readBounded } from '../codec/bytes.js'
import type { Fetch } from '../ports.js'

/** One HTTP exchange. */
export type HttpRequest = {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds for all of it. */
  readonly timeoutMs: number
  /** Bytes of the answer that are read. */
  readonly maxBytes: number
  readonly signal?: AbortSignal
}

/** An answer, read to its end. */
export type HttpAnswer = {
  readonly status: number
  readonly retryAfter: string | undefined
  /** A header, by its name in lower case. */
  header(name: string): string | undefined
  /** `undefined` when it was longer than may be. */
  readonly text: string | undefined
}

/** Makes one exchange: follows no redirect, reads at most `maxBytes`. Throws `NoAnswer`. */
export type HttpCall = (request: HttpRequest) => Promise<HttpAnswer>

/** There was no answer. `sent` is false only when the request certainly never left. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
  readonly sent: boolean

  constructor(cause: unknown) {
    super('no answer', { cause })
    this.sent = !neverSent(cause) && !(cause instanceof Error && neverSent(cause.cause))
  }
}

/**
 * Exchanges by a `fetch`.
 *
 * @example
 * const { status, text } = await callOver(fetch)({ url, method: 'GET', headers: {}, timeoutMs: 3_000, maxBytes: 65_536 })
 */
export function callOver(fetch: Fetch): HttpCall {
  return async ({ url, timeoutMs, maxBytes, signal, ...init }) => {
    const abort = new AbortController()
    const cancel = (): void => abort.abort()
    const timer = setTimeout(cancel, timeoutMs)
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    try {
      const response = await fetch(url, { ...init, redirect: 'manual', signal: abort.signal })
      const retryAfter = response.headers.get('retry-after') ?? undefined
      const header = (name: string) => response.headers.get(name) ?? undefined
      return { status: response.status, retryAfter, header, text: await textOf(response, maxBytes) }
    } catch (error) {
      throw new NoAnswer(error)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
    }
  }
}

async function textOf({ body }: Response, maxBytes: number): Promise<string | undefined> {
  const bytes = await readBounded(body, { maxBytes })
  return bytes && new TextDecoder().decode(bytes)
}

/** Faults of name resolution, connecting and certificates come before the first byte of a request. */
function neverSent(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && UNSENT.has(cause.code)
}

const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
