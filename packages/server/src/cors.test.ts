import { expect, test } from 'vitest'
import { cors } from './cors.js'

const { wrap } = cors({ origins: ['https://app.example'] })
const handler = wrap(() => new Response('pay', { status: 402, headers: { vary: 'Accept' } }))
const ask = async (method: string, headers: Record<string, string>) => {
  const answer = await handler(new Request('https://shop.example/', { method, headers }))
  return { status: answer.status, ...Object.fromEntries(answer.headers) }
}

test('HTTP-063 a page of a known origin may read what a payment needs, also of a 402', async () => {
  expect(await ask('GET', { origin: 'https://app.example' })).toEqual({
    status: 402,
    'access-control-allow-origin': 'https://app.example',
    'access-control-expose-headers':
      'PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, PAYMENT-ENTITLEMENT, Retry-After',
    'content-type': 'text/plain;charset=UTF-8',
    vary: 'Accept, Origin',
  })
  expect(await ask('GET', { origin: 'https://other.example' })).not.toHaveProperty('access-control-allow-origin')
})

test('HTTP-064 a preflight never reaches the gate, and OPTIONS that is none does', async () => {
  const origin = 'https://app.example'
  expect(await ask('OPTIONS', { origin, 'access-control-request-method': 'GET' })).toMatchObject({
    status: 204,
    'access-control-allow-headers': expect.stringMatching(
      /^PAYMENT-SIGNATURE, X-PAYMENT, .*Access-Control-Expose-Headers/,
    ),
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  })
  expect((await ask('OPTIONS', { origin })).status).toBe(402)
})
