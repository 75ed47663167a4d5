import { afterEach, expect, test, vi } from 'vitest'
import { answerContent } from '../src/mcp/answer-content.js'
import { outsideOf } from '../src/mcp/outside.js'

// What strangers answer an agent.

afterEach(() => {
  vi.unstubAllGlobals()
})

/** A stranger that redirects everybody, and whoever is there. */
function redirecting(location: string, status = 302) {
  const seen: { readonly url: string; readonly method: string | undefined; readonly headers: Headers }[] = []
  vi.stubGlobal('fetch', async (input: unknown, init?: RequestInit) => {
    seen.push({ url: String(input), method: init?.method, headers: new Headers(init?.headers) })
    return seen.length === 1 ? new Response(null, { status, headers: { location } }) : new Response('inside')
  })
  return seen
}

test.each([
  ['http://127.0.0.1:8080/admin', 'private_address'],
  ['https://localhost/admin', 'private_address'],
  ['https://10.0.0.1/', 'private_address'],
  ['https://[fd00::1]/', 'private_address'],
  ['https://[::ffff:169.254.169.254]/latest', 'private_address'],
  ['http://169.254.169.254/latest/meta-data', 'insecure_origin'],
])('G23 CL-4 an agent is not redirected from outside to %s', async (location, code) => {
  const seen = redirecting(location)
  const asked = outsideOf({}).fetch('https://93.184.215.14/x', {})
  await expect(asked).rejects.toMatchObject({ code })
  expect(seen.map(({ url }) => url)).toEqual(['https://93.184.215.14/x'])
})

test('G23 CL-4 an agent does not ask in a private network, unless the policy says so', async () => {
  const seen = redirecting('https://93.184.215.14/')
  await expect(outsideOf({}).fetch('https://10.0.0.1/')).rejects.toMatchObject({ code: 'private_address' })
  expect(seen).toEqual([])
  await outsideOf({ privateAddresses: true }).fetch('https://10.0.0.1/')
  expect(seen.map(({ url }) => url)).toEqual(['https://10.0.0.1/', 'https://93.184.215.14/'])
})

test('G23 CL-4 a name that leads nowhere is not connected to: by then it may lead inside', async () => {
  const asked: string[] = []
  const names = {
    resolve: async () => {
      throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
    },
    fetch: async (input: unknown) => {
      asked.push(String(input))
      return new Response('inside')
    },
  }
  const outside = outsideOf({}, [], names)
  await expect(outside.fetch('https://elsewhere.example/')).rejects.toMatchObject({ cause: { code: 'ENOTFOUND' } })
  await expect(outside.look(new URL('https://elsewhere.example/'))).rejects.toThrow()
  expect(asked).toEqual([])
})

test('CL-4 an agent asks on this machine only where the policy or the user names the origin', async () => {
  const here = 'http://127.0.0.1:8080'
  const seen = redirecting('/there')
  for (const elsewhere of [{}, { origins: ['direct', 'http://127.0.0.1:8081'] }]) {
    const asked = outsideOf(elsewhere, ['http://localhost:8080']).fetch(`${here}/admin`, { method: 'POST' })
    await expect(asked).rejects.toMatchObject({ code: elsewhere.origins ? 'origin_not_allowed' : 'private_address' })
    await expect(outsideOf(elsewhere).look(new URL(here))).rejects.toThrow()
  }
  expect(seen).toEqual([])
  for (const outside of [
    outsideOf({ privateAddresses: true }),
    outsideOf({ origins: [here] }),
    outsideOf({}, [`${here}/shop`]),
  ]) {
    const own = redirecting('/there')
    expect(await (await outside.fetch(here)).text()).toBe('inside')
    expect(own).toHaveLength(2)
  }
})

test('CL-4 what the user names is asked wherever it is, and leads nowhere else inside', async () => {
  const catalogue = 'http://10.0.0.5:4402'
  const seen = redirecting('http://127.0.0.1:8080/admin')
  const { fetch } = outsideOf({ origins: ['https://api.example'] }, [catalogue])
  await expect(fetch(`${catalogue}/discovery/resources`)).rejects.toMatchObject({ code: 'origin_not_allowed' })
  await expect(outsideOf({}, [catalogue]).fetch('http://127.0.0.1:8080/')).rejects.toMatchObject({
    code: 'private_address',
  })
  expect(seen.map(({ url }) => url)).toEqual([`${catalogue}/discovery/resources`])
})

test('CL-4 nobody waits for the rest of an answer that redirects', async () => {
  let asked = 0
  const held = new ReadableStream({ cancel: () => new Promise(() => {}) })
  vi.stubGlobal('fetch', async () =>
    ++asked === 1 ? new Response(held, { status: 302, headers: { location: '/there' } }) : new Response('there'),
  )
  expect(await (await outsideOf({}).fetch('https://93.184.215.14/')).text()).toBe('there')
})

test('CL-4 an origin that the policy does not name is not asked, whoever leads there', async () => {
  const seen = redirecting('https://8.8.8.8/')
  const { fetch } = outsideOf({ origins: ['direct', 'https://93.184.215.14'] })
  await expect(fetch('https://93.184.215.14/')).rejects.toMatchObject({ code: 'origin_not_allowed' })
  expect(seen).toHaveLength(1)
})

test('CL-4 a redirect to somebody else takes no secret along, and follows as fetch does', async () => {
  const headers = { authorization: 'Bearer secret', 'x-mine': '1', 'content-type': 'text/plain' }
  const init = { method: 'POST', body: 'b', headers }
  const other = redirecting('https://8.8.8.8/', 303)
  expect(await (await outsideOf({}).fetch('https://93.184.215.14/', init)).text()).toBe('inside')
  expect([other[1]?.method, ...(other[1]?.headers ?? [])]).toEqual(['GET', ['x-mine', '1']])
  const same = redirecting('/there', 307)
  await outsideOf({}).fetch('https://93.184.215.14/', init)
  expect([same[1]?.url, same[1]?.method, same[1]?.headers.get('authorization')]).toEqual([
    'https://93.184.215.14/there',
    'POST',
    'Bearer secret',
  ])
  expect((await outsideOf({}).fetch('https://93.184.215.14/', { redirect: 'manual' })).ok).toBe(true)
})

test('CL-8 G24 of an answer without an end an agent is given the beginning', async () => {
  let given = 0
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      given += 65_536
      if (given > 8 * 1_048_576) controller.error(new Error('read on and on'))
      else controller.enqueue(new Uint8Array(65_536).fill(120))
    },
  })
  const content = await answerContent(new Response(endless, { headers: { 'content-type': 'text/plain' } }))
  expect(content.map((block) => (block.type === 'text' ? block.text.length : 0))).toEqual([1_048_576, 25])
  expect(given).toBeLessThan(2 * 1_048_576)
  expect(await answerContent(new Response('short'))).toEqual([{ type: 'text', text: 'short' }])
  expect(await answerContent(new Response(null))).toEqual([])
})
