import { network } from '@groat/core'
import { plainHeaders } from '@groat/evm/plain-headers/server'
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

test('HTTP-063 HTTP-064 the headers of a dialect go both ways: all that its challenge says can be read, and all that answers it sent', async () => {
  const { headers, preflight } = cors({ origins: '*', dialects: [plainHeaders] })
  const exposed = String(headers('https://app.example')['access-control-expose-headers']).toLowerCase().split(', ')
  const terms = {
    network: network('eip155:84532'),
    asset: USDC,
    payTo: SELLER,
    amount: 1n,
    maxTimeoutSeconds: 60,
  } as const
  const said = plainHeaders.announce({
    resource: { url: 'https://shop.example/weather' },
    offers: [
      { ...terms, scheme: 'exact', extra: { name: 'USDC', version: '2' } },
      { ...terms, scheme: 'transfer-proof', extra: { audience: 'shop' } },
    ],
  })
  expect(Object.keys(said)).toHaveLength(11)
  expect(exposed).toEqual(expect.arrayContaining(Object.keys(said)))
  const asks = { origin: 'https://app.example', 'access-control-request-method': 'GET' }
  const allowed = preflight(new Request('https://shop.example/', { method: 'OPTIONS', headers: asks }))?.headers
  expect(allowed?.get('access-control-allow-headers')?.split(', ')).toEqual(
    expect.arrayContaining([...plainHeaders.requestHeaders]),
  )
})

const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const SELLER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
