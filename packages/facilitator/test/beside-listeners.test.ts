import { Agent, type RequestOptions, request } from 'node:http'
import { encodeFacilitatorRequest } from '@groat/core'
import { openMemoryStore } from '@groat/store'
import { getRequestListener } from '@hono/node-server'
import { afterAll, expect, test, vi } from 'vitest'
import { createFacilitator, serveFacilitator } from '../src/index.js'
import { createFakeScheme, FakeChain, makePayment } from './fake-chain.js'

const standing = { Request: globalThis.Request, Response: globalThis.Response }
// What a shop of the same process is served by: its listener makes its own classes the global ones.
getRequestListener(() => new Response())
afterAll(() => void Object.assign(globalThis, standing))

type Answered = { readonly body: unknown; readonly port: number | undefined }

/** Sends this, and says from which port of ours: two answers on one connection have the same. */
function post(url: string, body: string, options: RequestOptions): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asked = request(url, { ...options, method: 'POST', headers }, async (response) => {
      const port = response.socket.localPort
      const text = Buffer.concat(await response.toArray()).toString()
      resolve({ body: JSON.parse(text), port })
    })
    asked.on('error', reject).end(body)
  })
}

test('beside a listener that brings its own Response, answers go out once and the connection stays', async () => {
  const complained = vi.spyOn(console, 'error')
  const store = await openMemoryStore()
  const service = createFacilitator({ schemes: [createFakeScheme(new FakeChain())], store })
  const served = await serveFacilitator(service, { port: 0 })
  await service.start()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const body = JSON.stringify(encodeFacilitatorRequest(makePayment()))
  const verified = await post(`${served.url}/verify`, body, { agent })
  const settled = await post(`${served.url}/settle`, body, { agent })
  const again = await post(`${served.url}/settle`, body, { agent })
  agent.destroy()
  await served.close()
  await store.close()
  expect(complained.mock.calls).toEqual([])
  expect(verified.body).toMatchObject({ isValid: true })
  expect([settled.body, again.body]).toMatchObject([{ success: true }, { success: true }])
  expect(new Set([verified.port, settled.port, again.port]).size).toBe(1)
})
