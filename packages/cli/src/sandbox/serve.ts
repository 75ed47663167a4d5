import { type IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { portTaken } from '../terminal/taken-port.js'

/** A fetch-style handler that listens on this machine. */
export type Served = {
  readonly url: string
  /** From now on this takes handshakes. */
  onUpgrade(listener: UpgradeListener): void
  close(): Promise<void>
}

/** Listens on loopback; port 0 takes a free one. Throws an `unreachable` error that names the port when it is taken. */
export function serveLocally(fetch: FetchHandler, port: number): Promise<Served> {
  return serveOn(fetch, { host: '127.0.0.1', port })
}

/** Takes a handshake; `false`: it is none of its own. */
export type UpgradeListener = (req: IncomingMessage, socket: Socket, head: Buffer) => boolean

type FetchHandler = (request: Request, env?: object) => Response | Promise<Response>

/** Listens on an address; port 0 takes a free one. `field`: where a file names the port. Throws as `serveLocally` does. */
export function serveOn(
  fetch: FetchHandler,
  { host, port, field }: { readonly host: string; readonly port: number; readonly field?: string },
): Promise<Served> {
  const sockets = new Set<Socket>()
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port, hostname: host }, ({ port: actual }: AddressInfo) => {
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
        onUpgrade: (listener) => {
          server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
            sockets.add(socket)
            socket.once('close', () => sockets.delete(socket))
            if (!listener(req, socket, head)) serveAnyway(server, req, socket)
          })
        },
        close: () => {
          for (const socket of sockets) socket.destroy()
          return close(server)
        },
      })
    })
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      reject(portTaken(port, { cause, ...(field === undefined ? {} : { field }) }))
    })
  })
}

/** Serves a request that asked for an upgrade which nobody makes, as if it had not asked; Node takes those from its listener once somebody makes any. */
function serveAnyway(server: ServerType, req: IncomingMessage, socket: Socket): void {
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) !== 0
  // Its body was not read as one.
  if (hasBody) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    return
  }
  const response = new ServerResponse(req)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    socket.end()
  })
  socket.once('error', () => socket.destroy())
  server.emit('request', req, response)
}

function close(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    if ('closeAllConnections' in server) server.closeAllConnections()
  })
}
