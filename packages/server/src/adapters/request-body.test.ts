import type { IncomingMessage } from 'node:http'
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
