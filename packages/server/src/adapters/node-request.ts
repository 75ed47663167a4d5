import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { type GateRequest, pathOf } from '../terms.js'
import { bodyOfMessage } from './request-body.js'

/** A request of `node:http`, as the gate sees it. */
export function gateRequestOf(req: IncomingMessage): GateRequest {
  return {
    method: req.method ?? 'GET',
    url: urlOf(req),
    header: (name) => headerOf(req, name),
    address: req.socket.remoteAddress,
    body: bodyOfMessage(req),
  }
}

/** A header; the values of one that stands more than once are listed, as they would be by any proxy. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function urlOf({ headers, socket, url = '/' }: IncomingMessage): string {
  const scheme = (socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http'
  return `${scheme}://${headers.host ?? 'localhost'}${pathOf(url)}`
}
