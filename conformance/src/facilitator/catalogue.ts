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
]

async function page(
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
