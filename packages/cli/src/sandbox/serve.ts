import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import { CliError } from '../terminal/exit.js'

/** A fetch-style handler that listens on this machine. */
export type Served = { readonly url: string; close(): Promise<void> }

/** Listens on loopback; port 0 takes a free one. Throws an `unreachable` error that names the port when it is taken. */
export function serveLocally(fetch: (request: Request) => Response | Promise<Response>, port: number): Promise<Served> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port, hostname: '127.0.0.1' }, ({ port: actual }: AddressInfo) => {
      resolve({ url: `http://127.0.0.1:${actual}`, close: () => close(server) })
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
