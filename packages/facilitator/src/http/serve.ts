import type { Server } from 'node:http'
import { X402Error } from '@groat/core'
import { createAdaptorServer } from '@hono/node-server'
import type { FacilitatorService } from '../service.js'
import { createFacilitatorApp, type FacilitatorAppOptions } from './app.js'

/** Where a facilitator listens. */
export type ServeOptions = FacilitatorAppOptions & {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default 4402; 0 takes a free one. */
  readonly port?: number
  /** Milliseconds for a request to arrive, its body included; 15,000 unless told. */
  readonly requestTimeout?: number
}

/** A facilitator that listens. */
export type ServedFacilitator = {
  readonly url: string
  readonly port: number
  /** Stops the service and then the listener: new work is refused at once, and whoever waits gets an answer. */
  close(): Promise<void>
}

/**
 * Serves a facilitator over HTTP. It may listen before the service has started: until then `/readyz` says 503, and so does everything that
 * needs the journal. Throws `X402Error` `invalid_config` when it cannot listen there.
 *
 * @example
 * const { url, close } = await serveFacilitator(facilitator, { port: 0 })
 */
export async function serveFacilitator(
  service: FacilitatorService,
  { host = '127.0.0.1', port = 4402, requestTimeout = REQUEST_TIMEOUT, ...options }: ServeOptions = {},
): Promise<ServedFacilitator> {
  const app = createFacilitatorApp(service, options)
  const fetch: Handler = (request, env) => app.fetch(request, { socket: env.outgoing, ...env })
  return serveApp(fetch, { host, port, requestTimeout, stop: () => service.stop() })
}

/**
 * Puts a handler on a socket. Throws `X402Error` `invalid_config` when it cannot listen there.
 *
 * @example
 * const admin = await serveApp(createAdminApp(options).fetch, { host: '127.0.0.1', port: 4403 })
 */
export async function serveApp(
  fetch: Handler,
  { host, port, stop, requestTimeout = REQUEST_TIMEOUT }: SocketOptions,
): Promise<ServedFacilitator> {
  // Without TLS options it is a plain server.
  const serverOptions = patienceOf(requestTimeout)
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false, serverOptions }) as Server
  await listen(server, host, port)
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await stop?.()
      // Kept-alive connections go as they fall idle; what is left after that talks to nobody.
      const idle = setInterval(() => server.closeIdleConnections(), 10)
      const patience = setTimeout(() => server.closeAllConnections(), LINGER)
      await closed
      clearInterval(idle)
      clearTimeout(patience)
    },
  }
}

/** Where, and what goes with it. */
type SocketOptions = {
  readonly host: string
  readonly port: number
  /** Milliseconds for a request to arrive; 15,000 unless told. */
  readonly requestTimeout?: number
  /** Runs while the listener closes. */
  readonly stop?: () => Promise<void>
}

type Handler = Parameters<typeof createAdaptorServer>[0]['fetch']

/** Milliseconds for a request to arrive. */
const REQUEST_TIMEOUT = 15_000

/** A request is small: whoever takes longer to send one is holding the door open. Node looks only so often, every 30 s unless told. */
function patienceOf(requestTimeout: number) {
  return { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval: Math.min(1000, requestTimeout) }
}

/** Milliseconds for answers to leave after the service has stopped. */
const LINGER = 1000

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(new X402Error('invalid_config', { host, port, reason: cause.code }, { cause }))
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}
