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

type Serve = (limit: number, offset: number) => unknown

async function verdictsOn(serve: Serve | undefined): Promise<Readonly<Record<string, string>>> {
  const { url, close } = await listen(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    const [limit, offset] = [Number(searchParams.get('limit') ?? 20), Number(searchParams.get('offset') ?? 0)]
    if (pathname === '/supported') return reply(response, { json: { kinds: [] } })
    const found = pathname === '/discovery/resources' ? serve?.(limit, offset) : undefined
    return reply(response, found === undefined ? { status: 404, json: {} } : { json: found })
  })
  try {
    const only = ['FAC-120', 'FAC-121', 'FAC-122']
    const { record } = await conform({ target: { name: 'catalogue', roles: { facilitator: { url } } }, only })
    return Object.fromEntries(record.results.map(({ requirement, status }) => [requirement, status]))
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
    (limit, offset) => ({ ...(right(limit, offset) as object), ...change })
  expect((await verdictsOn(with_({ pagination: { limit: 20 } })))['FAC-120']).toBe('fail')
  expect((await verdictsOn(with_({ items: { 0: item(0) } })))['FAC-120']).toBe('fail')
  expect((await verdictsOn(with_({ items: [{ ...item(0), accepts: '$0.01' }] })))['FAC-121']).toBe('fail')
  expect((await verdictsOn(with_({ items: all })))['FAC-122']).toBe('fail')
})
