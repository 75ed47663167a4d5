import { randomBytes } from 'node:crypto'
import type { Payer } from '../chain/rail.js'
import type { Answer, Silence } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectThat, fail, notApplicable } from '../model/finding.js'
import { type BoundRequest, bindingOf } from '../wire/bindings.js'
import { encodeHeader } from '../wire/messages.js'
import { type Extended, expectNoFault, expectSales, needExtension, origin, paymentFor } from './extended.js'
import { serverCheck } from './offers.js'
import { expectDelivered, expectWithheld, type ServerStage } from './stage.js'

const key = 'groat-request-binding'
const route = 'bound'
const typed = 'bound-typed'

const json = { 'content-type': 'application/json' }
const urlOf = (name: string) => `${origin}/conformance/${name}`

/** A shop whose payments are bound to their requests. */
interface Shop {
  readonly found: Extended
  /** Work that was done before. */
  readonly before: number
  /** A payment that is bound to a request; to that of `present` unless told. */
  sign(bound?: Partial<BoundRequest>, echo?: object, payer?: Payer): Promise<string>
  /** Presents it. */
  present(
    header: string,
    sent?: {
      readonly body?: string
      readonly query?: string
      readonly headers?: Readonly<Record<string, string>>
    },
  ): Promise<Answer | Silence>
}

const order = JSON.stringify({ order: 'one' })

async function openShop(stage: ServerStage, name = route): Promise<Shop> {
  const found = await needExtension(stage, name, key, { method: 'POST', headers: json })
  const before = await stage.hits(name)
  return {
    found,
    before,
    async sign(bound = {}, echo = {}) {
      const salt = randomBytes(16).toString('hex')
      const nonce = bindingOf({ method: 'POST', url: urlOf(name), body: order, salt, ...bound })
      const extensions = { [key]: { ...found.announced, info: { ...found.info, salt, ...echo } } }
      return encodeHeader(await paymentFor(stage, found, await stage.rail.payer(1_000_000n), extensions, nonce))
    },
    present: (header, { body = order, query = '', headers = {} } = {}) =>
      stage.http.attempt({
        method: 'POST',
        url: stage.url(`${name}${query}`),
        headers: { ...json, ...headers, 'PAYMENT-SIGNATURE': header },
        body,
        timeoutMs: 20_000,
      }),
  }
}

/** The headers that a seller names, and whether they are names at all. */
function namedIn({ info }: Extended): readonly string[] {
  const { headers = [] } = info
  const isList = Array.isArray(headers) && headers.every((name) => typeof name === 'string')
  if (!isList) fail('`info.headers`', 'a list of names in lower case', headers)
  return headers
}

/** Fails unless it is delivered. */
function expectTaken(answer: Answer | Silence, what: string): void {
  if ('silent' in answer) fail(`${what} is not answered`, 200, answer.silent)
  expectDelivered(answer, what)
}

/** A bound payment that is presented with another request than it was made for. */
const misplaced = (
  id: string,
  what: string,
  attempt: (shop: Shop) => Promise<Answer | Silence>,
  name = route,
): Check<ServerStage> =>
  serverCheck(id, `a payment ${what} is refused`, async (stage) => {
    const shop = await openShop(stage, name)
    const answer = await attempt(shop)
    expectWithheld(answer, `the payment is one ${what}`)
    if (!('silent' in answer)) expectNoFault(answer, `a payment ${what}`)
    await expectSales(stage, name, { ...shop, work: 0, payments: 0 })
  })

/** What platforms and proxies write on the way, and what carries payments. */
const written =
  /^(accept-encoding|connection|content-length|cookie|date|expect|forwarded|host|keep-alive|origin|referer|te|trailer|transfer-encoding|upgrade|user-agent|via|x-payment|sign-in-with-x|payment-.*|proxy-.*|sec-.*|x-forwarded-.*|x-real-.*)$/i

/** A mebibyte, whose last letter says which one it is. */
const long = (last: string) => JSON.stringify({ order: `${'a'.repeat(1024 * 1024)}${last}` })

