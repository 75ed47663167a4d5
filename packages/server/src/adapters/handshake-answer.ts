import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Answer, type HeaderFields, makePrivate } from '../answer.js'

/** Answers a handshake without an upgrade, and ends the connection. */
export function answerHandshake(socket: Duplex, { status, headers, body }: Answer, paid: boolean): void {
  const table = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  if (paid) {
    makePrivate({
      get: (name) => table.get(name)?.toString(),
      set: (name, value) => table.set(name, value),
      delete: (name) => table.delete(name),
    })
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body)
  table.set('content-length', String(bytes.length)).set('connection', 'close')
  socket.end(Buffer.concat([Buffer.from(headText(status, Object.fromEntries(table)), 'latin1'), bytes]))
  socket.once('finish', () => socket.destroy())
}

function headText(status: number, headers: HeaderFields): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${String(each).replace(/[\r\n\0]/g, ' ')}`),
  )
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', ''].join('\r\n')
}
