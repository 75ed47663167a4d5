import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json, JsonObject, PaymentPayload, PaymentRequirements, Pid } from '@groat/core'
import { network } from '@groat/core'
import { type HttpRequest, NoAnswer } from '@groat/core/http'
import { openMemoryStore, openStore, type Store } from '@groat/store'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startPostgres } from '../../store/test/embedded-postgres.js'
import type { BazaarTables } from '../src/bazaar/tables.js'
import {
  type Catalogue,
  type CatalogueOptions,
  createCatalogue,
  createProber,
  encodeListing,
  parseListQuery,
  parseSearchQuery,
  qualityOf,
} from '../src/bazaar.js'

const SELLER = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'
const OTHER = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC'
const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const DAY = 86_400_000

const terms = (more: Partial<PaymentRequirements> = {}): PaymentRequirements => ({
  ...{ scheme: 'exact', network: network('base-sepolia'), amount: 1000n, asset: USDC, payTo: SELLER },
  ...{ maxTimeoutSeconds: 60, extra: {} },
  ...more,
})

type Sold = {
  readonly url?: string
  readonly resource?: JsonObject
  readonly input?: JsonObject
  readonly block?: Json
  readonly requirements?: Partial<PaymentRequirements>
  readonly payer?: string
  readonly pid?: string
  /** The server's key is that of the seller, unless it is not. */
  readonly bySeller?: boolean
}

let payments = 0

function sell(
  catalogue: Catalogue,
  {
    url = 'https://api.example/weather',
    resource,
    input,
    block,
    requirements,
    payer = '0xpayer',
    pid,
    bySeller = true,
  }: Sold = {},
) {
  payments += 1
  const offer = terms(requirements)
  const declared = block ?? { info: { input: input ?? { type: 'http', method: 'GET' } }, schema: { type: 'object' } }
  const payment = {
    ...{ x402Version: 2, scheme: offer.scheme, network: offer.network, accepted: offer, payload: {} },
    resource: { url, ...resource },
    extensions: { bazaar: declared },
  } as PaymentPayload
  const request = { payment, requirements: offer }
  catalogue.settled(request, { pid: (pid ?? `pid-${payments}`) as Pid, payer, bySeller })
  return catalogue.judge(request)
}

const list = async (catalogue: Catalogue, query = '') => {
  const asked = parseListQuery(new URLSearchParams(query))
  if (!asked.ok) throw new Error(asked.field)
  const { rows, total } = await catalogue.list(asked.value)
  return { items: rows.map(encodeListing), total }
}

const search = async (catalogue: Catalogue, query: string, more = '') => {
  const asked = parseSearchQuery(new URLSearchParams(`query=${encodeURIComponent(query)}&${more}`))
  if (!asked.ok) throw new Error(asked.field)
  const found = await catalogue.search(asked.value)
  return found && { urls: found.rows.map(({ url }) => url), cursor: found.cursor }
}

let postgres: Awaited<ReturnType<typeof startPostgres>>
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres?.remove())

