import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SandboxError } from '../../sandbox-error.js'
import { createHttpServer } from './http-server.js'
import type { Node } from './node.js'
import { serveSubscriptions } from './ws-server.js'

/** Where a node listens. */
export type Listening = {
  readonly rpcUrl: string
  readonly wsUrl: string
  /** Closes both ports and every connection. May be called again. */
  stop(): Promise<void>
}

/**
 * Lets a node listen: JSON-RPC on `port`, WebSocket on the next one, as validators do and clients guess. Zero takes two
 * free ports. Throws `port_taken`.
 */
export async function listen(node: Node, port: number): Promise<Listening> {
  const http = createHttpServer(node)
  const ws = createServer((_, response) => response.writeHead(426).end())
  await listenOnPair(http, ws, port)
  const endSubscriptions = serveSubscriptions(ws, node)
  return {
    rpcUrl: `http://127.0.0.1:${portOf(http)}`,
    wsUrl: `ws://127.0.0.1:${portOf(ws)}`,
    async stop() {
      endSubscriptions()
      await Promise.all([close(http), close(ws)])
    },
  }
}

/** The next port may be somebody else's: then another pair. */
async function listenOnPair(http: Server, ws: Server, port: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await listenOn(http, port)
    try {
      return await listenOn(ws, portOf(http) + 1)
    } catch (error) {
      await close(http)
      if (port !== 0 || attempt === 20) throw error
    }
  }
}

function listenOn(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      reject(new SandboxError('port_taken', `Port ${port} on 127.0.0.1 cannot be had.`, { cause }))
    }
    server.once('error', fail)
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

function portOf(server: Server): number {
  // A TCP server that listens has an AddressInfo.
  return (server.address() as AddressInfo).port
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
