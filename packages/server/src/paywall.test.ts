import { X402Error } from '@groat/core'
import { pricing } from '@groat/server/pricing'
import { describe, expect, test } from 'vitest'
import { payTo, testScheme } from '../test/test-scheme.js'
import { createMemoryClaims, type PaywallOptions, paywall, type RouteInput } from './index.js'

const good: PaywallOptions = {
  facilitator: 'https://pay.example',
  payTo: { 'base-sepolia': payTo },
  schemes: [testScheme],
  store: createMemoryClaims({ singleProcess: true }),
}
const handler = (): Response => new Response('x')

function thrownBy(run: () => unknown): { code: string; context: object } | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (!X402Error.is(error)) throw error
    return { code: error.code, context: error.context }
  }
}

/** What a scheme of a client is before it has an account. */
const exactEvmClient = (): void => {}

test('claims in memory must be asked for by name', () => {
  // @ts-expect-error programs without types forget it
  expect(thrownBy(() => createMemoryClaims())).toEqual({
    code: 'invalid_config',
    context: { field: 'singleProcess', reason: 'write createMemoryClaims({ singleProcess: true }), or use sqlClaims' },
  })
})

test('a facilitator that is not there is named, by whoever starts', async () => {
  const shop = paywall({ ...good, facilitator: 'http://127.0.0.1:9/pay' })
  await expect(shop.ready()).rejects.toMatchObject({
    code: 'facilitator_unreachable',
    context: { operation: 'supported', facilitator: 'http://127.0.0.1:9/pay' },
  })
})

