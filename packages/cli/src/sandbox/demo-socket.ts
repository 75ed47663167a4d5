import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PaidUpgrade } from '@groat/server/node'

/** Opens a socket that says a few words and closes: as much of RFC 6455 as a demonstration needs. */
export function socketSaying(...words: readonly string[]): PaidUpgrade {
  return (req, socket) => {
    const accept = acceptOf(String(req.headers['sec-websocket-key'] ?? ''))
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    )
    for (const word of words) socket.write(frame(0x81, Buffer.from(word)))
    // 1000: all is said.
    socket.end(frame(0x88, Buffer.from([0x03, 0xe8])))
  }
}

/**
 * A `fetch` whose requests are handshakes: what the socket says until it closes is the answer, one event for each message. What a socket is not opened
 * for is answered as it is.
 */
export const handshake: typeof fetch = (input, init = {}) =>
  new Promise((resolve, reject) => {
    const key = randomBytes(16).toString('base64')
    const headers = {
      ...Object.fromEntries(new Headers(init.headers)),
      ...{ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key },
    }
    const asked = request(String(input), { headers, agent: false })
    asked.once('error', reject)
    asked.once('response', async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      resolve(new Response(Buffer.concat(chunks), { status: response.statusCode ?? 502, headers: headersOf(response) }))
    })
    asked.once('upgrade', async (response, socket, head) => {
      if (response.headers['sec-websocket-accept'] !== acceptOf(key)) return reject(new TypeError('no WebSocket'))
      const said = await messages(socket, head)
      const fields = new Headers(headersOf(response))
      fields.set('content-type', 'text/event-stream')
      resolve(new Response(said.map((text) => `data: ${text}\n\n`).join(''), { headers: fields }))
    })
    asked.end()
  })

const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** Of at most 125 bytes, as a server sends it. */
const frame = (opcode: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([opcode, payload.length]), payload])

async function messages(socket: Duplex, head: Buffer): Promise<readonly string[]> {
  const chunks = [head]
  for await (const chunk of socket) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const said: string[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = bytes.readUInt8(at + 1)
    if (bytes.readUInt8(at) === 0x81) said.push(bytes.subarray(at + 2, at + 2 + length).toString())
    at += 2 + length
  }
  return said
}

function headersOf({ headers }: { readonly headers: NodeJS.Dict<string | string[]> }): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): [string, string] => [name, each]),
  )
}
