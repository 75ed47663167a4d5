import { createPayer } from '@groat/client'
import { decodePayment, extensionInfo, type JsonObject, network, type PaymentPayload, systemRandom } from '@groat/core'
import { exactEvm as pays, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { boundPayments } from '@groat/extensions/request-binding/client'
import { bindingOf, boundRequests, drawnBy } from '@groat/extensions/request-binding/server'
import { createMemoryClaims, paywall, type RouteOptions } from '@groat/server'
import { encodeBase64, encodeMessage, encodeTransaction, memo } from '@groat/svm/wire'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { payTo, testScheme } from '../../server/test/test-scheme.js'
import { codeOf, ORIGIN, openShop, type TestShop } from './shop.js'

const KEY = 'groat-request-binding'
const account = privateKeyAccount(`0x${'11'.repeat(32)}`)
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

type Way = { readonly mode?: RouteOptions['mode']; readonly handler?: Parameters<typeof openShop>[2] }

async function shopWith(
  declared: RouteOptions['extensions'] = { [KEY]: true },
  { mode, handler = async (request) => new Response(await request.text()) }: Way = {},
): Promise<TestShop> {
  const shop = await openShop(
    { price: '$0.001', ...(mode && { mode }), ...(declared && { extensions: declared }) },
    { extensions: [boundRequests()], schemes: [exactEvm] },
    handler,
  )
  open.push(shop)
  return shop
}

/** What our payer sends for a request: its payment, which no shop has seen yet when `dry`. */
async function buy(shop: TestShop, init: RequestInit, path: string, { dry = false, bound = true } = {}) {
  let payment: PaymentPayload | undefined
  const payer = createPayer({
    schemes: [pays({ account })],
    extensions: bound ? [boundPayments()] : [],
    fetch: async (input, sent) => {
      const headers = new Headers(sent?.headers)
      const decoded = decodePayment((name) => headers.get(name))
      if (decoded?.ok) payment = decoded.value
      if (decoded?.ok && dry) return new Response('kept', { status: 200 })
      return shop.ask(sent, String(input).slice(ORIGIN.length))
    },
  })
  const response = await payer.fetch(ORIGIN + path, init)
  if (payment === undefined) throw new Error(`nothing was paid: ${response.status}`)
  return { response, payment }
}

const order: RequestInit = { method: 'POST', body: '{"sku":"A1"}', headers: { 'content-type': 'application/json' } }
const PATH = '/orders?dry=0'
const nonceOf = ({ payload }: PaymentPayload) => (payload.authorization as JsonObject).nonce
const saltOf = ({ extensions }: PaymentPayload) => String(extensionInfo(extensions, KEY)?.salt)

describe('a seller that binds payments', () => {
  test.each(['strict', 'upfront'] as const)(
    'EXT-BIND-004 EXT-014 gives what it owes in mode %s for the request that was bound, and to nobody who has only seen the payment',
    async (mode) => {
      let fails = mode === 'upfront' ? 1 : 0
      const shop = await shopWith(undefined, {
        mode,
        handler: async (request) => new Response(await request.text(), { status: fails-- > 0 ? 500 : 200 }),
      })
      const { payment } = await buy(shop, order, PATH)
      for (const body of ['{"sku":"B2"}', '']) {
        const stolen = await shop.present(payment, { ...order, body }, PATH)
        // What is owed is owed to the request that was paid for, before any extension is asked (SRV-043).
        const refusal = mode === 'upfront' ? [409, 'idempotency_mismatch'] : [402, 'request_binding_mismatch']
        expect([stolen.status, await codeOf(stolen)]).toEqual(refusal)
      }
      const own = await shop.present(payment, order, PATH)
      expect([own.status, await own.text(), shop.stub.ledger.size]).toEqual([200, order.body, 1])
    },
  )

  test.each([undefined, ['content-type']])(
    'EXT-BIND-004 takes a payment with the same form again, whose boundary is another, and no other form (headers %o)',
    async (headers) => {
      let fails = 1
      const shop = await shopWith(
        { [KEY]: { required: true, ...(headers && { headers }) } },
        { mode: 'upfront', handler: async () => new Response('goods', { status: fails-- > 0 ? 500 : 200 }) },
      )
      const form = (words: string): RequestInit => {
        const body = new FormData()
        body.set('words', words)
        return { method: 'POST', body }
      }
      const { response, payment } = await buy(shop, form('a'), PATH)
      expect(response.status).toBe(500)
      expect((await shop.present(payment, form('b'), PATH)).status).toBe(409)
      const own = await shop.present(payment, form('a'), PATH)
      expect([own.status, await own.text(), shop.stub.ledger.size]).toEqual([200, 'goods', 1])
    },
  )

  test('EXT-BIND-001 says whether it takes others', async () => {
    for (const [declared, required] of [
      [true, true],
      [{ required: false }, false],
    ] as const) {
      const { extensions } = await (await shopWith({ [KEY]: declared })).challenge()
      expect(extensions?.[KEY]).toMatchObject({ info: { version: 1, required } })
    }
  })

  test('EXT-BIND-002 EXT-BIND-004 takes a payment for the request that it was made for', async () => {
    const shop = await shopWith()
    const { response, payment } = await buy(shop, order, PATH)
    expect([response.status, await response.text(), shop.works()]).toEqual([200, '{"sku":"A1"}', 1])
    const body = new TextEncoder().encode('{"sku":"A1"}')
    const binding = bindingOf({ method: 'post', url: ORIGIN + PATH, body, salt: saltOf(payment) })
    expect(nonceOf(payment)).toBe(`0x${Buffer.from(binding).toString('hex')}`)
  })

  test.each<readonly [string, RequestInit, string]>([
    ['body', { ...order, body: '{"sku":"A2"}' }, PATH],
    ['missing body', { method: 'POST' }, PATH],
    ['method', { ...order, method: 'PUT' }, PATH],
    ['path', order, '/orders/2?dry=0'],
    ['query', order, '/orders?dry=1'],
    ['missing query', order, '/orders'],
  ])('EXT-BIND-004 refuses it for another %s, and nothing is worked for or settled', async (_, init, path) => {
    const shop = await shopWith()
    const { payment } = await buy(shop, order, PATH, { dry: true })
    // What a payment says of its resource is its sender's word: a thief leaves it away.
    const { resource: __, ...bare } = payment
    const answer = await shop.present(bare, init, path)
    expect([answer.status, await codeOf(answer), shop.works()]).toEqual([402, 'request_binding_mismatch', 0])
    expect(shop.stub.calls.settle).toEqual([])
    // It is as good as before for what it was made for.
    expect((await shop.present(payment, order, PATH)).status).toBe(200)
  })

  describe('with headers that decide what is done', () => {
    const headers = ['Content-Type', 'accept', 'x-region']
    const terms = { [KEY]: { required: true, headers } }
    const mine = { ...order, headers: { 'content-type': 'application/json', 'x-region': 'eu' } }

    test('EXT-BIND-008 EXT-BIND-002 names them, and takes a payment with the very same ones', async () => {
      const shop = await shopWith(terms)
      const { extensions } = await shop.challenge()
      expect(extensionInfo(extensions, KEY)).toEqual({
        ...{ version: 1, required: true },
        headers: ['accept', 'content-type', 'x-region'],
      })
      expect((await buy(shop, mine, PATH)).response.status).toBe(200)
      // What platforms fill in for an absent one is what its absence means.
      const other = await shopWith(terms)
      const { payment } = await buy(other, mine, PATH, { dry: true })
      const filled = { ...mine, headers: { ...mine.headers, accept: '*/*' } }
      expect((await other.present(payment, filled, PATH)).status).toBe(200)
    })

    test.each<readonly [string, Record<string, string>]>([
      ['another type of the same bytes', { 'content-type': 'text/plain', 'x-region': 'eu' }],
      ['another region', { 'content-type': 'application/json', 'x-region': 'us' }],
      ['none', {}],
      ['another answer', { 'content-type': 'application/json', 'x-region': 'eu', accept: 'text/html' }],
    ])('EXT-BIND-008 refuses a payment that comes with %s', async (_, other) => {
      const shop = await shopWith(terms)
      const { payment } = await buy(shop, mine, PATH, { dry: true })
      const info = extensionInfo(payment.extensions, KEY)
      for (const said of [info, { ...info, headers: undefined }]) {
        const presented = { ...payment, extensions: { [KEY]: { info: said } } } as PaymentPayload
        const answer = await shop.present(presented, { ...mine, headers: other }, PATH)
        expect([answer.status, shop.works()]).toEqual([402, 0])
      }
      expect((await shop.present(payment, mine, PATH)).status).toBe(200)
    })

    test.each([['host'], ['PAYMENT-SIGNATURE'], ['x-forwarded-for'], ['a b'], [7], Array(17).fill('x')])(
      'EXT-BIND-009 %j cannot be bound, and stop the start',
      async (...names) => {
        await expect(shopWith({ [KEY]: { headers: names } as never })).rejects.toMatchObject({ code: 'invalid_config' })
      },
    )
  })

  test('EXT-BIND-004 refuses a salt that was put in afterwards', async () => {
    const shop = await shopWith({ [KEY]: { required: false } })
    const salted = { [KEY]: { info: { version: 1, required: false, salt: '0'.repeat(32) } } }
    const { payment: unbound } = await buy(shop, order, PATH, { dry: true, bound: false })
    expect(await codeOf(await shop.present({ ...unbound, extensions: salted }, order, PATH))).toBe(
      'request_binding_mismatch',
    )
    expect(shop.works()).toBe(0)
  })

  test('EXT-BIND-005 refuses a payment that is not bound where it requires that, and takes it elsewhere', async () => {
    const strict = await shopWith()
    const { payment } = await buy(strict, order, PATH, { dry: true, bound: false })
    const answer = await strict.present(payment, order, PATH)
    expect([answer.status, await codeOf(answer)]).toEqual([402, 'request_binding_required'])
    expect(strict.stub.calls.verify).toEqual([])
    const lax = await shopWith({ [KEY]: { required: false } })
    expect((await buy(lax, order, PATH, { bound: false })).response.status).toBe(200)
  })

  test.each(['', 'xyz', 7, null, '0'.repeat(31), 'A'.repeat(32)])('EXT-BIND-005 the salt %j is none', async (salt) => {
    const shop = await shopWith()
    const { payment } = await buy(shop, order, PATH, { dry: true })
    const changed = { ...payment, extensions: { [KEY]: { info: { version: 1, required: true, salt } } } }
    expect(await codeOf(await shop.present(changed, order, PATH))).toBe('extension_invalid')
    expect(shop.stub.calls.verify).toEqual([])
  })

  test('EXT-BIND-006 needs its origin, and no word of its configuration is guessed', () => {
    const make = (extensions: JsonObject, origin?: string) => {
      const paid = paywall({
        facilitator: 'https://pay.example',
        payTo: { 'base-sepolia': payTo },
        schemes: [testScheme],
        store: createMemoryClaims({ singleProcess: true }),
        extensions: [boundRequests()],
        ...(origin && { origin }),
      })
      return () => paid({ price: '$1', extensions: extensions as never }, () => new Response())
    }
    expect(make({ [KEY]: true })).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    for (const said of ['yes', { required: 'no' }, { require: true }, []]) {
      expect(make({ [KEY]: said }, ORIGIN)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    }
  })

  test('EXT-BIND-007 refuses a body that it cannot read whole', async () => {
    const shop = await shopWith()
    const long = { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) }
    const { payment } = await buy(shop, long, PATH, { dry: true })
    const answer = await shop.present(payment, long, PATH)
    expect([await codeOf(answer), shop.works(), shop.stub.calls.settle]).toEqual(['request_too_large', 0, []])
  })
})

test('EXT-BIND-003 every payment has its own salt and its own nonce', async () => {
  const shop = await shopWith()
  const payments = [await buy(shop, order, PATH), await buy(shop, order, PATH)].map(({ payment }) => payment)
  expect(new Set(payments.map(saltOf)).size).toBe(2)
  expect(new Set(payments.map(nonceOf)).size).toBe(2)
})

test('EXT-BIND-002 a binding says all of the request and nothing else', () => {
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    url: fc.webUrl({ withQueryParameters: true }),
    body: fc.uint8Array({ maxLength: 16 }),
    salt: fc.constantFrom('0'.repeat(32), '1'.repeat(32)),
  })
  const textOf = (each: Parameters<typeof bindingOf>[0]) => JSON.stringify({ ...each, body: [...each.body] })
  fc.assert(
    fc.property(request, request, (a, b) => {
      expect(Buffer.compare(bindingOf(a), bindingOf(b)) === 0).toBe(textOf(a) === textOf(b))
    }),
  )
})

