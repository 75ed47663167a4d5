import { connect, createServer, type Socket } from 'node:net'
import { SandboxError } from '../sandbox-error.js'

/** What a connection goes through. */
export type TcpFault =
  | { readonly action: 'pass' }
  /** Every piece of data waits that long, in both directions. */
  | { readonly action: 'delay'; readonly ms: number }
  /** Nothing comes through any more; the connection stays. */
  | { readonly action: 'freeze' }
  /** New connections are refused, and those that are open are reset. */
  | { readonly action: 'cut' }
  /** The server gets what is sent to it, and its answers are lost: nobody can tell whether it did the work. */
  | { readonly action: 'mute' }

/** Where to forward to. */
export type TcpProxyOptions = {
  readonly host?: string
  readonly port: number
  /** Zero, the default, takes a free port. */
  readonly listen?: number
}

/** A running proxy. */
export interface TcpProxy {
  readonly host: string
  readonly port: number
  /** Connections that are open now. */
  readonly open: number
  /** Connections that there ever were. */
  readonly total: number
  /** How everything behaves from now on; `pass` heals. */
  set(fault: TcpFault): void
  /** Resets every open connection, once. */
  reset(): void
  /** Closes the port and every connection. May be called again. */
  stop(): Promise<void>
}

/**
 * A proxy for any protocol over TCP, a database's for instance, that makes the network between misbehave.
 * Throws `port_taken`.
 *
 * @example
 * ```ts
 * const proxy = await startTcpProxy({ port: 5432 })
 * proxy.set({ action: 'mute' })
 * ```
 */
export async function startTcpProxy({ host = '127.0.0.1', port, listen = 0 }: TcpProxyOptions): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let fault: TcpFault = { action: 'pass' }
  let total = 0

  const server = createServer((client) => {
    if (fault.action === 'cut') return void client.resetAndDestroy()
    total += 1
    const pair = { client, upstream: connect(port, host) }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      pair.upstream.destroy()
    }
    for (const [from, to] of directions(pair)) {
      from.on('data', (data) => pass(data, from, to, pair))
      from.on('error', end)
      from.on('close', end)
    }
  })

  /** Data keeps its order: while some waits, its socket reads no more. */
  function pass(data: Buffer, from: Socket, to: Socket, { upstream }: Pair): void {
    if (fault.action === 'mute' && from === upstream) return
    if (fault.action === 'freeze') {
      from.pause()
      from.unshift(data)
      return
    }
    if (fault.action !== 'delay') return void to.write(data)
    from.pause()
    setTimeout(() => {
      if (!to.destroyed) to.write(data)
      if (fault.action !== 'freeze') from.resume()
    }, fault.ms).unref()
  }

  function reset(): void {
    for (const { client, upstream } of pairs) {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }

  await listening(server, listen)
  const address = server.address()
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : listen,
    get open() {
      return pairs.size
    },
    get total() {
      return total
    },
    set(next) {
      fault = next
      if (next.action === 'cut') reset()
      if (next.action === 'freeze') return
      for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.resume()
    },
    reset,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        reset()
      }),
  }
}

type Pair = { readonly client: Socket; readonly upstream: Socket }

const directions = ({ client, upstream }: Pair): readonly (readonly [Socket, Socket])[] => [
  [client, upstream],
  [upstream, client],
]

function listening(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new SandboxError('port_taken', `Port ${port} is taken.`, { cause })))
    server.listen(port, '127.0.0.1', resolve)
  })
}
