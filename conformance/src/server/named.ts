import { randomBytes } from 'node:crypto'
import type { Payer } from '../chain/rail.js'
import type { Answer } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { expectNoFault, expectSales, needExtension, payExtended } from './extended.js'
import { serverCheck } from './offers.js'
import { invalid, pending } from './scripted-facilitator.js'
import { expectDelivered, expectWithheld, type ServerStage } from './stage.js'

/** A shop that takes names of payments. */
interface Shop {
  readonly info: Readonly<Record<string, unknown>>
  readonly payer: Payer
  /** Work that was done before. */
  readonly before: number
  /** A payment that is signed now, with or without a name. */
  sign(id?: unknown, payer?: Payer): Promise<string>
  order(header: string, what?: string, more?: { readonly query?: string; readonly headers?: object }): Promise<Answer>
}

const key = 'payment-identifier'

async function openShop(stage: ServerStage, route = 'named'): Promise<Shop> {
  const found = await needExtension(stage, route, key, { method: 'POST', headers: json })
  const payer = await stage.rail.payer(1_000_000n)
  return {
    info: found.info,
    payer,
    before: await stage.hits(route),
    sign(id, by = payer) {
      const info = id === undefined ? found.info : { ...found.info, id }
      return payExtended(stage, found, by, { [key]: { ...found.announced, info } })
    },
    order: (header, what = 'one', { query = '', headers = {} } = {}) =>
      stage.ask(
        `${route}${query}`,
        { ...json, ...headers, 'PAYMENT-SIGNATURE': header },
        'POST',
        JSON.stringify({ order: what }),
      ),
  }
}

const json = { 'content-type': 'application/json' }
const newName = () => randomBytes(16).toString('hex')

/** A name that has to be refused. */
const misnamed = (name: string, what: string, id: unknown): Check<ServerStage> =>
  serverCheck(`EXT-ID-003/${name}`, `a name that is ${what} is refused`, async (stage) => {
    const shop = await openShop(stage)
    const answer = await shop.order(await shop.sign(id))
    expectWithheld(answer, `the name is ${what}`)
    expectNoFault(answer, `a name that is ${what}`)
    await expectSales(stage, 'named', { ...shop, work: 0, payments: 0 })
  })