describe('where schemes write what is drawn', () => {
  const NET = network('base-sepolia')
  const SOL = network('solana-devnet')
  const paymentOf = (payload: JsonObject, net = NET, scheme = 'exact'): PaymentPayload => ({
    x402Version: 2,
    ...{ scheme, network: net, payload },
  })

  test('EXT-BIND-002 the nonce of EIP-3009 and that of Permit2', () => {
    const hex = 'ab'.repeat(32)
    expect(drawnBy(paymentOf({ authorization: { nonce: `0x${hex.toUpperCase()}` } }))).toBe(hex)
    const number = BigInt(`0x00${hex.slice(2)}`).toString()
    for (const scheme of ['exact', 'upto']) {
      const payment = paymentOf({ permit2Authorization: { nonce: number } }, NET, scheme)
      expect(drawnBy(payment)).toBe(`00${hex.slice(2)}`)
    }
    expect(drawnBy(paymentOf({ authorization: { nonce: `0x${hex}` } }, NET, 'batch-settlement'))).toBeUndefined()
    for (const nonce of ['0x12', '-1', 7, null, '01'])
      expect(drawnBy(paymentOf({ permit2Authorization: { nonce } }))).toBeUndefined()
  })

  test('EXT-BIND-004 none where a nonce that nobody signed stands beside what was signed', () => {
    const authorization = { nonce: `0x${'ab'.repeat(32)}` }
    const permit2Authorization = { nonce: '7' }
    const delegation = { delegationManager: payTo, permissionContext: '0x00', delegator: payTo }
    for (const scheme of ['exact', 'upto']) {
      for (const payload of [{ authorization, permit2Authorization }, { authorization, ...delegation }, delegation, {}])
        expect(drawnBy(paymentOf(payload, NET, scheme))).toBeUndefined()
    }
  })

  test('EXT-BIND-002 the memo on Solana, where there is exactly one', () => {
    const text = '0123456789abcdef'.repeat(2)
    const transactionOf = (...memos: readonly string[]): JsonObject => {
      const message = encodeMessage({
        feePayer: systemRandom(32),
        blockhash: systemRandom(32),
        instructions: memos.map((each) => memo(new TextEncoder().encode(each))),
      })
      return { transaction: encodeBase64(encodeTransaction([undefined], message)) }
    }
    expect(drawnBy(paymentOf(transactionOf(text), SOL))).toBe(text)
    for (const wrong of [transactionOf(text, text), transactionOf('order 7'), { transaction: '!' }, {}])
      expect(drawnBy(paymentOf(wrong, SOL))).toBeUndefined()
  })
})
