import { createServer, type RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { listen } from '../../test/listen.js'
import type { StreamEnd, StreamReply } from '../stream.js'
import { passResponse } from './passed-response.js'
import { passResponse as passWebResponse } from './web-response.js'

/** A reply that writes down how it ended. */
function recorded(more: Partial<StreamReply> = {}) {
  const ends: StreamEnd[] = []
  const ended = async (end: StreamEnd): Promise<void> => void ends.push(end)
  // Nothing here asks for the payment.
  const reply = { type: 'stream', keepBytes: 1024, head: () => {}, ended, ...more } as unknown as StreamReply
  return { reply, ends }
}

async function served(handler: RequestListener): Promise<Response> {
  const { url, close } = await listen(createServer(handler))
  const response = await fetch(url)
  await response.text().catch(() => '')
  await close()
  return response
}

test.each([
  ['written', 200],
  ['begun and ended', 200],
])('SRV-025 SRV-066 a status that is set when the head has left changes nothing: %s', async (how, status) => {
  const { reply, ends } = recorded()
  const response = await served((_, res) => {
    passResponse(res, reply)
    if (how === 'written') res.write('what was paid for')
    else res.writeHead(200).write('what was paid for')
    res.statusCode = 500
    res.end()
  })
  expect(response.status).toBe(status)
  await expect.poll(() => ends).toMatchObject([{ status, complete: true }])
})

test('SRV-033 what is counted is counted also when a status is set too late', async () => {
  let counted = 0
  const flow = {
    begin: () => {},
    pass: (chunk: Uint8Array<ArrayBuffer>) => {
      counted += chunk.length
      return { chunk, stop: false }
    },
    end: () => new Uint8Array(),
    msLeft: () => undefined,
  }
  const { reply, ends } = recorded({ flow: flow as unknown as NonNullable<StreamReply['flow']> })
  await served((_, res) => {
    passResponse(res, reply)
    res.write('12345')
    res.statusCode = 500
    res.write('67890')
    res.end()
  })
  await expect.poll(() => ends).toMatchObject([{ status: 200 }])
  expect(counted).toBe(10)
})

test('SRV-026 a stream whose reader leaves ends once, whatever is still in hand', async () => {
  const flow = {
    begin: () => {},
    pass: () => ({ chunk: new Uint8Array(), stop: false }),
    end: () => new TextEncoder().encode('half an event'),
    msLeft: () => undefined,
  }
  const { reply, ends } = recorded({ flow: flow as unknown as NonNullable<StreamReply['flow']> })
  let left = 3
  const slow = new ReadableStream({
    pull: async (controller) => {
      if (left-- > 0) controller.enqueue(new Uint8Array([1]))
      else await new Promise(() => {})
    },
  })
  const response = await passWebResponse(reply, () => new Response(slow), { bare: false })
  const reader = response.body?.getReader()
  const read = reader?.read().catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 10))
  await reader?.cancel()
  await read
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(ends).toMatchObject([{ complete: false }])
})
