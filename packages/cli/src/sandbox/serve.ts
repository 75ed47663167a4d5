import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { CliError } from '../terminal/exit.js'

/** A fetch-style handler that listens on this machine. */
export type Served = { readonly url: string; close(): Promise<void> }

/** Listens on loopback; port 0 takes a free one. Throws an `unreachable` error that names the port when it is taken. */
export function serveLocally(fetch: FetchHandler, port: number): Promise<Served> {
  return serveOn(fetch, { host: '127.0.0.1', port })
}

type FetchHandler = (request: Request, env?: object) => Response | Promise<Response>

/** Listens on an address; port 0 takes a free one. Throws as `serveLocally` does. */
export function serveOn(
  fetch: FetchHandler,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Served> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port, hostname: host }, ({ port: actual }: AddressInfo) => {
      resolve({ url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`, close: () => close(server) })
    })
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      reject(
        new CliError('unreachable', `Port ${port} is taken`, 'Choose another with --port, or --port 0 for free ones.', {
          cause,
        }),
      )
    })
  })
}

function close(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    if ('closeAllConnections' in server) server.closeAllConnections()
  })
}