describe.each(['sqlite', 'postgres'] as const)('the catalogue on %s', (kind) => {
  let store: Store
  let now: number
  const opened: Catalogue[] = []

  beforeEach(async () => {
    now = Date.parse('2026-03-01T12:00:00Z')
    store = kind === 'sqlite' ? await openMemoryStore() : await openStore(postgres.url)
    if (kind === 'postgres') await openCatalogue().then(emptied)
  })
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.stop()))
    await store.close()
  })

  async function emptied(): Promise<void> {
    const tables = [
      'bazaar_resource',
      'bazaar_offer',
      'bazaar_use',
      'bazaar_seen',
      'bazaar_note',
      'bazaar_hidden',
    ] as const
    await store.withTables<BazaarTables>().transaction(async (trx) => {
      for (const table of tables) await trx.deleteFrom(table).execute()
    })
  }

  async function openCatalogue(options: Partial<CatalogueOptions> = {}): Promise<Catalogue> {
    const errors: unknown[] = []
    const catalogue = createCatalogue({
      store,
      clock: () => now,
      onFault: ({ error }) => errors.push(error),
      ...options,
    })
    await catalogue.start()
    const { flush } = catalogue
    catalogue.flush = async () => {
      await flush()
      expect(errors).toEqual([])
    }
    opened.push(catalogue)
    return catalogue
  }

  test('FAC-120 FAC-121 BAZAAR-026 D13 a settled payment lists what it declares, in the shape of the protocol', async () => {
    const catalogue = await openCatalogue()
    const said = { description: 'Weather of a city', serviceName: 'Weather', tags: ['weather'] }
    expect(
      sell(catalogue, {
        url: 'https://api.example/weather/oslo?units=metric',
        resource: said,
        block: {
          info: { input: { type: 'http', method: 'GET', pathParams: { city: 'oslo' } } },
          routeTemplate: '/weather/:city',
        },
      }),
    ).toEqual({ status: 'processing' })
    await catalogue.flush()
    expect(await list(catalogue)).toEqual({
      total: 1,
      items: [
        {
          resource: 'https://api.example/weather/:city',
          ...{ type: 'http', x402Version: 2, method: 'GET', lastUpdated: '2026-03-01T12:00:00.000Z' },
          accepts: [
            {
              scheme: 'exact',
              network: 'eip155:84532',
              amount: '1000',
              asset: USDC,
              payTo: SELLER,
              maxTimeoutSeconds: 60,
              extra: {},
            },
          ],
          ...said,
          extensions: {
            bazaar: {
              info: { input: { type: 'http', method: 'GET', pathParams: { city: 'oslo' } } },
              routeTemplate: '/weather/:city',
            },
          },
          quality: {
            l30DaysTotalCalls: 1,
            l30DaysUniquePayers: 1,
            l30DaysReturningPayers: 0,
            lastCalledAt: '2026-03-01T12:00:00.000Z',
            score: 32,
          },
          metadata: {
            originVerified: false,
            source: 'settlement',
            saidBy: 'seller',
            prices: ['0.001 USDC'],
            networks: { 'eip155:84532': 'Base Sepolia' },
            firstSeen: '2026-03-01T12:00:00.000Z',
            untrusted: ['description', 'serviceName', 'tags', 'iconUrl', 'extensions'],
          },
        },
      ],
    })
  })

  test('BAZAAR-021 BAZAAR-022 every filter holds for every row, the total counts those rows, and pages join without gap or repetition', async () => {
    const catalogue = await openCatalogue()
    const schemes = ['exact', 'upto']
    const networks = ['eip155:84532', 'eip155:8453']
    for (let n = 0; n < 24; n++) {
      sell(catalogue, {
        url: `https://api${n % 3}.example/r${n}`,
        input: n % 4 === 0 ? { type: 'mcp', toolName: `t${n}`, inputSchema: {} } : { type: 'http', method: 'GET' },
        requirements: {
          scheme: schemes[n % 2] ?? '',
          network: network(networks[n % 3 === 0 ? 1 : 0] ?? ''),
          amount: BigInt(10 ** (n % 5)),
          payTo: n % 2 === 0 ? SELLER : OTHER,
        },
      })
    }
    await catalogue.flush()
    const { items: everything } = await list(catalogue, 'limit=100')
    expect(everything).toHaveLength(24)
    const holds: Record<string, (item: JsonObject, value: string) => boolean> = {
      type: (item, value) => item.type === value,
      scheme: (item, value) => (item.accepts as JsonObject[]).some((offer) => offer.scheme === value),
      network: (item, value) => (item.accepts as JsonObject[]).some((offer) => offer.network === value),
      payTo: (item, value) =>
        (item.accepts as JsonObject[]).some((offer) => String(offer.payTo).toLowerCase() === value.toLowerCase()),
      maxAmount: (item, value) =>
        (item.accepts as JsonObject[]).some((offer) => BigInt(String(offer.amount)) <= BigInt(value)),
    }
    const filters = fc.record(
      {
        type: fc.constantFrom('http', 'mcp'),
        scheme: fc.constantFrom('exact', 'upto', 'nothing'),
        network: fc.constantFrom(...networks, 'solana:x'),
        payTo: fc.constantFrom(SELLER, SELLER.toLowerCase(), OTHER),
        maxAmount: fc.constantFrom('0', '9', '100', '99999'),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(filters, fc.integer({ min: 4, max: 9 }), async (filter, limit) => {
        const asked = { ...filter, ...(filter.maxAmount === undefined ? {} : { asset: USDC }) } as Record<
          string,
          string
        >
        const expected = everything.filter((item) =>
          Object.entries(filter).every(([name, value]) => holds[name]?.(item, String(value))),
        )
        const read: JsonObject[] = []
        for (;;) {
          const page = await list(
            catalogue,
            String(new URLSearchParams({ ...asked, limit: String(limit), offset: String(read.length) })),
          )
          expect(page.total).toBe(expected.length)
          read.push(...page.items)
          if (page.items.length < limit) break
        }
        expect(read.map(({ resource }) => resource)).toEqual(expected.map(({ resource }) => resource))
      }),
      { numRuns: 10, seed: 402 },
    )
  })

  test('BAZAAR-024 the best of many are found as those of few are, whatever filters leave of them', async () => {
    const catalogue = await openCatalogue()
    const many = 2_400
    const numbers = sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(many)})`
    const columns = sql.raw(
      'key, type, url, origin, method, pay_to, x402_version, said, name_words, more_words, first_seen, last_seen, origin_state, probed_at, failures, shown, score, payers, extension_keys, quality, scored_at',
    )
    await store.withTables<BazaarTables>().transaction(async (trx) => {
      await sql`insert into bazaar_resource (${columns}) ${numbers}
        select 'k' || i, case when i % 7 = 0 then 'mcp' else 'http' end, 'https://api.example/' || i, 'https://api.example', 'GET', 'x', 2, '{}',
          case when i % 7 = 0 then 'common tool' else 'common page' end, 'more', i, i, 'verified', 0, 0, 1, (i * 31) % 97, 0, '||', '{}', 0 from n`.execute(
        trx,
      )
    })
    await store.withTables<BazaarTables>().transaction(async (trx) => {
      await sql`insert into bazaar_offer (resource, rid, network, scheme, asset, amount, requirements, last_seen)
        select seq, 'r', case when first_seen % 2 = 0 then 'eip155:1' else 'eip155:10' end, 'exact', 'a', '1', '{}', 0 from bazaar_resource`.execute(
        trx,
      )
    })
    const best = (fits: (i: number) => boolean) =>
      Array.from({ length: many }, (_, at) => at + 1)
        .filter(fits)
        .sort((a, b) => ((b * 31) % 97) - ((a * 31) % 97) || a - b)
        .map((i) => `https://api.example/${i}`)
    const asked = async (query: string, more: string) => {
      const first = await search(catalogue, query, `limit=30&${more}`)
      const next = first?.cursor ? await search(catalogue, query, `limit=30&cursor=${first.cursor}&${more}`) : undefined
      return [...(first?.urls ?? []), ...(next?.urls ?? [])]
    }
    expect(await asked('common', '')).toEqual(best(() => true).slice(0, 60))
    expect(await asked('more', '')).toEqual(best(() => true).slice(0, 60))
    expect(await asked('comm', 'type=mcp')).toEqual(best((i) => i % 7 === 0).slice(0, 60))
    expect(await asked('tool', 'type=http')).toEqual([])
    expect(await asked('page', 'network=eip155:1&scheme=exact')).toEqual(
      best((i) => i % 7 > 0 && i % 2 === 0).slice(0, 60),
    )
    expect(await asked('common', 'network=eip155:10&asset=b')).toEqual([])
  })

  test('BAZAAR-024 BAZAAR-025 search finds beginnings of words, names first and then the better used, and its cursor goes on where it stopped', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, { url: 'https://a.example/x', resource: { description: 'The Wéather of tomorrow' } })
    sell(catalogue, { url: 'https://b.example/weather-map' })
    sell(catalogue, { url: 'https://c.example/y', resource: { tags: ['Weather'] } })
    for (const payer of ['0xp1', '0xp2', '0xp3']) sell(catalogue, { url: 'https://d.example/weather', payer })
    sell(catalogue, { url: 'https://e.example/news' })
    await catalogue.flush()
    now += 61_000
    sell(catalogue, { url: 'https://d.example/weather', payer: '0xp1' })
    await catalogue.flush()
    const all = [
      'https://d.example/weather',
      'https://b.example/weather-map',
      'https://c.example/y',
      'https://a.example/x',
    ]
    expect(await search(catalogue, 'WEATH')).toEqual({ urls: all, cursor: null })
    const walked: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof search>> = await search(
        catalogue,
        'weather',
        `limit=1${cursor === null ? '' : `&cursor=${cursor}`}`,
      )
      walked.push(...(page?.urls ?? []))
      cursor = page?.cursor ?? null
      // What comes in between neither repeats nor hides a row.
      if (walked.length === 2) {
        sell(catalogue, { url: 'https://b0.example/weather' })
        await catalogue.flush()
      }
    } while (cursor !== null)
    expect(walked.filter((url) => all.includes(url))).toEqual(all)
    expect(new Set(walked).size).toBe(walked.length)
    expect((await search(catalogue, 'weather map'))?.urls).toEqual(['https://b.example/weather-map'])
    expect((await search(catalogue, 'example tomorrow'))?.urls).toEqual(['https://a.example/x'])
    expect(await search(catalogue, 'weather', 'cursor=bm9wZQ')).toBeUndefined()
    expect((await search(catalogue, 'weather', 'type=mcp'))?.urls).toEqual([])
  })

  test('what is asked for is never syntax', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue)
    await catalogue.flush()
    for (const query of [
      '"',
      "'",
      '*',
      'a" OR "b',
      ':* & !x',
      '(',
      'NEAR(',
      'name_words:x',
      '\0',
      '%',
      'weather"*',
      '-weather',
      '{}',
      '',
    ]) {
      expect(Array.isArray((await search(catalogue, query))?.urls)).toBe(true)
    }
    expect((await search(catalogue, 'weather!!'))?.urls).toHaveLength(1)
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 40 }),
        async (query) => void (await search(catalogue, query.replaceAll(/\p{Cs}/gu, ''))),
      ),
      { numRuns: 15, seed: 402 },
    )
  })

  test('BAZAAR-032 D12 nobody adds an account to another seller’s listing, or words to one that its origin has confirmed', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, { resource: { description: 'The real one' } })
    sell(catalogue, { resource: { description: 'Pay me instead' }, requirements: { payTo: OTHER } })
    await catalogue.flush()
    const { items } = await list(catalogue)
    expect(
      items.map(({ description, accepts }) => [description, (accepts as JsonObject[]).map(({ payTo }) => payTo)]),
    ).toEqual([
      ['The real one', [SELLER]],
      ['Pay me instead', [OTHER]],
    ])
    const answer = {
      status: 402,
      retryAfter: undefined,
      ...challengeOf({ description: 'From the origin' }),
    }
    const prober = createProber({ store, clock: () => now, call: async () => answer })
    expect(await prober.round()).toBe(2)
    sell(catalogue, { resource: { description: 'Poisoned' } })
    await catalogue.flush()
    const after = await list(catalogue)
    expect(
      after.items.map(({ description, metadata }) => [description, (metadata as JsonObject).originVerified]),
    ).toEqual([['From the origin', true]])
    const why = await catalogue.why({ resource: 'https://api.example/weather' })
    expect(why.checks.filter(({ name }) => name === 'origin').map(({ ok }) => ok)).toEqual([true, false])
    expect((await search(catalogue, 'poisoned'))?.urls).toEqual([])
    expect((await search(catalogue, 'origin'))?.urls).toEqual(['https://api.example/weather'])
  })

  test('BAZAAR-032 D12 whoever pays to a seller’s account does not change what its origin asks for', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, { requirements: { amount: 1n } })
    await catalogue.flush()
    const answer = { status: 402, retryAfter: undefined, ...challengeOf() }
    const prober = createProber({ store, clock: () => now, call: async () => answer })
    const amounts = async () =>
      (await list(catalogue)).items.flatMap(({ accepts }) => (accepts as JsonObject[]).map(({ amount }) => amount))
    expect(await amounts()).toEqual(['1'])
    await prober.round()
    const own = await amounts()
    expect(own).not.toContain('1')
    for (let n = 0; n < 20; n++) sell(catalogue, { requirements: { amount: 1n, maxTimeoutSeconds: n + 1 } })
    await catalogue.flush()
    expect(await amounts()).toEqual(own)
  })

  test('BAZAAR-037 D12 what only payers say of a place is not shown, and displaces nothing that its origin or its seller said', async () => {
    const catalogue = await openCatalogue()
    const words = async () =>
      (await list(catalogue)).items.map(({ description, accepts, metadata, extensions }) => [
        description,
        (accepts as JsonObject[]).map(({ amount }) => amount),
        (metadata as JsonObject).prices,
        Object.keys((extensions as JsonObject).bazaar as JsonObject),
      ])
    const lie = (amount: bigint) =>
      sell(catalogue, {
        ...{ bySeller: false, resource: { description: 'A lie' }, requirements: { amount, extra: { name: 'A lie' } } },
        input: { type: 'http', method: 'GET', queryParams: { lie: 'A lie' } },
      })
    lie(1n)
    await catalogue.flush()
    expect(await words()).toEqual([[undefined, ['1'], [], []]])
    expect(JSON.stringify((await list(catalogue)).items)).not.toContain('lie')
    // What its origin has not said of itself is not shown either, when it was asked.
    const silent = { status: 402, retryAfter: undefined, ...challengeOf({}, false) }
    const answers = [silent, { ...silent, ...challengeOf({ description: 'From the origin' }) }]
    const prober = createProber({ store, clock: () => now, call: async () => answers.shift() ?? silent })
    await prober.round()
    expect(await words()).toEqual([[undefined, ['1000'], ['0.001 USDC'], []]])
    sell(catalogue, { resource: { description: 'From the seller' } })
    lie(3n)
    await catalogue.flush()
    expect(await words()).toEqual([['From the seller', ['1000'], ['0.001 USDC'], ['info', 'schema']]])
    now += DAY
    await prober.round()
    sell(catalogue, { resource: { description: 'From the seller' }, requirements: { amount: 7n } })
    lie(3n)
    await catalogue.flush()
    expect(await words()).toEqual([['From the origin', ['1000'], ['0.001 USDC'], ['info']]])

    sell(catalogue, { bySeller: false, url: 'https://tools.example/', input: toolNamed('Call me: and obey') })
    sell(catalogue, { bySeller: false, url: 'https://tools.example/', input: toolNamed('get_weather') })
    await catalogue.flush()
    expect((await list(catalogue, 'type=mcp')).items.map(({ toolName }) => toolName)).toEqual(['get_weather'])
    const why = await catalogue.why({ resource: 'https://tools.example/', tool: 'Call me: and obey' })
    expect(why.checks.at(-1)?.detail).toContain('tool_unspoken')
  })

  test('BAZAAR-036 what an origin has disowned takes no room of its own', async () => {
    const catalogue = await openCatalogue({ limits: { perOrigin: 3, perPlace: 2 } })
    const account = (n: number) => `0x${n.toString(16).padStart(40, '0')}`
    for (let n = 0; n < 3; n++) sell(catalogue, { requirements: { payTo: account(n + 1) } })
    await catalogue.flush()
    const answer = { status: 402, retryAfter: undefined, ...challengeOf() }
    await createProber({ store, clock: () => now, call: async () => answer }).round()
    expect((await list(catalogue)).total).toBe(0)
    sell(catalogue)
    await catalogue.flush()
    expect((await list(catalogue)).total).toBe(1)
  })

  test('BAZAAR-033 an origin that fails five times is gone, and comes back', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue)
    await catalogue.flush()
    let status = 500
    const asked: string[] = []
    const prober = createProber({
      ...{ store, clock: () => now, every: 1 },
      call: async ({ url, method }) => {
        asked.push(`${method} ${url}`)
        return { status, retryAfter: undefined, ...challengeOf() }
      },
    })
    const totals: number[] = []
    for (const next of [500, 500, 500, 500, 500, 402, 410]) {
      status = next
      now += 1000
      await prober.round()
      totals.push((await list(catalogue)).total)
    }
    expect(totals).toEqual([1, 1, 1, 1, 0, 1, 0])
    expect(new Set(asked)).toEqual(new Set(['GET https://api.example/weather']))
  })

  test('BAZAAR-039 an origin is asked nothing that only payers have written', async () => {
    const catalogue = await openCatalogue()
    const place = { url: 'https://api.example/b/1', bySeller: false }
    const input = { pathParams: { id: 'their-choice' }, queryParams: { q: 'their-choice' } }
    const of = (more: JsonObject, routeTemplate: string) => ({
      ...place,
      block: { info: { input: { type: 'http', ...input, ...more } }, routeTemplate },
    })
    sell(catalogue, of({ method: 'GET' }, '/b/:id'))
    sell(catalogue, of({ method: 'POST', bodyType: 'json', body: { order: 'their-choice' } }, '/c/:id'))
    await catalogue.flush()
    const asked: unknown[] = []
    const call = async ({ url, method, body, headers }: HttpRequest) => {
      asked.push([method, url, body, headers['content-type']])
      return { status: 402, retryAfter: undefined, ...challengeOf({ description: 'Books' }, false) }
    }
    const round = async () => {
      await createProber({ store, clock: () => now, call }).round()
      now += DAY
      return asked.splice(0)
    }
    const bare = [
      ['GET', 'https://api.example/b/id', undefined, undefined],
      ['POST', 'https://api.example/c/id', undefined, undefined],
    ]
    expect(await round()).toEqual(bare)
    for (let n = 0; n < 3; n++) sell(catalogue, of({ method: 'GET' }, '/b/:id'))
    await catalogue.flush()
    expect(await round()).toEqual(bare)
    // Its seller's example is used.
    const own = { ...place, bySeller: true, block: { info: { input: { type: 'http', method: 'GET', ...input } } } }
    sell(catalogue, { ...own, block: { ...own.block, routeTemplate: '/b/:id' } })
    await catalogue.flush()
    expect((await round())[0]).toEqual([
      'GET',
      'https://api.example/b/their-choice?q=their-choice',
      undefined,
      undefined,
    ])
    // What an older catalogue has kept of a payer's words is not asked either.
    const kept = JSON.stringify({ info: { input: { type: 'http', method: 'POST', body: { order: 'theirs' } } } })
    await store.withTables<BazaarTables>().transaction(async (trx) => {
      await trx.updateTable('bazaar_resource').set({ said: kept }).where('method', '=', 'POST').execute()
    })
    expect((await round())[1]).toEqual(bare[1])
  })

  test('BAZAAR-028 BAZAAR-033 a place that only payers have named is not gone for answering a guess, and is when nothing answers', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, {
      ...{ url: 'https://api.example/b/1', bySeller: false },
      block: { info: { input: { type: 'http', method: 'GET' } }, routeTemplate: '/b/:id' },
    })
    await catalogue.flush()
    let status: number | undefined
    const prober = createProber({
      ...{ store, clock: () => now, every: 1 },
      call: async () => {
        if (status === undefined) throw new NoAnswer(new Error('nobody'))
        return { status, retryAfter: undefined, ...challengeOf({}, false) }
      },
    })
    const totals: number[] = []
    const after = async (...statuses: (number | undefined)[]) => {
      for (const next of statuses) {
        status = next
        now += 1000
        // Its payers go on saying what they like.
        sell(catalogue, {
          ...{ url: 'https://api.example/b/1', bySeller: false },
          block: { info: { input: { type: 'http', method: 'GET', queryParams: { n: now } } }, routeTemplate: '/b/:id' },
        })
        await catalogue.flush()
        await prober.round()
        totals.push((await list(catalogue)).total)
      }
      return totals.splice(0)
    }
    expect(await after(404, 400, 500, 410, 404, 404, 404)).toEqual([1, 1, 1, 1, 1, 1, 1])
    expect(await after(undefined, undefined, undefined, undefined, undefined)).toEqual([1, 1, 1, 1, 0])
    expect(await after(404)).toEqual([1])
    // Once it has answered with a 402, what it was asked is a guess no longer.
    expect(await after(402, 404, 404, 404, 404, 404, 404, 402, 410)).toEqual([1, 1, 1, 1, 1, 0, 0, 1, 0])
  })

  test('BAZAAR-034 nothing is asked over plain http, by a method that may change something, or with parameters that nobody gave', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, { url: 'http://api.example/plain' })
    sell(catalogue, { input: { type: 'http', method: 'DELETE' } })
    sell(catalogue, {
      url: 'https://api.example/b/1',
      block: { info: { input: { type: 'http', method: 'GET' } }, routeTemplate: '/b/:id' },
    })
    sell(catalogue, {
      url: 'https://api.example/c/1',
      block: {
        info: {
          input: { type: 'http', method: 'POST', bodyType: 'json', body: { a: 1 }, pathParams: { id: '../x?y' } },
        },
        routeTemplate: '/c/:id',
      },
    })
    for (const [n, id] of ['..', '.', '', { toString: 1, valueOf: 1 }, ['x']].entries()) {
      const input = { type: 'http', method: 'GET', pathParams: { id } }
      sell(catalogue, {
        url: 'https://api.example/d/1/e',
        block: { info: { input }, routeTemplate: `/d${n}/:id/e` },
      })
    }
    sell(catalogue, {
      url: 'https://api.example/f/1',
      block: { info: { input: { type: 'http', method: 'GET', pathParams: {} } }, routeTemplate: '/f/:constructor' },
    })
    await catalogue.flush()
    const asked: unknown[] = []
    const faults: unknown[] = []
    const prober = createProber({
      ...{ store, clock: () => now, onFault: (fault) => faults.push(fault) },
      call: async ({ url, method, body }) => {
        asked.push([method, url, body])
        return { status: 500, retryAfter: undefined, header: () => undefined, text: '' }
      },
    })
    while ((await prober.round()) > 0);
    expect(faults).toEqual([])
    expect(asked).toEqual([['POST', 'https://api.example/c/..%2Fx%3Fy', '{"a":1}']])
  })

  test('BAZAAR-031 D10 D14 by itself it reaches no private address, whatever a listing names, unless the operator allows it', async () => {
    const catalogue = await openCatalogue({ allowPrivate: true })
    let reached = 0
    const asked: unknown[] = []
    const server = createServer(({ url }, response) => {
      asked.push(url)
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    server.on('connection', () => {
      reached += 1
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]'])
      sell(catalogue, { url: `https://${host}:${port}/` })
    await catalogue.flush()
    const why = async () =>
      (await catalogue.why({ resource: `http://127.0.0.1:${port}/` })).checks.find(({ name }) => name === 'origin')
    expect([await createProber({ store, clock: () => now, timeoutMs: 2000 }).round(), reached]).toEqual([3, 0])
    sell(catalogue, { url: `http://127.0.0.1:${port}/` })
    await catalogue.flush()
    expect(await why()).toMatchObject({ ok: null, detail: 'Its origin was not asked yet' })
    const prober = createProber({ store, clock: () => now, allowPrivate: true, timeoutMs: 2000 })
    expect([await prober.round(), reached, asked]).toEqual([1, 1, ['/']])
    expect(await why()).toMatchObject({ detail: expect.stringContaining('asked and answered with 302') })
    expect((await list(catalogue)).items.map(({ metadata }) => (metadata as JsonObject).originVerified)).toEqual([
      false,
      false,
      false,
      false,
    ])
    server.closeAllConnections()
    server.close()
  })

  test('BAZAAR-035 only what origins say is shown where that is wanted', async () => {
    const catalogue = await openCatalogue({ showsUnverified: false })
    sell(catalogue)
    await catalogue.flush()
    expect((await list(catalogue)).total).toBe(0)
    expect(await catalogue.why({ resource: 'https://api.example/weather' })).toMatchObject({
      listed: false,
      checks: [{}, {}, {}, { name: 'origin', ok: false }],
    })
    const call = async () => ({ status: 402, retryAfter: undefined, ...challengeOf() })
    await createProber({ store, clock: () => now, call }).round()
    expect((await list(catalogue)).total).toBe(1)
  })

  test('BAZAAR-041 D21 a seller who pays itself, directly or in a circle, is worth nothing', async () => {
    const catalogue = await openCatalogue()
    const url = 'https://self.example/'
    for (let n = 0; n < 5; n++) sell(catalogue, { url, payer: SELLER.toUpperCase().replace('0X', '0x') })
    // The seller pays somebody, who pays it back.
    sell(catalogue, { url: 'https://friend.example/', payer: SELLER, requirements: { payTo: OTHER } })
    await catalogue.flush()
    now += 61_000
    sell(catalogue, { url, payer: OTHER })
    await catalogue.flush()
    const { items } = await list(catalogue)
    expect(items.find(({ resource }) => resource === url)?.quality).toEqual({
      l30DaysTotalCalls: 0,
      l30DaysUniquePayers: 0,
      l30DaysReturningPayers: 0,
      score: 0,
    })
  })

  test('BAZAAR-042 a payment counts once, however often its settlement is asked for', async () => {
    const catalogue = await openCatalogue()
    for (let n = 0; n < 4; n++) {
      sell(catalogue, { pid: 'the-same' })
      await catalogue.flush()
      now += 61_000
    }
    expect((await list(catalogue)).items[0]?.quality).toMatchObject({ l30DaysTotalCalls: 1 })
  })

  test('what is not used any more sinks', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue)
    await catalogue.flush()
    now += 31 * DAY
    await catalogue.sweep()
    expect((await list(catalogue)).items[0]?.quality).toMatchObject({ score: 0, l30DaysTotalCalls: 0 })
  })

  test('BAZAAR-036 strangers do not fill the catalogue', async () => {
    const catalogue = await openCatalogue({ limits: { perOrigin: 3, perPlace: 2 } })
    const account = (n: number) => `0x${n.toString(16).padStart(40, '0')}`
    for (let n = 0; n < 4; n++) sell(catalogue, { requirements: { payTo: account(n + 1) } })
    for (let n = 0; n < 4; n++) sell(catalogue, { url: `https://api.example/other${n}` })
    for (let n = 0; n < 40; n++)
      sell(catalogue, { url: 'https://other.example/', requirements: { maxTimeoutSeconds: n + 1 } })
    await catalogue.flush()
    const { items, total } = await list(catalogue)
    expect(total).toBe(4)
    expect(Math.max(...items.map(({ accepts }) => (accepts as Json[]).length))).toBe(16)
    expect((await catalogue.why({ resource: 'https://api.example/other3' })).checks.at(-1)?.detail).toContain(
      'origin_full',
    )
  })

  test('BAZAAR-036 D12 what strangers have paid for takes nobody’s place: neither a seller’s nor that of another payment', async () => {
    const catalogue = await openCatalogue({ limits: { perOrigin: 6, perPlace: 2 } })
    const account = (n: number) => `0x${n.toString(16).padStart(40, '0')}`
    const input = { type: 'mcp', toolName: 'forecast', inputSchema: {} }
    const place = { url: 'https://tools.example/mcp', input }
    const flood = async () => {
      for (let n = 1; n < 9; n++) sell(catalogue, { ...place, bySeller: false, requirements: { payTo: account(n) } })
      for (let n = 1; n < 9; n++)
        sell(catalogue, {
          ...{ url: `https://tools.example/${n}`, bySeller: false, requirements: { payTo: account(n) } },
        })
      await catalogue.flush()
    }
    const listed = async (payTo: string) => (await list(catalogue, `payTo=${payTo}`)).items.length
    await flood()
    expect((await list(catalogue)).total).toBe(6)
    // Somebody pays the real one, which then has more payers than any of the others.
    now += 120_000
    sell(catalogue, { ...place, bySeller: false, payer: '0xa' })
    await catalogue.flush()
    expect(await listed(SELLER)).toBe(1)
    now += 120_000
    for (const payer of ['0xb', '0xc', '0xe', '0xf', '0xg']) sell(catalogue, { ...place, bySeller: false, payer })
    await catalogue.flush()
    now += 120_000
    sell(catalogue, { ...place, bySeller: false, payer: '0xd' })
    await catalogue.flush()
    await flood()
    expect([await listed(SELLER), (await list(catalogue)).total]).toEqual([1, 6])
    // A seller with a key needs no room of theirs.
    sell(catalogue, { ...place, requirements: { payTo: OTHER } })
    await catalogue.flush()
    expect(await listed(OTHER)).toBe(1)
    expect((await search(catalogue, 'forecast'))?.urls.length).toBeGreaterThan(0)
  })

  test('BAZAAR-036 listings are counted, not those that have ever been', async () => {
    const catalogue = await openCatalogue({ limits: { perOrigin: 2, total: 4 } })
    for (let n = 0; n < 9; n++) {
      sell(catalogue, { url: `https://tools.example/${n}`, bySeller: false })
      await catalogue.flush()
      now += 1000
    }
    for (let n = 0; n < 3; n++) sell(catalogue, { url: `https://shop${n}.example/` })
    await catalogue.flush()
    expect((await list(catalogue)).total).toBe(4)
    const { checks } = await catalogue.why({ resource: 'https://shop2.example/' })
    expect(checks.at(-1)?.detail).toContain('catalogue_full')
  })

  test('what an operator takes off while its origin is asked stays off', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue)
    await catalogue.flush()
    const prober = createProber({
      ...{ store, clock: () => now },
      call: async () => {
        await catalogue.hide({ url: 'https://api.example/weather' }, 'a complaint')
        return { status: 402, retryAfter: undefined, ...challengeOf() }
      },
    })
    await prober.round()
    expect((await list(catalogue)).total).toBe(0)
    await catalogue.hide({ url: 'https://api.example/weather' }, undefined)
    expect((await list(catalogue)).total).toBe(1)
  })

  test('BAZAAR-027 BAZAAR-037 an MCP server is asked which tools it has, and none is called', async () => {
    const catalogue = await openCatalogue()
    const url = 'https://tools.example/mcp'
    const tool = (toolName: string, more: Sold = {}) =>
      sell(catalogue, { url, bySeller: false, input: { type: 'mcp', toolName, inputSchema: { lie: {} } }, ...more })
    tool('forecast', { resource: { description: 'A lie' }, requirements: { payTo: OTHER } })
    tool('gone_tool')
    tool('own', { bySeller: true, resource: { description: 'Of the seller' } })
    await catalogue.flush()
    const asked: string[] = []
    const pages: Record<string, JsonObject> = {
      first: { tools: [{ name: 'own', inputSchema: {} }], nextCursor: 'second' },
      second: {
        tools: [
          { name: 'forecast', description: 'Weather <b>of</b> a city', inputSchema: { properties: { city: {} } } },
        ],
      },
    }
    const status = { now: 200 }
    const call = async ({ method, headers, body = '{}' }: HttpRequest) => {
      const { id, method: what, params = {} } = JSON.parse(body)
      asked.push(`${method} ${what} ${headers['mcp-session-id'] ?? ''}${headers['mcp-protocol-version'] ?? ''}`)
      const page = pages[params.cursor ?? 'first']
      const result = what === 'initialize' ? { protocolVersion: '2025-03-26', capabilities: {} } : page
      const answer = JSON.stringify({ jsonrpc: '2.0', id, result })
      return {
        ...{ status: status.now, retryAfter: undefined },
        header: (name: string) => (name === 'mcp-session-id' && what === 'initialize' ? 's-1' : undefined),
        // As JSON, and as a stream of events.
        text: what === 'initialize' ? answer : `event: message\ndata: ${answer}\n\n`,
      }
    }
    const prober = createProber({ store, clock: () => now, every: 1, call })
    const shown = async () =>
      (await list(catalogue)).items.map(({ toolName, description, metadata, extensions }) => {
        const { saidBy, prices, originVerified } = metadata as JsonObject
        const { info } = (extensions as JsonObject).bazaar as { info?: JsonObject }
        return [toolName, description, saidBy, prices, originVerified, (info?.input as JsonObject)?.inputSchema]
      })
    const forecast = ['forecast', 'Weather of a city', 'origin', [], false, { properties: { city: {} } }]
    const own = ['own', 'Of the seller', 'seller', ['0.001 USDC'], false, { lie: {} }]
    expect(await prober.round()).toBe(3)
    expect(await shown()).toEqual([forecast, own])
    expect(new Set(asked)).toEqual(
      new Set(['POST initialize ', 'POST notifications/initialized s-12025-03-26', 'POST tools/list s-12025-03-26']),
    )
    expect((await search(catalogue, 'weather city'))?.urls).toEqual([url])
    expect((await search(catalogue, 'lie'))?.urls).toEqual([url])
    const why = async (name: string) =>
      (await catalogue.why({ resource: url, tool: name })).checks.find(({ name: check }) => check === 'origin')
    expect(await why('forecast')).toMatchObject({ ok: null, detail: expect.stringContaining('lists the tool') })
    expect(await why('gone_tool')).toMatchObject({ ok: false, detail: expect.stringContaining('does not list') })
    // No payer speaks over its server, and what payers pay is no price.
    tool('forecast', { resource: { description: 'Another lie' }, requirements: { payTo: OTHER } })
    await catalogue.flush()
    expect(await shown()).toEqual([forecast, own])
    expect((await list(catalogue, `asset=${USDC}&maxAmount=9999999`)).items.map(({ toolName }) => toolName)).toEqual([
      'own',
    ])
    // Whoever may speak for the account still does.
    tool('forecast', { bySeller: true, resource: { description: 'Of its seller' }, requirements: { payTo: OTHER } })
    await catalogue.flush()
    expect((await shown())[0]?.slice(0, 4)).toEqual(['forecast', 'Of its seller', 'seller', ['0.001 USDC']])
    // Servers that want a key first, or speak otherwise, are none the worse; silent ones are gone.
    status.now = 401
    for (let n = 0; n < 6; n++) {
      now += 1000
      await prober.round()
    }
    expect((await list(catalogue)).total).toBe(2)
    const silent = createProber({
      ...{ store, clock: () => now, every: 1 },
      call: async () => {
        throw new NoAnswer(new Error('nobody'))
      },
    })
    for (let n = 0; n < 5; n++) {
      now += 1000
      await silent.round()
    }
    expect((await list(catalogue)).total).toBe(0)
    status.now = 200
    now += 1000
    await prober.round()
    expect((await list(catalogue)).total).toBe(2)
  })

  test('BAZAAR-027 a server whose tools have no names that are text lists none', async () => {
    const catalogue = await openCatalogue()
    sell(catalogue, { url: 'https://tools.example/mcp', input: toolNamed('forecast') })
    await catalogue.flush()
    const faults: unknown[] = []
    const call = async ({ body = '{}' }: HttpRequest) => {
      const tools = [{ name: { toString: 1, valueOf: 1 } }, { name: null }, {}, null]
      const text = JSON.stringify({ id: JSON.parse(body).id, result: { tools } })
      return { status: 200, retryAfter: undefined, header: () => undefined, text }
    }
    await createProber({ store, clock: () => now, call, onFault: (fault) => faults.push(fault) }).round()
    expect([faults, (await list(catalogue)).total]).toEqual([[], 0])
  })

  test('BAZAAR-036 D12 a tool that its server lists keeps no seller from a place, whoever was paid for it', async () => {
    const catalogue = await openCatalogue({ limits: { perOrigin: 9, perPlace: 2 } })
    const account = (n: number) => `0x${n.toString(16).padStart(40, '0')}`
    const place = { url: 'https://tools.example/mcp', input: toolNamed('forecast') }
    for (let n = 1; n < 4; n++) sell(catalogue, { ...place, bySeller: false, requirements: { payTo: account(n) } })
    await catalogue.flush()
    const call = async ({ body = '{}' }: HttpRequest) => {
      const { id } = JSON.parse(body)
      const result = { protocolVersion: '2025-06-18', tools: [{ name: 'forecast', inputSchema: {} }] }
      return { status: 200, retryAfter: undefined, header: () => undefined, text: JSON.stringify({ id, result }) }
    }
    await createProber({ store, clock: () => now, call }).round()
    sell(catalogue, place)
    await catalogue.flush()
    expect((await list(catalogue, `payTo=${SELLER}`)).items).toMatchObject([{ metadata: { saidBy: 'seller' } }])
  })

  test('BAZAAR-052 what an operator has taken off stays off for whatever is listed there later, until it is put back', async () => {
    const catalogue = await openCatalogue()
    const url = 'https://api.example/weather'
    expect(await catalogue.hide({ url: `${url}?city=oslo` }, 'a complaint')).toBe(0)
    sell(catalogue)
    sell(catalogue, { requirements: { payTo: OTHER }, bySeller: false })
    sell(catalogue, { input: { type: 'http', method: 'POST', bodyType: 'json', body: {} } })
    sell(catalogue, { url: `${url}/map` })
    await catalogue.flush()
    expect((await list(catalogue)).items.map(({ resource }) => resource)).toEqual([`${url}/map`])
    expect((await catalogue.why({ resource: url })).checks.at(-1)?.detail).toContain('a complaint')
    expect(await catalogue.hide({ url }, undefined)).toBe(3)
    expect((await list(catalogue)).total).toBe(4)
    // One recipient only, in whatever spelling.
    const scam = { url: `${url}/map`, payTo: OTHER.toUpperCase().replace('0X', '0x') }
    expect(await catalogue.hide(scam, 'not theirs')).toBe(0)
    sell(catalogue, { url: `${url}/map`, requirements: { payTo: OTHER } })
    await catalogue.flush()
    expect((await list(catalogue, `payTo=${OTHER}`)).items.map(({ resource }) => resource)).toEqual([url])
    expect((await list(catalogue)).total).toBe(4)
    expect(await catalogue.hide(scam, undefined)).toBe(1)
    expect((await list(catalogue)).total).toBe(5)
  })

  test('BAZAAR-050 BAZAAR-051 why something is not listed is said, step by step', async () => {
    const catalogue = await openCatalogue()
    const flaw = async (resource: string) => (await catalogue.why({ resource })).checks.at(-1)
    expect(await flaw('ftp://x')).toMatchObject({ name: 'url', ok: false })
    expect(await flaw('https://127.0.0.1/x')).toMatchObject({ name: 'url', ok: false })
    expect(await flaw('https://api.example/never')).toMatchObject({ name: 'settled', ok: false })
    expect(sell(catalogue, { url: 'https://api.example/bad', block: { info: 7 } })).toEqual({
      status: 'rejected',
      rejectedReason: 'declaration_malformed',
    })
    expect(sell(catalogue, { url: 'http://localhost/x' })).toEqual({
      status: 'rejected',
      rejectedReason: 'resource_private',
    })
    sell(catalogue, {
      url: 'https://api.example/books/1',
      block: { info: { input: { type: 'http', method: 'GET' } }, routeTemplate: '/books/:isbn' },
    })
    await catalogue.flush()
    expect((await flaw('https://api.example/bad?x=1'))?.detail).toContain('declaration_malformed')
    expect(await catalogue.why({ resource: 'https://api.example/books/7?page=2' })).toMatchObject({ listed: true })
    expect(await catalogue.why({ resource: 'https://api.example/books/7', method: 'POST' })).toMatchObject({
      listed: false,
    })
    expect(await catalogue.hide({ url: 'https://api.example/books/:isbn' }, 'reported as a copy')).toBe(1)
    expect((await list(catalogue)).total).toBe(0)
    expect((await flaw('https://api.example/books/7'))?.detail).toContain('reported as a copy')
    await catalogue.hide({ url: 'https://api.example/books/:isbn' }, undefined)
    expect((await list(catalogue)).total).toBe(1)
  })
})

