import { type Answer, isObject, objectIn } from '../http/exchange.js'
import { expectSame, expectThat, notApplicable } from '../model/finding.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import type { FacilitatorStage } from './stage.js'

const check = facilitatorChecksWith()

/** The catalogue of a facilitator that keeps one. */
export const catalogueChecks: readonly FacilitatorCheck[] = [
  check('FAC-120/form', 'a catalogue has a version, items and the place of this page in the whole', async (stage) => {
    const { body } = await page(stage, '')
    expectSame('x402Version of the catalogue', true, Number.isInteger(body.x402Version))
    const { pagination } = body
    const numbers = isObject(pagination) ? ['limit', 'offset', 'total'].map((name) => typeof pagination[name]) : []
    expectSame('limit, offset and total of `pagination`', ['number', 'number', 'number'], numbers)
  }),
  check('FAC-121/items', 'every item of a catalogue says what is sold, and for what', async (stage) => {
    const { items } = await page(stage, '')
    for (const item of items) {
      const right =
        isObject(item) &&
        typeof item.resource === 'string' &&
        typeof item.type === 'string' &&
        Number.isInteger(item.x402Version) &&
        Array.isArray(item.accepts) &&
        (typeof item.lastUpdated === 'string' || typeof item.lastUpdated === 'number')
      expectThat(right, 'an item of the catalogue', 'resource, type, x402Version, accepts and lastUpdated', item)
    }
  }),
  check('FAC-122/limit', 'a catalogue is read page by page', async (stage) => {
    const first = await page(stage, '?limit=1&offset=0')
    expectThat(first.items.length <= 1, 'items of a page with the limit 1', 'at most 1', first.items.length)
    const { pagination } = first.body
    const total = isObject(pagination) ? Number(pagination.total) : 0
    const beyond = await page(stage, `?limit=1&offset=${total}`)
    expectSame('items behind the last one', 0, beyond.items.length)
  }),
  check('BAZAAR-021/filters', 'a filter holds for every item, or is named as one that does not', async (stage) => {
    const [first] = (await page(stage, '?limit=1')).items
    if (!isObject(first)) notApplicable('the catalogue is empty')
    const [offer] = offersOf(first)
    const filters: readonly (readonly [string, unknown])[] = [
      ['type', first.type === 'http' ? 'mcp' : 'http'],
      ...(['network', 'scheme', 'payTo'] as const).map((name) => [name, offer?.[name]] as const),
      ['network', 'eip155:999999999'],
    ]
    for (const [name, value] of filters) {
      if (typeof value !== 'string') continue
      const { items, body } = await page(stage, `?limit=20&${name}=${encodeURIComponent(value)}`)
      if (isUnapplied(body, name)) continue
      const fits = (item: unknown) =>
        isObject(item) &&
        (name === 'type' ? item.type === value : offersOf(item).some((each) => isSame(each[name], value)))
      const wrong = items.find((item) => !fits(item))
      expectThat(wrong === undefined, `an item of the list with ${name}=${value}`, 'one that fits', wrong)
    }
  }),
  check('BAZAAR-022/pages', 'pages join without a gap and without repetition', async (stage) => {
    const namesOf = async (query: string) => (await page(stage, query)).items.map(nameOf)
    const whole = await namesOf('?limit=6&offset=0')
    const parts: string[] = []
    for (const offset of [0, 2, 4]) parts.push(...(await namesOf(`?limit=2&offset=${offset}`)))
    // Something may be listed at the end meanwhile.
    expectSame('the items of three pages', whole, parts.slice(0, whole.length))
    expectSame('items that come twice', parts.length, new Set(parts).size)
  }),
  check('BAZAAR-023/unknown', 'a filter that it does not know is named', async (stage) => {
    const { body } = await page(stage, '?limit=1&colourOfTheDoor=red')
    expectThat(isUnapplied(body, 'colourOfTheDoor'), '`unappliedFilters`', ['colourOfTheDoor'], body.unappliedFilters)
  }),
  check('BAZAAR-023/malformed', 'a value that it cannot read is refused', async (stage) => {
    await page(stage, '?limit=1')
    const { status } = await stage.http.send({ url: stage.url('/discovery/resources?limit=banana') })
    expectSame('the status for limit=banana', 400, status)
  }),
  check('BAZAAR-024/words', 'a search finds only what holds every word', async (stage) => {
    const [first] = (await page(stage, '?limit=1')).items
    const named = isObject(first) && typeof first.resource === 'string' ? first.resource : ''
    const word = named.match(/[a-z]{4,}/g)?.at(-1) ?? 'paid'
    for (const query of [`${word} zzqxjvwordofnobody`, 'zzqxjvwordofnobody']) {
      const answer = await stage.http.send({
        url: stage.url(`/discovery/search?query=${encodeURIComponent(query)}&limit=5`),
      })
      if ([404, 405, 501].includes(answer.status)) notApplicable('the facilitator has no search')
      expectSame('the status of GET /discovery/search', 200, answer.status)
      const { resources } = objectIn(answer, 'the answer of GET /discovery/search')
      expectThat(Array.isArray(resources), '`resources` of a search', 'an array', resources)
      expectSame(`what is found for "${query}"`, 0, resources.length)
    }
  }),
]

type Members = Readonly<Record<string, unknown>>

/** The offers of an item. */
export const offersOf = ({ accepts }: Members): readonly Members[] =>
  Array.isArray(accepts) ? accepts.filter(isObject) : []

/** What tells items apart: one address may be listed for several methods, tools and payees. */
export const nameOf = (item: unknown): string =>
  isObject(item)
    ? JSON.stringify([
        item.resource,
        item.type,
        item.method,
        item.toolName,
        item.extensions,
        offersOf(item).map(({ payTo }) => payTo),
      ])
    : ''

const isUnapplied = ({ unappliedFilters }: Members, name: string): boolean =>
  Array.isArray(unappliedFilters) && unappliedFilters.includes(name)

/** Hex addresses are the same in any case. */
export const isSame = (a: unknown, b: string): boolean =>
  a === b || (typeof a === 'string' && b.startsWith('0x') && a.toLowerCase() === b.toLowerCase())

/** A page of the list. A facilitator without a catalogue is not asked. */
export async function page(
  stage: FacilitatorStage,
  query: string,
): Promise<{ readonly body: Readonly<Record<string, unknown>>; readonly items: readonly unknown[] }> {
  const answer: Answer = await stage.http.send({ url: stage.url(`/discovery/resources${query}`) })
  if ([404, 405, 501].includes(answer.status)) notApplicable('the facilitator keeps no catalogue')
  expectSame('the status of GET /discovery/resources', 200, answer.status)
  const body = objectIn(answer, 'the answer of GET /discovery/resources')
  expectThat(Array.isArray(body.items), '`items` of the catalogue', 'an array', body)
  return { body, items: body.items }
}
