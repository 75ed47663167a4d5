import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JsonObject } from '@groat/core'
import type { Context } from 'hono'

/** Headers of an answer. */
export type AnswerHeaders = Readonly<Record<string, string>>

/** What a request comes with when nobody stands between the app and the socket: the answer may be written there. */
export type OnSocket = { readonly socket: ServerResponse }

/**
 * Answers what was judged. On a socket of our own the text goes out as it is: a `Response` would make a stream of it first, which costs more than
 * reading the request. Anywhere else it is a `Response`, which whoever is in between may change.
 *
 * @example
 * return answerJudged(c, encodeVerdict(2, verdict), {})
 */
export function answerJudged(c: Context, judged: JsonObject, headers: AnswerHeaders): Response {
  const socket = socketOf(c)
  if (socket === undefined || socket.headersSent || socket.destroyed) return c.json(judged, 200, headers)
  const text = JSON.stringify(judged)
  const length = Buffer.byteLength(text)
  socket.writeHead(200, {
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'content-length': length,
    ...headers,
  })
  socket.end(text)
  return sent()
}

/**
 * Stands in for an answer that went out before something failed; `undefined`: none has.
 *
 * @example
 * return answerSent(c) ?? answerProblem(c, 'unexpected_settle_error')
 */
export function answerSent(c: Context): Response | undefined {
  return socketOf(c)?.headersSent ? sent() : undefined
}

/**
 * The request as it comes by a socket of our own.
 *
 * @example
 * const body = await readJsonBody(c.req.raw, incomingOf(c))
 */
export function incomingOf(c: Context): IncomingMessage | undefined {
  return socketOf(c)?.req
}

function socketOf(c: Context): ServerResponse | undefined {
  return ((c.env ?? {}) as Partial<OnSocket>).socket
}

/** By this the Node server knows that nothing is left to be sent; one for all, for it says nothing of any. */
let said: Response | undefined

function sent(): Response {
  said ??= new Response(null, { headers: { 'x-hono-already-sent': 'true' } })
  // Another listener of the process may have put its own `Response` in the platform's place: it is sent as it was made, whatever its headers
  // say, until somebody has looked at its body.
  void said.body
  return said
}
