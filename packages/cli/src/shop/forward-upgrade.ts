import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Duplex } from 'node:stream'
import { asciiJson, PROBLEM_TYPE, problem } from '@groat/core'
import type { VerifiedPayment } from '@groat/server'
import { IDENTITY_HEADER, identify, isForwarded, NOT_RETURNED, targetOf, type Upstream } from './forward.js'

/** A handshake, as `node:http` brings it. */
export type Handshake = { readonly req: IncomingMessage; readonly socket: Duplex; readonly head: Buffer }

/**
 * Opens the API's socket for a paid handshake and joins the two. An API that says no, cannot be reached or does not answer in time has
 * delivered nothing: its answer goes out, or 502 or 504.
 */
export function forwardUpgrade(
  { req, socket, head }: Handshake,
  { upstream, upstreamTimeoutMs, upstreamSecret }: Upstream,
  payment: VerifiedPayment,
): void {
  const { pathname, search } = new URL(req.url ?? '/', 'http://shop')
  const target = new URL(targetOf(upstream, pathname + search))
  const headers: OutgoingHttpHeaders = { connection: 'Upgrade', upgrade: 'websocket' }
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined && isForwarded(name) && !PER_CONNECTION.includes(name)) headers[name] = value
  }
  headers['x-forwarded-host'] = req.headers.host ?? ''
  headers['x-forwarded-proto'] = 'encrypted' in req.socket ? 'https' : 'http'
  if (upstreamSecret !== undefined) headers[IDENTITY_HEADER] = identify(payment, 'GET', pathname, upstreamSecret)
  const asked = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, { headers, agent: false })
  let isLate = false
  let isAnswered = false
  const timer = setTimeout(() => {
    isLate = true
    asked.destroy()
  }, upstreamTimeoutMs)
  const hangUp = (): void => void asked.destroy()
  socket.once('close', hangUp)
  const answered = (): void => {
    isAnswered = true
    clearTimeout(timer)
    socket.off('close', hangUp)
  }
  asked.once('upgrade', (response, other: Duplex, first: Buffer) => {
    answered()
    join(socket, other)
    socket.write(headOf(response, { connection: 'Upgrade', upgrade: 'websocket' }))
    if (first.length > 0) socket.write(first)
    if (head.length > 0) other.write(head)
    socket.pipe(other)
    other.pipe(socket)
  })
  asked.once('response', (response) => {
    answered()
    socket.write(headOf(response, { connection: 'close' }))
    response.pipe(socket)
    response.once('error', () => socket.destroy())
  })
  asked.once('error', () => {
    clearTimeout(timer)
    if (!isAnswered) fail(socket, isLate ? 504 : 502)
  })
  asked.end()
}

/** Neither outlives the other. */
function join(one: Duplex, other: Duplex): void {
  for (const [each, twin] of [
    [one, other],
    [other, one],
  ] as const) {
    each.once('close', () => twin.destroy())
    each.on('error', () => twin.destroy())
  }
}

function headOf(
  { statusCode = 502, statusMessage = '', rawHeaders }: IncomingMessage,
  own: Readonly<Record<string, string>>,
): string {
  const lines = rawHeaders.flatMap((name, i) => {
    const lower = name.toLowerCase()
    const stays = i % 2 === 0 && !NOT_RETURNED.includes(lower) && !PER_CONNECTION.includes(lower)
    return stays ? [`${name}: ${rawHeaders[i + 1] ?? ''}`] : []
  })
  const ours = Object.entries(own).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, ...ours, '', ''].join('\r\n')
}

function fail(socket: Duplex, status: 502 | 504): void {
  const body = asciiJson({ ...problem('handler_failed'), status })
  const head = [
    `HTTP/1.1 ${status} ${status === 502 ? 'Bad Gateway' : 'Gateway Timeout'}`,
    `content-type: ${PROBLEM_TYPE}`,
    'cache-control: no-store',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Headers that hold between two machines only. */
const PER_CONNECTION = [
  'connection',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'transfer-encoding',
  'te',
  'trailer',
]
