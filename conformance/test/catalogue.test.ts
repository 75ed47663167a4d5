import { expect, test } from 'vitest'
import { listen, reply } from '../src/http/listen.js'
import { conform } from '../src/index.js'

const item = (at: number) => ({
  resource: `https://api.example/${at}`,
  type: 'http',
  x402Version: 2,
  accepts: [],
  lastUpdated: '2026-04-21T10:00:00.000Z',
})

type Serve = (limit: number, offset: number, asked: URLSearchParams) => unknown

const FILTERS = ['limit', 'offset', 'type', 'network', 'scheme', 'payTo']

type More = {
  readonly only?: readonly string[]
  readonly strict?: boolean
  readonly search?: (query: string) => unknown
}

async function verdictsOn(serve: Serve | undefined, more: More = {}): Promise<Readonly<Record<string, string>>> {
  const { only = ['FAC-120', 'FAC-121', 'FAC-122'], strict = false, search } = more
  const { url, close } = await listen(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    const [limit, offset] = [Number(searchParams.get('limit') ?? 20), Number(searchParams.get('offset') ?? 0)]
    if (pathname === '/supported') return reply(response, { json: { kinds: [] } })
    if (pathname === '/discovery/search' && search !== undefined) {
      return reply(response, { json: { resources: search(searchParams.get('query') ?? '') } })
    }
    const known = [...searchParams.keys()].every((name) => FILTERS.includes(name))
    if (strict && Number.isNaN(limit)) return reply(response, { status: 400, json: {} })
    const found = pathname === '/discovery/resources' ? serve?.(limit, offset, searchParams) : undefined
    if (found && strict && !known) Object.assign(found, { unappliedFilters: ['colourOfTheDoor'] })
    return reply(response, found === undefined ? { status: 404, json: {} } : { json: found })
  })
  try {
    const { record } = await conform({ target: { name: 'catalogue', roles: { facilitator: { url } } }, only })
    return Object.fromEntries(
      record.results.map(({ check: id, requirement, status }) => [more.only === undefined ? requirement : id, status]),
    )
  } finally {
    await close()
  }
}

const all = [0, 1, 2].map(item)
const right: Serve = (limit, offset) => ({
  x402Version: 2,
  items: all.slice(offset, offset + limit),
  pagination: { limit, offset, total: all.length },
})

test('FAC-120 FAC-121 FAC-122 a catalogue is read page by page, and one that is not there does not apply', async () => {
  expect(await verdictsOn(right)).toEqual({ 'FAC-120': 'pass', 'FAC-121': 'pass', 'FAC-122': 'pass' })
  const absent = { 'FAC-120': 'not-applicable', 'FAC-121': 'not-applicable', 'FAC-122': 'not-applicable' }
  expect(await verdictsOn(undefined)).toEqual(absent)
})

test('FAC-120 FAC-121 FAC-122 what is wrong with a catalogue is a finding', async () => {
  const with_ =
    (change: object): Serve =>
    (limit, offset) => ({ ...(right(limit, offset, new URLSearchParams()) as object), ...change })
  expect((await verdictsOn(with_({ pagination: { limit: 20 } })))['FAC-120']).toBe('fail')
  expect((await verdictsOn(with_({ items: { 0: item(0) } })))['FAC-120']).toBe('fail')
  expect((await verdictsOn(with_({ items: [{ ...item(0), accepts: '$0.01' }] })))['FAC-121']).toBe('fail')
  expect((await verdictsOn(with_({ items: all })))['FAC-122']).toBe('fail')
})

test('BAZAAR-021 BAZAAR-022 BAZAAR-023 BAZAAR-024 filters, pages, strange filters and words are looked at, and what is wrong is a finding', async () => {
  const offer = { scheme: 'exact', network: 'eip155:84532', payTo: '0xAB' }
  const stock = Array.from({ length: 7 }, (_, at) => ({
    ...item(at),
    type: at % 2 ? 'mcp' : 'http',
    accepts: [{ ...offer, ...(at === 3 ? { network: 'eip155:8453' } : {}) }],
  }))
  const only = ['BAZAAR-021', 'BAZAAR-022', 'BAZAAR-023', 'BAZAAR-024']
  const filtering: Serve = (limit, offset, asked) => {
    const fits = (one: (typeof stock)[number]) =>
      (asked.get('type') ?? one.type) === one.type &&
      one.accepts.some((each) =>
        (['network', 'scheme', 'payTo'] as const).every((name) => (asked.get(name) ?? each[name]) === each[name]),
      )
    const found = stock.filter(fits)
    const pagination = { limit, offset, total: found.length }
    return { x402Version: 2, items: found.slice(offset, offset + limit), pagination }
  }
  const verdict = (serve: Serve, more: Omit<More, 'only'> = {}) =>
    verdictsOn(serve, { only, strict: true, search: () => [], ...more })
  const ids = [
    'BAZAAR-021/filters',
    'BAZAAR-022/pages',
    'BAZAAR-023/unknown',
    'BAZAAR-023/malformed',
    'BAZAAR-024/words',
  ]
  expect(await verdict(filtering)).toEqual(Object.fromEntries(ids.map((id) => [id, 'pass'])))
  const ignoring: Serve = (limit, offset) => filtering(limit, offset, new URLSearchParams())
  expect((await verdict(ignoring))['BAZAAR-021/filters']).toBe('fail')
  const repeating: Serve = (limit, offset, asked) => filtering(limit, Math.max(0, offset - 1), asked)
  expect((await verdict(repeating))['BAZAAR-022/pages']).toBe('fail')
  const lax = await verdict(filtering, { strict: false })
  expect([lax['BAZAAR-023/unknown'], lax['BAZAAR-023/malformed']]).toEqual(['fail', 'fail'])
  const any = await verdict(filtering, { search: (query) => (query.includes(' ') ? stock : []) })
  expect(any['BAZAAR-024/words']).toBe('fail')
})
