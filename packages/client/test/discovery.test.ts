import { expect, test } from 'vitest'
import { findServices } from '../src/buyer/index.js'
import { offer, startSeller, USDC } from './support/seller.js'

const wire = (amount: string) => ({
  scheme: 'exact',
  network: 'eip155:84532',
  amount,
  asset: USDC,
  payTo: offer().payTo,
  maxTimeoutSeconds: 60,
  extra: {},
})
const documents: Record<string, unknown> = {
  '/discovery/resources?limit=100': {
    x402Version: 2,
    items: [
      {
        resource: 'https://a.example/weather',
        type: 'http',
        accepts: [wire('5000')],
        metadata: { description: 'Weather, dear' },
      },
      { resource: 'https://b.example/weather', type: 'http', accepts: [wire('1000'), { scheme: 'nonsense' }] },
      { resource: 'https://c.example/news', type: 'http', accepts: [wire('1')] },
      { resource: 'javascript:alert(1)', accepts: [] },
      { resource: 7 },
      null,
    ],
  },
  '/.well-known/x402': { version: 1, resources: ['/weather/here', { url: '/weather/there', accepts: [wire('2000')] }] },
  '/.well-known/agent-card.json': {
    name: 'Weather agent',
    url: 'https://agent.example/a2a',
    capabilities: { extensions: [{ uri: 'https://github.com/google-a2a/a2a-x402/v0.1' }] },
  },
  '/openapi.json': {
    servers: [{ url: 'https://api.example/v1' }],
    paths: {
      '/weather': { get: { summary: 'By city', 'x-payment-info': { price: '$0.003' } }, post: { summary: 'free' } },
      '/weather/map': { get: { 'x-x402': 0.02 } },
    },
  },
}

test('F7 services are found wherever they are listed, the cheapest first, and those without a price last', async () => {
  const { origin } = await startSeller(({ path }) =>
    documents[path] === undefined ? { status: 404 } : { body: JSON.stringify(documents[path]) },
  )
  const { services, silent } = await findServices({
    query: 'weather',
    max: '$0.01',
    catalogues: [origin],
    sites: [origin, `${origin}/nowhere/`],
  })
  expect(services.map(({ url, source }) => [url.replace(origin, ''), source])).toEqual([
    ['https://b.example/weather', 'bazaar'],
    ['/weather/there', 'well-known'],
    ['https://api.example/v1/weather', 'openapi'],
    ['https://a.example/weather', 'bazaar'],
    ['/weather/here', 'well-known'],
    ['https://agent.example/a2a', 'agent-card'],
  ])
  expect(silent).toEqual(
    ['.well-known/x402', '.well-known/agent-card.json', 'openapi.json'].map((path) => `${origin}/nowhere/${path}`),
  )
})

test.each<[string, string | Buffer]>([
  ['an endless list', JSON.stringify({ items: 'x'.repeat(5_000_000) })],
  ['no JSON', '<html>'],
  ['another shape', '[]'],
  ['null', 'null'],
  ['deep nesting', `{"items":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
])('a hostile catalogue finds nothing: %s', async (_, body) => {
  const { origin } = await startSeller(() => ({ body }))
  expect((await findServices({ catalogues: [origin], sites: [origin] })).services).toEqual([])
})

test('F7 a catalogue that can search is asked for the words, and one that pages is read to its end', async () => {
  const seen: string[] = []
  const item = (name: string) => ({ resource: `https://${name}.example/`, accepts: [wire('1000')] })
  const { origin } = await startSeller(({ path }) => {
    seen.push(path)
    if (path.startsWith('/search/discovery/search'))
      return { body: JSON.stringify({ resources: [item('by-its-tags')] }) }
    if (path === '/pages/discovery/resources?limit=100') {
      return { body: JSON.stringify({ items: [item('a'), item('b')], pagination: { total: 3 } }) }
    }
    if (path.endsWith('&offset=2')) return { body: JSON.stringify({ items: [item('c')], pagination: { total: 3 } }) }
    return { status: 404 }
  })
  const searched = await findServices({ query: 'Weather', catalogues: [`${origin}/search`] })
  expect(searched.services.map(({ url }) => url)).toEqual(['https://by-its-tags.example/'])
  expect(seen).toEqual(['/search/discovery/search?query=weather&limit=100'])
  const paged = await findServices({ catalogues: [`${origin}/pages`] })
  expect(paged.services.map(({ url }) => url)).toEqual(['a', 'b', 'c'].map((name) => `https://${name}.example/`))
})

test('a catalogue that redirects is not followed', async () => {
  const elsewhere = await startSeller(() => ({ body: '{"items":[]}' }))
  const { origin } = await startSeller(() => ({ status: 302, headers: { location: elsewhere.url } }))
  expect((await findServices({ catalogues: [origin] })).silent.length).toBe(1)
  expect(elsewhere.seen).toEqual([])
})

test('a site that cannot be read hides nothing of the others', async () => {
  const bad = [
    { servers: [{ url: 'http://[' }], paths: {} },
    { paths: { 'http://[': { get: { 'x-x402': '1' } } } },
    [],
    7,
  ]
  const { origin } = await startSeller(({ path }) => {
    const [, index = '', name = ''] = /^\/bad(\d)(\/.*)$/.exec(path) ?? []
    const document = index === '' ? documents[path] : name === '/openapi.json' ? bad[Number(index)] : {}
    return document === undefined ? { status: 404 } : { body: JSON.stringify(document) }
  })
  const { services, silent } = await findServices({
    sites: [...bad.keys()].map((n) => `${origin}/bad${n}`).concat(origin),
  })
  expect(services.map(({ url }) => url)).toContain(`${origin}/weather/there`)
  expect(silent).toContain(`${origin}/bad0/openapi.json`)
})
