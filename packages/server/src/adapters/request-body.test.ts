import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { bodyOfMessage } from './request-body.js'

const parsedAs = async (type: string | undefined, value: unknown): Promise<string | undefined> => {
  const headers = { 'content-length': '9', ...(type === undefined ? {} : { 'content-type': type }) }
  // A request that a parser has read.
  const message = { readableEnded: true, readableDidRead: true, headers } as unknown as IncomingMessage
  const bytes = await bodyOfMessage(message, () => value)()
  return bytes && new TextDecoder().decode(bytes)
}

test('EXT-ID-007 what a parser has read is the body where it is all of it: of forms with files it is not', async () => {
  expect(await parsedAs('application/json', { b: 1, a: 2 })).toBe('{"a":2,"b":1}')
  expect(await parsedAs('application/x-www-form-urlencoded', { a: '1' })).toBe('{"a":"1"}')
  expect(await parsedAs('text/plain', 'a')).toBe('a')
  expect(await parsedAs('multipart/form-data; boundary=x', Uint8Array.of(0x61))).toBe('a')
  expect(await parsedAs('multipart/form-data; boundary=x', { size: 'small' })).toBeUndefined()
  expect(await parsedAs('Multipart/Mixed', {})).toBeUndefined()
  expect(await parsedAs('multipart/form-data', undefined)).toBeUndefined()
})

test('SRV-043 a request without a body has an empty one, whoever has read it', async () => {
  const message = { readableEnded: true, readableDidRead: true, headers: {} } as unknown as IncomingMessage
  expect(await bodyOfMessage(message)()).toHaveLength(0)
})

test('SRV-043 over HTTP/2 a body of no told length cannot be read beforehand, and is not taken for none', async () => {
  const told: unknown[] = []
  const server = createServer((message) => {
    // The compatible request of Node's HTTP/2.
    void bodyOfMessage(message as unknown as IncomingMessage)().then((bytes) => {
      told.push(bytes?.length)
      message.stream.respond({ ':status': 204 }, { endStream: true })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect(`http://127.0.0.1:${port}`)
  try {
    for (const [method, headers, body] of [
      ['POST', {}, 'words'],
      ['POST', { 'content-length': '5' }, 'words'],
      ['GET', {}, undefined],
    ] as const) {
      const stream = client.request({ ':method': method, ':path': '/', ...headers }, { endStream: body === undefined })
      if (body !== undefined) stream.end(body)
      await once(stream, 'response')
      stream.close()
    }
  } finally {
    client.close()
    server.close()
  }
  expect(told).toEqual([undefined, 5, 0])
})