/** What a server makes of payments that are bound to their requests (`groat-request-binding`). */
export const bindingChecks: readonly Check<ServerStage>[] = [
  serverCheck('EXT-BIND-001/announced', 'whether payments have to be bound is announced', async (stage) => {
    const { found } = await openShop(stage)
    const { required } = found.info
    expectThat(typeof required === 'boolean', 'info.required', 'true or false', required)
  }),
  serverCheck('EXT-BIND-004/bound', 'a payment that is bound to its request is taken', async (stage) => {
    const shop = await openShop(stage)
    expectTaken(await shop.present(await shop.sign()), 'a bound payment')
    const url = `${urlOf(route)}?day=2&b=%20`
    expectTaken(
      await shop.present(await shop.sign({ url }), { query: '?day=2&b=%20' }),
      'a payment that is bound to a URL with a query',
    )
    await expectSales(stage, route, { ...shop, work: 2, payments: 2 })
  }),
  misplaced('EXT-BIND-004/body', 'for another body', async (shop) =>
    shop.present(await shop.sign(), { body: JSON.stringify({ order: 'two' }) }),
  ),
  misplaced('EXT-BIND-004/query', 'for another URL', async (shop) =>
    shop.present(await shop.sign(), { query: '?day=2' }),
  ),
  misplaced('EXT-BIND-004/method', 'for another method', async (shop) =>
    shop.present(await shop.sign({ method: 'PUT' })),
  ),
  misplaced('EXT-BIND-004/salt', 'that was made with another salt than it names', async (shop) =>
    shop.present(await shop.sign({}, { salt: '0'.repeat(32) })),
  ),
  serverCheck('EXT-BIND-005/unbound', 'where payments have to be bound, one that is not is refused', async (stage) => {
    const shop = await openShop(stage)
    if (shop.found.info.required !== true) notApplicable('the target takes payments that are not bound')
    for (const extensions of [{}, { [key]: shop.found.announced }]) {
      const payer = await stage.rail.payer(1_000_000n)
      const answer = await shop.present(encodeHeader(await paymentFor(stage, shop.found, payer, extensions)))
      expectWithheld(answer, 'the payment is not bound')
      if (!('silent' in answer)) expectNoFault(answer, 'a payment that is not bound')
    }
    await expectSales(stage, route, { ...shop, work: 0, payments: 0 })
  }),
  serverCheck('EXT-BIND-006/host', 'the URL is of the configured origin, whatever a request says', async (stage) => {
    const shop = await openShop(stage)
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const foreign = await shop.sign({ url: 'https://evil.example/conformance/bound' })
    expectWithheld(await shop.present(foreign, { headers }), 'the payment is for the host that the request names')
    expectTaken(await shop.present(await shop.sign(), { headers }), 'a payment for the configured origin')
    await expectSales(stage, route, { ...shop, work: 1, payments: 1 })
  }),
  misplaced('EXT-BIND-007/long', 'for another body that differs at the end of a mebibyte', async (shop) =>
    shop.present(await shop.sign({ body: long('1') }), { body: long('2') }),
  ),
  serverCheck('EXT-BIND-008/headers', 'the headers that the seller names are bound', async (stage) => {
    const shop = await openShop(stage, typed)
    const named = namedIn(shop.found)
    expectThat(named.includes('content-type'), 'info.headers', ['content-type'], named)
    const other = Object.fromEntries(named.filter((name) => name !== 'content-type').map((name) => [name, 'kit']))
    const right = { ...other, ...json }
    expectTaken(await shop.present(await shop.sign({ headers: right }), { headers: right }), 'a bound payment')
    const sent = { headers: { ...right, 'content-type': 'text/plain' } }
    expectWithheld(await shop.present(await shop.sign({ headers: right }), sent), 'the body is sent as another type')
    await expectSales(stage, typed, { ...shop, work: 1, payments: 1 })
  }),
  misplaced(
    'EXT-BIND-008/echo',
    'that says of itself that no headers count',
    async (shop) => shop.present(await shop.sign({}, { headers: [] }), { headers: { 'content-type': 'text/plain' } }),
    typed,
  ),
  serverCheck('EXT-BIND-009/named', 'no headers are named that platforms write on the way', async (stage) => {
    const { found } = await openShop(stage, typed)
    const wrong = namedIn(found).filter((name) => written.test(name) || name !== name.toLowerCase())
    expectThat(wrong.length === 0, '`info.headers`', 'headers that arrive as they were sent, in lower case', wrong)
  }),
]