/** What a server makes of names of payments (`payment-identifier`). */
export const identifierChecks: readonly Check<ServerStage>[] = [
  serverCheck('EXT-ID-001/announced', 'whether names are required is announced', async (stage) => {
    const { info } = await openShop(stage)
    expectThat(typeof info.required === 'boolean', 'info.required', 'true or false', info.required)
  }),
  serverCheck('EXT-ID-002/required', 'where names are required, a payment without one is refused', async (stage) => {
    const shop = await openShop(stage, 'must-name')
    expectSame('info.required', true, shop.info.required)
    const answer = await shop.order(await shop.sign())
    expectWithheld(answer, 'the payment has no name')
    expectNoFault(answer, 'a payment without a name')
    await expectSales(stage, 'must-name', { ...shop, work: 0, payments: 0 })
    expectDelivered(await shop.order(await shop.sign(newName())), 'a payment with a name')
  }),
  misnamed('short', 'of 15 characters', 'a'.repeat(15)),
  misnamed('long', 'of 129 characters', 'a'.repeat(129)),
  misnamed('characters', 'written with a space', 'a name of a payment'),
  misnamed('number', 'a number', 1234567890123456),
  serverCheck('EXT-ID-004/again', 'the same payment with the same name gets the same answer', async (stage) => {
    const shop = await openShop(stage)
    const header = await shop.sign(newName())
    const first = await shop.order(header)
    expectDelivered(first)
    const second = await shop.order(header)
    expectDelivered(second, 'a payment that is presented again')
    expectSame('the second answer', first.text, second.text)
    await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
  }),
  serverCheck(
    'EXT-ID-004/signed-anew',
    'another payment with the same name for the same request gets the answer of the first, and is not settled',
    async (stage) => {
      const shop = await openShop(stage)
      const id = newName()
      const first = await shop.order(await shop.sign(id))
      expectDelivered(first)
      const second = await shop.order(await shop.sign(id))
      expectDelivered(second, 'a retry that is signed anew')
      expectSame('the second answer', first.text, second.text)
      await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
    },
  ),
  serverCheck(
    'EXT-ID-005/other-request',
    'a name that stands for another request is refused with 409',
    async (stage) => {
      const shop = await openShop(stage)
      const id = newName()
      expectDelivered(await shop.order(await shop.sign(id)))
      const answer = await shop.order(await shop.sign(id), 'another')
      expectWithheld(answer, 'the name stands for another request')
      expectSame('the status', 409, answer.status)
      await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
    },
  ),
  serverCheck('EXT-ID-006/verified', 'a name counts for nothing in a payment that is no good', async (stage) => {
    const shop = await openShop(stage)
    const id = newName()
    stage.facilitator.play({ verify: (usual, nth) => (nth === 1 ? { json: usual } : invalid(usual, nth)) })
    expectDelivered(await shop.order(await shop.sign(id)))
    expectWithheld(await shop.order(await shop.sign(id)), 'a payment that is no good has the name of a good one')
    await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
  }),
  serverCheck('EXT-ID-007/url', 'a name that stands for another URL is refused', async (stage) => {
    const shop = await openShop(stage)
    const id = newName()
    expectDelivered(await shop.order(await shop.sign(id)))
    const answer = await shop.order(await shop.sign(id), 'one', { query: '?day=2' })
    expectWithheld(answer, 'the name stands for another URL')
    await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
  }),
  serverCheck('EXT-ID-007/headers', 'other headers do not make another request of a retry', async (stage) => {
    const shop = await openShop(stage)
    const id = newName()
    const first = await shop.order(await shop.sign(id))
    expectDelivered(first)
    const headers = { 'x-request-id': newName(), 'accept-language': 'de' }
    const second = await shop.order(await shop.sign(id), 'one', { headers })
    expectDelivered(second, 'a retry with other headers')
    expectSame('the second answer', first.text, second.text)
    await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
  }),
  serverCheck(
    'EXT-ID-009/refused-first',
    'a name whose payment was not settled, and will not be, is good for the next payment',
    async (stage) => {
      const shop = await openShop(stage)
      const id = newName()
      stage.facilitator.play({ verify: (usual, nth) => (nth === 1 ? invalid(usual, nth) : { json: usual }) })
      expectWithheld(await shop.order(await shop.sign(id)), 'the payment is no good')
      expectDelivered(await shop.order(await shop.sign(id)), 'a payment with the name of one that charged nothing')
      await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
    },
  ),
  serverCheck('EXT-ID-008/payers', 'two payers may choose the same name', async (stage) => {
    const shop = await openShop(stage)
    const id = newName()
    expectDelivered(await shop.order(await shop.sign(id)))
    const other = await stage.rail.payer(1_000_000n)
    const answer = await shop.order(await shop.sign(id, other), 'another')
    expectDelivered(answer, 'a payment whose name another payer has used')
    await expectSales(stage, 'named', { ...shop, work: 2, payments: 2 })
  }),
  serverCheck(
    'EXT-ID-010/unknown',
    'while it is unknown whether the first payment of a name was settled, no second is',
    async (stage) => {
      const shop = await openShop(stage)
      const id = newName()
      stage.facilitator.play({ settle: pending })
      expectWithheld(await shop.order(await shop.sign(id)), 'settlement is unknown')
      expectWithheld(await shop.order(await shop.sign(id)), 'settlement of the first payment is unknown')
      await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
    },
  ),
  serverCheck('EXT-ID-012/at-once', 'of payments of one name at once, one is settled', async (stage) => {
    const shop = await openShop(stage)
    const id = newName()
    const headers = await Promise.all([1, 2, 3, 4].map(() => shop.sign(id)))
    const answers = await Promise.all(headers.map((header) => shop.order(header)))
    expectThat(
      answers.some(({ status }) => status === 200),
      'none of them is delivered',
      200,
      answers.map(({ status }) => status),
    )
    await expectSales(stage, 'named', { ...shop, work: 1, payments: 1 })
  }),
]