describe('a paywall that is set up wrongly says so at start', () => {
  test.each<readonly [string, Partial<PaywallOptions>, string, object]>([
    ['a facilitator that is no URL', { facilitator: 'pay.example' }, 'invalid_config', { field: 'facilitator' }],
    [
      'a facilitator with a password',
      { facilitator: 'https://a:b@pay.example' },
      'invalid_config',
      { field: 'facilitator' },
    ],
    ['an unknown network', { payTo: { bse: payTo } }, 'invalid_network', { network: 'bse' }],
    ['no network', { payTo: {} }, 'invalid_config', { field: 'networks' }],
    [
      'one account and no network',
      { payTo },
      'invalid_config',
      { field: 'payTo', reason: "one account says no network: write { 'base-sepolia': account }, or name networks" },
    ],
    [
      'a half of another role',
      { schemes: [exactEvmClient as never] },
      'invalid_config',
      {
        field: 'schemes',
        reason: 'holds something that is no server half; import it from a path that ends in /server',
      },
    ],
    [
      'an extension that was not called',
      { extensions: [{ extension: { key: 'a' }, declare: () => ({}) }, function builderCodes() {}] as never },
      'invalid_config',
      { field: 'extensions[1]', reason: 'is a function that makes the extension: write builderCodes()' },
    ],
    [
      "a payer's half of an extension",
      { extensions: [{ extension: { key: 'a' }, attach: () => undefined }] as never },
      'invalid_config',
      {
        field: 'extensions[0]',
        reason: "is no seller's half of an extension; import it from a path that ends in /server",
      },
    ],
    [
      'a network without an account',
      { networks: ['base'] },
      'invalid_config',
      { field: 'payTo', network: 'eip155:8453' },
    ],
    ['an origin that is none', { origin: 'shop.example' }, 'invalid_config', { field: 'origin' }],
    ['an origin with a query', { origin: 'https://shop.example/?a' }, 'invalid_config', { field: 'origin' }],
    ['no lease', { leaseSeconds: 0 }, 'invalid_config', { field: 'leaseSeconds' }],
  ])('%s', (_, change, code, context) => {
    expect(thrownBy(() => paywall({ ...good, ...change }))).toMatchObject({ code, context })
  })

  const routes: readonly (readonly [string, RouteInput, string, object, Partial<PaywallOptions>?])[] = [
    ['a price that is none', 'cheap', 'invalid_price', { route: '#1' }],
    ['a price for nothing', '$0.000', 'invalid_price', { route: '#1' }],
    ['a price below one atomic unit', '$0.0000001', 'price_too_small', { route: '#1', decimals: 6 }],
    ['a price beyond all money', `$${'9'.repeat(80)}`, 'price_too_large', { route: '#1' }],
    ['no price', { name: 'weather' }, 'invalid_config', { route: 'weather', field: 'price' }],
    ['an offer without a price', { offers: [{ price: '$1' }, {}] }, 'invalid_config', { field: 'price' }],
    [
      'a stream that is metered',
      { price: '$1', mode: 'upfront' },
      'invalid_config',
      { field: 'mode' },
      { schemes: [{ ...testScheme, metered: true }] },
    ],
    ['a mode that is none', { price: '$1', mode: 'later' as 'strict' }, 'invalid_config', { field: 'mode' }],
    ['a stream that is held back', { price: '$1', streams: true }, 'invalid_config', { field: 'mode' }],
    ['optimism without a limit', { price: '$1', mode: 'optimistic' }, 'invalid_config', { field: 'lossBudget' }],
    ['a limit without optimism', { price: '$1', lossBudget: '$1' }, 'invalid_config', { field: 'lossBudget' }],
    ['an unknown ticker', '1 DOGE', 'unknown_asset', { ticker: 'DOGE', network: 'eip155:84532' }],
    ['an account that is none', '$1', 'invalid_pay_to', { payTo: 'me' }, { payTo: { base: 'me' } }],
    [
      'an account that is none, behind a price function',
      () => '$1',
      'invalid_pay_to',
      { payTo: 'me' },
      { payTo: { base: 'me' } },
    ],
    [
      'a network that no scheme serves',
      '$1',
      'missing_scheme',
      { network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' },
      { payTo: { solana: payTo } },
    ],
    ['a scheme that is not there', { price: '$1', offers: [{ scheme: 'upto' }] }, 'missing_scheme', { scheme: 'upto' }],
    [
      'an offer on an unknown network',
      { price: '$1', offers: [{ network: 'mars' }] },
      'invalid_network',
      { network: 'mars' },
    ],
    [
      'an offer without an account',
      { price: '$1', offers: [{ network: 'base' }] },
      'invalid_config',
      { field: 'payTo' },
    ],
    ['a bundle whose price the handler says', { asks: true, bundle: 2 }, 'invalid_config', { field: 'scope' }],
    [
      'a bundle whose price hangs on the request',
      { price: '$1', bundle: 2, times: [{ 2: () => true }] },
      'invalid_config',
      { field: 'scope' },
      { pricing },
    ],
    ['no time to pay', { price: '$1', maxTimeoutSeconds: 0 }, 'invalid_config', { field: 'maxTimeoutSeconds' }],
  ]

  test.each(routes.map(([what]) => what))('a route with %s', (what) => {
    for (const [, input, code, context, change = {}] of routes.filter(([name]) => name === what)) {
      const paid = paywall({ ...good, ...change })
      expect(thrownBy(() => paid(input, handler))).toMatchObject({ code, context })
    }
  })

  test('two routes of one name', () => {
    const paid = paywall(good)
    paid({ name: 'weather', price: '$1' }, handler)
    expect(thrownBy(() => paid({ name: 'weather', price: '$2' }, handler))).toEqual({
      code: 'duplicate_route',
      context: { route: 'weather' },
    })
  })

  test('the message says it in one line, and where', () => {
    const paid = paywall(good)
    expect(() => paid({ name: 'GET /weather', price: '$0.0000001' }, handler)).toThrowErrorMatchingInlineSnapshot(`
      [X402Error: The price is below one atomic unit of the asset.
        route: GET /weather
        price: 0.0000001
        decimals: 6
        Raise the price or choose an asset with more decimals. (price_too_small)]
    `)
  })
})

test('a challenge is encoded once for a resource, and again for other terms', async () => {
  let asked = 0
  const scheme = {
    ...testScheme,
    offer: (...terms: Parameters<typeof testScheme.offer>) => {
      asked += 1
      return testScheme.offer(...terms)
    },
  }
  const paid = paywall({ ...good, schemes: [scheme] })
  const sell = paid('$0.001', handler)
  const challenge = async (url: string): Promise<string | null> =>
    (await sell(new Request(url))).headers.get('PAYMENT-REQUIRED')
  const first = await challenge('http://shop.example/a')
  expect(await challenge('http://shop.example/a?b')).toBe(first)
  expect(await challenge('http://shop.example/b')).not.toBe(first)
  for (let i = 0; i < 1_000; i++) await challenge(`http://shop.example/${i}`)
  expect(await challenge('http://shop.example/a')).toBe(first)
  expect(asked).toBe(1)
})

test('a request without a payment is answered synchronously', () => {
  expect(paywall(good)('$0.001', handler)(new Request('http://shop.example/a'))).toBeInstanceOf(Response)
})
