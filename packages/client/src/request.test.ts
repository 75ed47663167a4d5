import { afterEach, expect, test, vi } from 'vitest'
import { holdRequest } from './request.js'

afterEach(() => vi.unstubAllGlobals())

test('bytes are taken at the call, also where a server has put a lazy class in the place of Response', async () => {
  const Platform = Response
  class LazyResponse {
    #real: Response | undefined
    constructor(private readonly source: BodyInit) {}
    get #response(): Response {
      this.#real ??= new Platform(this.source)
      return this.#real
    }
    get body() {
      return this.#response.body
    }
    get headers() {
      return this.#response.headers
    }
    arrayBuffer() {
      return this.#response.arrayBuffer()
    }
  }
  vi.stubGlobal('Response', LazyResponse)

  const bytes = new Uint8Array([1, 2, 3])
  const request = holdRequest('https://api.example/', { method: 'POST', body: bytes })
  bytes.fill(9)
  expect([...((await request.replay()).body ?? [])]).toEqual([1, 2, 3])
})
