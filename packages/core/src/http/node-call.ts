import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { type HttpAnswer, type HttpCall, type HttpRequest, NoAnswer } from './call.js'
import type { PublicAddresses } from './public-address.js'

/** Where Node's client may connect to. */
export type NodeCallOptions = {
  /** Says which addresses it may connect to: see `publicCall`. */
  readonly guard?: PublicAddresses
}

/**
 * Exchanges by Node's own client over kept connections, at about a third of what `fetch` costs there. `undefined` where there is no
 * Node: its modules are asked for, never imported, so that nothing of them is bundled for other runtimes.
 *
 * @example
 * const call = nodeCall() ?? callOver(globalThis.fetch)
 */
export function nodeCall({ guard }: NodeCallOptions = {}): HttpCall | undefined {
  const { process } = globalThis
  if (process?.release?.name !== 'node' || typeof process.getBuiltinModule !== 'function') return undefined
  const http = process.getBuiltinModule('node:http')
  const https = process.getBuiltinModule('node:https')
  if (typeof http?.Agent !== 'function' || typeof https?.Agent !== 'function') return undefined
  // Servers keep idle connections for 5 s and more; one that is about to be closed must not be used.
  const options = { keepAlive: true, timeout: 4_000 }
  const plain = { request: http.request, agent: new http.Agent(options), guard }
  const secure = { request: https.request, agent: new https.Agent(options), guard }
  return (request) => exchange(request, request.url.startsWith('https:') ? secure : plain)
}

type Client = {
  readonly request: (url: string, options: RequestOptions) => ClientRequest
  readonly agent: Agent
  readonly guard: PublicAddresses | undefined
}

function exchange(asked: HttpRequest, client: Client): Promise<HttpAnswer> {
  const { url, method, headers, body, timeoutMs, maxBytes, signal } = asked
  return new Promise((resolve, reject) => {
    const { agent, guard } = client
    // An address needs no lookup, so nothing else would look at it.
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
    if (guard !== undefined && /^[0-9.]+$|:/.test(host) && !guard.isPublic(host)) {
      reject(new NoAnswer(Object.assign(new Error('a private address'), { code: 'EHOSTUNREACH' })))
      return
    }
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const lookup = guard === undefined ? {} : { lookup: guard.lookup }
    const request = client.request(url, { method, headers: { ...headers, ...length }, agent, ...lookup })
    const cancel = (): void => {
      request.destroy(new Error('given up'))
    }
    const timer = setTimeout(cancel, timeoutMs)
    signal?.addEventListener('abort', cancel)
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      end()
    }
    const fail = (error: unknown): void => settle(() => reject(new NoAnswer(error)))
    request.on('error', fail)
    request.on('response', (response) => read(response, maxBytes, (answer) => settle(() => resolve(answer)), fail))
    if (signal?.aborted) cancel()
    request.end(body)
  })
}

function read(
  response: IncomingMessage,
  maxBytes: number,
  done: (answer: HttpAnswer) => void,
  fail: (error: unknown) => void,
): void {
  const { statusCode: status = 0 } = response
  const { 'retry-after': retryAfter } = response.headers
  const chunks: Uint8Array[] = []
  let size = 0
  response.on('data', (chunk: Uint8Array) => {
    size += chunk.byteLength
    chunks.push(chunk)
    if (size <= maxBytes) return
    done({ status, retryAfter, text: undefined })
    response.destroy()
  })
  response.on('end', () => done({ status, retryAfter, text: Buffer.concat(chunks).toString() }))
  response.on('error', fail)
  response.on('close', () => fail(new Error('the answer broke off')))
}
