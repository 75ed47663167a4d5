import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server of the kit on a free loopback port. */
export type Listening = { readonly url: string; close(): Promise<void> }

/** Listens; `close` ends open connections too. */
export async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Listening> {
  // Peers of the kit read longer headers than most: what is too long is for the target to say.
  const server = createServer({ maxHeaderSize: 128 << 10 }, (request, response) => {
    // A peer may go away at any moment.
    response.on('error', () => {})
    handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  // It listens on TCP.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The body of a request, up to a megabyte of it. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size <= 1 << 20) chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Headers of a request as one text each. */
export function headersOf(request: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
}

/** How a peer of the kit answers: as one ought to, or not. */
export type Reply =
  | {
      readonly status?: number
      readonly headers?: Readonly<Record<string, string | readonly string[]>>
      readonly json?: unknown
      readonly text?: string
      readonly afterMs?: number
    }
  /** Takes the request and says nothing, closes the connection, writes for ever, or writes a gigabyte. */
  | 'hang'
  | 'close'
  | 'endless'
  | 'gigabyte'

/** Writes the reply. */
export async function reply(response: ServerResponse, with_: Reply): Promise<void> {
  if (with_ === 'hang') return
  if (with_ === 'close') return void response.destroy()
  if (with_ === 'endless' || with_ === 'gigabyte')
    return pour(response, with_ === 'gigabyte' ? 1 << 30 : Number.POSITIVE_INFINITY)
  const { status = 200, headers = {}, json, text, afterMs = 0 } = with_
  if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs))
  const type = json === undefined ? {} : { 'content-type': 'application/json' }
  // Lists of values are so many headers.
  response.writeHead(status, { ...type, ...headers } as Record<string, string>)
  response.end(json === undefined ? (text ?? '') : JSON.stringify(json))
}

/** Writes until the reader has had enough. */
async function pour(response: ServerResponse, bytes: number): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' })
  // An endless answer is slow, so that it is a matter of time and not of size.
  const block = Buffer.alloc(bytes === Number.POSITIVE_INFINITY ? 64 : 64 << 10, ' ')
  for (let sent = 0; sent < bytes && !response.destroyed; sent += block.length) {
    if (response.write(block)) {
      if (bytes === Number.POSITIVE_INFINITY) await new Promise((resolve) => setTimeout(resolve, 200))
      continue
    }
    await new Promise<void>((resolve) => {
      const go = () => {
        response.off('drain', go)
        response.off('close', go)
        resolve()
      }
      response.once('drain', go)
      response.once('close', go)
    })
  }
  response.end()
}
