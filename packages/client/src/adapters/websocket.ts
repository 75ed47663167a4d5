import { X402Error } from '@groat/core'
import type { Payer } from '../payer.js'
import type { PayInit } from '../request.js'

/** The head of an answer to a handshake, as Node has it. */
export type HandshakeAnswer = AsyncIterable<Uint8Array | string> & {
  readonly statusCode?: number | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** What is needed of a WebSocket: one of the package `ws` is it. Browsers' own can neither send headers nor see a 402. */
export interface PayableSocket {
  once(event: 'upgrade', listener: (answer: HandshakeAnswer) => void): unknown
  once(
    event: 'unexpected-response',
    listener: (request: { destroy(): unknown }, answer: HandshakeAnswer) => void,
  ): unknown
  once(event: 'open', listener: () => void): unknown
  once(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  pause(): void
  resume(): void
  terminate(): void
}

/** A socket that was paid for, or the answer that came in its place. */
export type PaidSocket<Socket> = {
  /** What the payer's `outcome` and `receipt` are asked with; its status is 200 where the socket is open. */
  readonly response: Response
  /** Open, and absent where the handshake was refused, by the seller or by the policy. */
  readonly socket?: Socket
}

/**
 * Opens a WebSocket and pays for it where its seller asks: the handshake is the request, so that the policy, the budgets and the receipts are those of any
 * request to its `http` URL. One payment opens one socket; where the answer to a paid handshake got lost, the same payment is presented again.
 * Nothing that the seller sends is lost while the payment is being written down: the socket is held until the caller has it, who attaches its listeners
 * before it waits for anything else.
 *
 * Throws what `payer.fetch` throws, `X402Error` `invalid_config` for a URL that is none of a socket, and what the handshake throws where nothing was paid.
 *
 * @example
 * const { socket, response } = await paidSocket(payer, 'wss://feed.example/live', (url, headers) => new WebSocket(url, { headers }))
 * socket?.on('message', (data) => console.log(String(data)))
 * console.log(payer.receipt(response)?.transaction)
 */
export async function paidSocket<Socket extends PayableSocket>(
  payer: Pick<Payer, 'fetch'>,
  url: string | URL,
  open: (url: string, headers: Readonly<Record<string, string>>) => Socket,
  init: Pick<PayInit, 'headers' | 'signal' | 'idempotencyKey' | 'metadata'> = {},
): Promise<PaidSocket<Socket>> {
  const asked = new URL(url)
  const protocol = { 'ws:': 'http:', 'wss:': 'https:' }[asked.protocol]
  if (protocol === undefined) throw new X402Error('invalid_config', { field: 'url', reason: 'expected ws: or wss:' })
  let last: Socket | undefined
  const response = await payer
    .fetch(asked.href.replace(/^wss?:/, protocol), {
      ...init,
      fetch: async (input, { headers, signal } = {}) => {
        // A payment that is presented again opens another socket: the one before was never answered.
        last?.terminate()
        const target = String(input).replace(/^http/, 'ws')
        const shaken = await shake(open(target, Object.fromEntries(new Headers(headers))), signal ?? undefined)
        last = shaken.socket
        return shaken.response
      },
    })
    .catch((error: unknown) => {
      last?.terminate()
      throw error
    })
  const socket = last
  if (socket === undefined) return { response }
  setTimeout(() => socket.resume(), 0)
  return { response, socket }
}

function shake<Socket extends PayableSocket>(socket: Socket, signal?: AbortSignal): Promise<PaidSocket<Socket>> {
  return new Promise((resolve, reject) => {
    let head: Headers | undefined
    const stop = () => {
      reject(signal?.reason)
      socket.terminate()
    }
    const done = () => signal?.removeEventListener('abort', stop)
    // A socket that breaks later is its owner's, and an event without a listener would end the process.
    socket.on('error', (error) => {
      done()
      reject(error)
    })
    socket.once('upgrade', ({ headers }) => {
      head = headersFrom(headers)
    })
    socket.once('open', () => {
      done()
      socket.pause()
      // A Response cannot say 101.
      resolve({ socket, response: new Response(null, { status: 200, headers: head ?? new Headers() }) })
    })
    socket.once('unexpected-response', (request, answer) => {
      const late = setTimeout(() => request.destroy(), MAX_ANSWER_MS)
      readShort(answer)
        .then((body) => {
          const { statusCode = 500, headers } = answer
          const status = statusCode >= 200 && statusCode <= 599 ? statusCode : 502
          const isEmpty = status === 204 || status === 205 || status === 304
          resolve({ response: new Response(isEmpty ? null : body, { status, headers: headersFrom(headers) }) })
        })
        .catch(reject)
        .finally(() => {
          clearTimeout(late)
          done()
          request.destroy()
        })
    })
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Bytes of an answer in place of a socket that are read: a challenge is shorter. */
const MAX_ANSWER_BYTES = 1024 * 1024
/** Milliseconds for which such an answer is read. */
const MAX_ANSWER_MS = 10_000

async function readShort(answer: HandshakeAnswer): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) break
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function headersFrom(fields: HandshakeAnswer['headers']): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(fields)) {
    for (const each of [value ?? []].flat()) headers.append(name, each)
  }
  return headers
}
