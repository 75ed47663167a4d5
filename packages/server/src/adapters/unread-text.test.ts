import { getRequestListener } from '@hono/node-server'
import { expect, test } from 'vitest'
import { readUnread } from './unread-text.js'
import { holdResponse } from './web-response.js'

const standing = { Request: globalThis.Request, Response: globalThis.Response }
// Makes its own classes the global ones, as it does in every program that serves by it.
getRequestListener(() => new Response())
const { Response: Light } = globalThis
Object.assign(globalThis, standing)
// Whatever stands for it by now: what `fetch` answers is the platform's.
const { constructor: Platform } = (await fetch('data:,')) as unknown as { constructor: typeof Response }

const headers = { 'content-type': 'text/plain', 'x-made': 'yes' }
const kinds = { platform: Platform, '@hono/node-server': Light }

test.each(Object.entries(kinds))('what is held of a response is its bytes: %s', async (_, Kind) => {
  const held = async (body: BodyInit | null, maxBytes = 64) => {
    const work = await holdResponse(new Kind(body, { status: 201, headers }), {}, maxBytes, readUnread)
    return work.type === 'made' ? { ...work.answer, body: Buffer.from(work.answer.body).toString() } : work
  }
  const answer = { status: 201, headers }
  expect(await held('sunny')).toEqual({ ...answer, body: 'sunny' })
  expect(await held('')).toEqual({ ...answer, body: '' })
  expect(await held('snö ☃')).toEqual({ ...answer, body: 'snö ☃' })
  expect(await held(new Uint8Array([115, 117, 110]))).toEqual({ ...answer, body: 'sun' })
  expect(await held(new Blob(['moon']).stream())).toEqual({ ...answer, body: 'moon' })
  expect(await held('☃☃', 6)).toEqual({ ...answer, body: '☃☃' })
  expect(await held('☃☃', 5)).toEqual({ type: 'failed', code: 'response_too_large' })
})

test.each(Object.entries(kinds))('a response that was touched before is held as it is then: %s', async (_, Kind) => {
  const response = new Kind('sunny', { headers })
  response.headers.set('x-made', 'later')
  expect(response.body).toBeInstanceOf(ReadableStream)
  const work = await holdResponse(response, {}, 64, readUnread)
  const body = new TextEncoder().encode('sunny')
  expect(work).toEqual({ type: 'made', answer: { status: 200, headers: { ...headers, 'x-made': 'later' }, body } })
})

test.each(Object.entries(kinds))('what was read already cannot be held, and fails: %s', async (_, Kind) => {
  const response = new Kind('sunny', { headers })
  await response.text()
  await expect(holdResponse(response, {}, 64, readUnread)).rejects.toThrow()
})

test('of text that @hono/node-server is about to send no stream is made', async () => {
  const response = new Light('sunny', { headers })
  await holdResponse(response, {}, 64, readUnread)
  expect(response.bodyUsed).toBe(false)
})