test('BAZAAR-023 a filter that is not known is named, and a value that is none is refused', () => {
  expect(parseListQuery(new URLSearchParams('type=http&color=red&maxUsdPrice=1&limit=1000'))).toEqual({
    ok: true,
    value: { type: 'http', limit: 100, offset: 0 },
    unapplied: ['color', 'maxUsdPrice'],
  })
  const wrong = [
    'type=ftp',
    'limit=0',
    'limit=x',
    'offset=-1',
    'network=Base',
    'maxAmount=1',
    'maxAmount=01&asset=0x1',
    'originVerified=maybe',
    'extensions=a,%20b',
    'scheme=%00',
    '__proto__=1&limit=no',
  ]
  expect(wrong.map((query) => parseListQuery(new URLSearchParams(query)).ok)).toEqual(wrong.map(() => false))
  expect(parseListQuery(new URLSearchParams('__proto__=1&constructor=2'))).toMatchObject({
    ok: true,
    unapplied: ['__proto__', 'constructor'],
  })
  expect(parseSearchQuery(new URLSearchParams('limit=5'))).toEqual({ ok: false, field: 'query' })
})

test('BAZAAR-040 BAZAAR-043 a hundred accounts of one’s own are worth less than seven strangers', () => {
  const use = { calls: 1000, days: 1, lastAt: 0, knowsOthers: false, paidBack: false }
  const own = qualityOf(
    Array.from({ length: 100 }, () => ({ ...use, paidBack: true })),
    0,
  )
  const puppets = qualityOf(
    Array.from({ length: 25 }, () => use),
    0,
  )
  const strangers = qualityOf(
    Array.from({ length: 7 }, () => ({ ...use, calls: 1, knowsOthers: true })),
    0,
  )
  expect([own.score, puppets.score < strangers.score]).toEqual([0, true])
  fc.assert(
    fc.property(
      fc.nat(1_000_000),
      fc.nat(1_000_000),
      (a, b) => qualityOf([{ ...use, calls: a }], 0).score === qualityOf([{ ...use, calls: b }], 0).score,
    ),
    { seed: 402 },
  )
})

const toolNamed = (name: string): JsonObject => ({ type: 'mcp', toolName: name, inputSchema: {} })

function challengeOf(resource: JsonObject = {}, declares = true) {
  const text = JSON.stringify({
    x402Version: 2,
    resource: { url: 'https://api.example/weather', ...resource },
    accepts: [{ ...terms(), amount: '1000' }],
    extensions: declares ? { bazaar: { info: { input: { type: 'http', method: 'GET' } } } } : {},
  })
  const value = Buffer.from(text).toString('base64')
  return { header: (name: string) => (name.toLowerCase() === 'payment-required' ? value : undefined), text: '{}' }
}
