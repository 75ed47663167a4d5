import { extensionInfo, type Json, type JsonObject, network, type Pid } from '@groat/core'
import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import {
  fingerprintOf,
  type Identifiers,
  memoryIdentifiers,
  paymentIdentifiers,
} from '@groat/extensions/payment-identifier/server'
import { sqlIdentifiers } from '@groat/extensions/payment-identifier/sql'
import { createMemoryClaims, paywall, type RouteOptions } from '@groat/server'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore } from '@groat/store'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { refusedVerify, settled, thenDrop } from '../../server/test/facilitator-stub.js'
import * as frameworks from '../../server/test/frameworks.js'
import { openMarket } from '../../server/test/shop.js'
import { payTo, testScheme } from '../../server/test/test-scheme.js'
import { codeOf, openShop, type TestShop } from './shop.js'

const ID = 'pay_0123456789abcdef'
const named = (id: Json = ID, required = false): JsonObject => ({ 'payment-identifier': { info: { required, id } } })
const route = (required = false): RouteOptions => ({
  price: '$0.001',
  extensions: { 'payment-identifier': required ? { required: true } : true },
})
const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

async function shopWith(
  options: { required?: boolean; mode?: RouteOptions['mode']; handler?: Parameters<typeof openShop>[2] } = {},
): Promise<TestShop> {
  const { required, mode, handler } = options
  const shop = await openShop(
    { ...route(required), ...(mode && { mode }) },
    (clock) => ({ extensions: [paymentIdentifiers({ store: memoryIdentifiers({ clock }) })] }),
    handler,
  )
  open.push(shop)
  return shop
}

describe('a seller of named payments', () => {
  test('EXT-ID-001 announces whether a name is required, with the schema of a completed info', async () => {
    const shop = await shopWith({ required: true })
    const { extensions } = await shop.challenge()
    expect(extensions?.['payment-identifier']).toMatchObject({
      info: { required: true },
      schema: { required: ['required'] },
    })
  })

  test('EXT-ID-002 refuses a payment without a name where one is required, with 400 and no settlement', async () => {
    const shop = await shopWith({ required: true })
    const answer = await shop.present(await shop.sign())
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'payment_identifier_required'])
    expect(shop.stub.calls.verify).toEqual([])
  })

  test.each(['short', 'x'.repeat(129), 'pay_0123456789abcd!', 7, null, { a: 1 }, ['pay_0123456789abcdef']] as Json[])(
    'EXT-ID-003 refuses the malformed name %j, required or not',
    async (id) => {
      const shop = await shopWith()
      const answer = await shop.present(await shop.sign({ extensions: named(id) }))
      expect([answer.status, await codeOf(answer), shop.works()]).toEqual([400, 'payment_identifier_invalid', 0])
    },
  )

  test('EXT-ID-004 answers a second payment of the same name for the same request by the first, and settles it never', async () => {
    const shop = await shopWith()
    const first = await shop.present(await shop.sign({ extensions: named() }))
    const second = await shop.present(await shop.sign({ extensions: named() }))
    expect([first.status, second.status, shop.works()]).toEqual([200, 200, 1])
    expect(await second.text()).toBe(await first.text())
    expect(second.headers.get('payment-response')).toBe(first.headers.get('payment-response'))
    expect(shop.stub.ledger.size).toBe(1)
  })

  test('EXT-ID-005 refuses the same name for another request with 409, and charges nothing', async () => {
    const shop = await shopWith()
    const post = (body: string): RequestInit => ({ method: 'POST', body })
    expect((await shop.present(await shop.sign({ extensions: named() }), post('a'))).status).toBe(200)
    const others: [RequestInit, string?][] = [
      [post('b')],
      [{ method: 'PUT', body: 'a' }],
      [post('a'), '/b'],
      [post('a'), '/a?x=1'],
    ]
    for (const [init, path] of others) {
      const answer = await shop.present(await shop.sign({ extensions: named(), ...(path && { path }) }), init, path)
      expect([answer.status, await codeOf(answer)]).toEqual([409, 'payment_identifier_conflict'])
    }
    expect([shop.works(), shop.stub.ledger.size]).toEqual([1, 1])
  })

  test('EXT-ID-006 D6 a name alone opens nothing: a payment that does not verify is refused, whatever it is called', async () => {
    const shop = await shopWith()
    await shop.present(await shop.sign({ extensions: named() }))
    shop.stub.does.verify = [refusedVerify('invalid_exact_evm_signature')]
    const forged = await shop.present(await shop.sign({ extensions: named() }))
    expect([forged.status, await codeOf(forged), shop.works()]).toEqual([402, 'invalid_exact_evm_signature', 1])
  })

  test('EXT-ID-008 names of different payers have nothing to do with one another', async () => {
    const shop = await shopWith()
    await shop.present(await shop.sign({ extensions: named() }))
    const other = await shop.present(await shop.sign({ extensions: named(), payload: { from: payTo } }))
    expect([other.status, shop.works(), shop.stub.ledger.size]).toEqual([200, 2, 2])
  })

  test('EXT-ID-009 a payment whose predecessor charged nothing takes its place', async () => {
    let fails = 1
    const shop = await shopWith({ handler: () => new Response('x', { status: fails-- > 0 ? 500 : 200 }) })
    const dead = await shop.sign({ extensions: named() })
    expect((await shop.present(dead)).status).toBe(500)
    const second = await shop.present(await shop.sign({ extensions: named() }))
    expect([second.status, shop.stub.ledger.size]).toEqual([200, 1])
    // The first one, late: it is now the one that repeats.
    const late = await shop.present(dead)
    expect([late.status, shop.works(), shop.stub.ledger.size]).toEqual([200, 2, 1])
  })

  test('EXT-ID-012 a predecessor that is presented while its name is taken over is not begun again', async () => {
    let fails = 1
    let meanwhile: Promise<Response> | undefined
    const present: { first?: () => Promise<Response> } = {}
    const shop = await openShop(
      route(),
      (clock) => {
        const store = memoryIdentifiers({ clock })
        const slow: Identifiers = {
          ...store,
          replace: async (...row) => {
            meanwhile = present.first?.()
            await meanwhile
            return store.replace(...row)
          },
        }
        return { extensions: [paymentIdentifiers({ store: slow })] }
      },
      () => new Response('x', { status: fails-- > 0 ? 500 : 200 }),
    )
    open.push(shop)
    const dead = await shop.sign({ extensions: named() })
    expect((await shop.present(dead)).status).toBe(500)
    present.first = () => shop.present(dead)
    const second = await shop.present(await shop.sign({ extensions: named() }))
    expect([second.status, (await meanwhile)?.status, shop.stub.ledger.size]).toEqual([200, 409, 1])
  })

  test.each(['strict', 'upfront'] as const)(
    'EXT-ID-005 EXT-014 what a named payment is owed in mode %s is not given for another body',
    async (mode) => {
      let fails = 1
      const shop = await shopWith({
        mode,
        handler: async (request) => {
          const body = await request.text()
          return new Response(body, { status: mode === 'upfront' && fails-- > 0 ? 500 : 200 })
        },
      })
      const post = (body: string): RequestInit => ({ method: 'POST', body })
      const payment = await shop.sign({ extensions: named() })
      await shop.present(payment, post('a'))
      const other = await shop.present(payment, post('b'))
      const code = mode === 'upfront' ? 'idempotency_mismatch' : 'payment_identifier_conflict'
      expect([other.status, await codeOf(other)]).toEqual([409, code])
      const own = await shop.present(payment, post('a'))
      expect([own.status, await own.text(), shop.stub.ledger.size]).toEqual([200, 'a', 1])
    },
  )

  test('EXT-ID-010 a payment whose predecessor may have been settled settles that one again, and no other', async () => {
    const shop = await shopWith()
    shop.stub.does.settle = [thenDrop(settled), settled]
    const first = await shop.present(await shop.sign({ extensions: named() }))
    const second = await shop.present(await shop.sign({ extensions: named() }))
    expect(second.status).toBe(200)
    expect([shop.works(), shop.stub.ledger.size]).toEqual([1, 1])
    expect([200, 503]).toContain(first.status)
  })

  test('EXT-ID-011 a name whose answer is not kept any more is spent: nothing is charged twice', async () => {
    const shop = await shopWith()
    await shop.present(await shop.sign({ extensions: named() }))
    shop.later(3 * 24 * 3_600_000)
    const answer = await shop.present(await shop.sign({ extensions: named() }))
    expect(answer.status).not.toBe(200)
    expect([shop.works(), shop.stub.ledger.size]).toEqual([1, 1])
  })

  test('EXT-ID-012 many payments of one name at once are settled once', async () => {
    const shop = await shopWith()
    const payments = await Promise.all(Array.from({ length: 8 }, () => shop.sign({ extensions: named() })))
    const answers = await Promise.all(payments.map((payment) => shop.present(payment)))
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1)
    expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 409)).toEqual([])
    expect(shop.stub.ledger.size).toBe(1)
  })

  test('EXT-ID-013 a store that is down refuses before any money moves', async () => {
    const broken = { bind: () => Promise.reject(new Error('down')), replace: () => Promise.reject(new Error('down')) }
    const shop = await openShop(route(), { extensions: [paymentIdentifiers({ store: broken })] })
    open.push(shop)
    const answer = await shop.present(await shop.sign({ extensions: named() }))
    expect([answer.status, await codeOf(answer), shop.works(), shop.stub.calls.settle.length]).toEqual([
      503,
      'extension_unavailable',
      0,
      0,
    ])
    expect((await shop.present(await shop.sign())).status).toBe(200)
  })

  test.each(['upfront', 'accepted'] as const)('EXT-ID-004 in mode %s as well', async (mode) => {
    const shop = await shopWith({ mode })
    for (let i = 0; i < 2; i++) {
      const answer = await shop.present(await shop.sign({ extensions: named() }))
      expect([answer.status, await answer.text()]).toEqual([200, 'goods'])
    }
    expect(shop.stub.ledger.size).toBe(1)
  })

  test('EXT-ID-014 works with names and claims in one database', async () => {
    const store = await openMemoryStore()
    const claims = await sqlClaims(store)
    const shop = await openShop(route(), {
      store: claims,
      extensions: [paymentIdentifiers({ store: await sqlIdentifiers(store) })],
    })
    open.push(shop)
    for (let i = 0; i < 2; i++) expect((await shop.present(await shop.sign({ extensions: named() }))).status).toBe(200)
    const other = await shop.present(await shop.sign({ extensions: named() }), { method: 'POST', body: 'x' })
    expect([other.status, shop.works(), shop.stub.ledger.size]).toEqual([409, 1, 1])
    await store.close()
  })

  test('EXT-010 D9 the schema of a client is never run, whatever is in it', async () => {
    const shop = await shopWith()
    const extensions = {
      'payment-identifier': {
        info: { required: false, id: 'a'.repeat(40) },
        schema: { properties: { id: { pattern: '^(a+)+$' } }, $ref: 'http://127.0.0.1:9/' },
      },
    }
    expect((await shop.present(await shop.sign({ extensions }))).status).toBe(200)
  })

  test.each([null, 1, 'yes', [], { required: 1 }, { requird: true }] as Json[])(
    'declared as %j it stops the start',
    (declared) => {
      expect(() =>
        paywall({
          facilitator: 'https://pay.example',
          payTo: { base: payTo },
          schemes: [testScheme],
          store: createMemoryClaims({ singleProcess: true }),
          extensions: [paymentIdentifiers({ store: memoryIdentifiers() })],
        })({ price: '$1', extensions: { 'payment-identifier': declared } }, () => new Response()),
      ).toThrow(expect.objectContaining({ code: 'invalid_config' }))
    },
  )
})

const everyFramework = Object.values(frameworks).filter(
  (framework) => typeof framework === 'object' && 'open' in framework,
)

describe.each(everyFramework)('behind $name', (framework) => {
  test('EXT-ID-007 the body is part of the request, and still the handler’s to read', async () => {
    const market = await openMarket(
      framework,
      { '/a': { input: route(), handler: () => ({ body: 'goods' }) } },
      { extensions: [paymentIdentifiers({ store: memoryIdentifiers() })] },
    )
    try {
      const send = async (body: string) =>
        market.present('/a', { ...(await market.sign('/a')), extensions: named() }, { method: 'POST', body })
      const statuses = [(await send('one')).status, (await send('one')).status, (await send('two')).status]
      expect(statuses).toEqual([200, 200, 409])
      // A form that is sent again has another boundary.
      const form = async (words: string, boundary: string) => {
        const body = `--${boundary}\r\ncontent-disposition: form-data; name="words"\r\n\r\n${words}\r\n--${boundary}--\r\n`
        const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
        const payment = { ...(await market.sign('/a')), extensions: named('payment-of-a-form-0001') }
        return (await market.present('/a', payment, { method: 'POST', body, headers })).status
      }
      expect([await form('a', 'one'), await form('a', 'two'), await form('b', 'two')]).toEqual([200, 200, 409])
    } finally {
      await market.close()
    }
  })
})

describe('fingerprints', () => {
  const body = new TextEncoder().encode('{"sku":"A1","qty":2}')
  const requirements = {
    scheme: 'exact',
    network: network('eip155:8453'),
    asset: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
    amount: 10000n,
    payTo: '0x1563915e194D8CfBA1943570603F7606A3115508',
  }
  const request = {
    method: 'POST',
    url: 'https://api.example.test/v1/orders?dry=0',
    body,
    payer: '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A',
    requirements,
  }

  test('EXT-ID-007 are those of the vector', () => {
    expect(fingerprintOf(request)).toBe('3b3fccc31bd5218351e9eeb3abc60e2cc782fea2bba8ed1150e798fbf2060dd5')
  })

  test('EXT-ID-007 differ whenever anything in them does', () => {
    const changed = [
      { ...request, method: 'PUT' },
      { ...request, url: `${request.url}1` },
      { ...request, body: body.slice(1) },
      { ...request, payer: requirements.payTo },
      ...(['scheme', 'asset', 'payTo'] as const).map((name) => ({
        ...request,
        requirements: { ...requirements, [name]: 'x' },
      })),
      { ...request, requirements: { ...requirements, amount: 10001n } },
      { ...request, requirements: { ...requirements, network: network('eip155:1') } },
    ]
    expect(new Set([request, ...changed].map(fingerprintOf)).size).toBe(changed.length + 1)
  })
})

describe('names in a store', () => {
  test('EXT-ID-012 belong to the first, and go from hand to hand only from whoever has them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            pid: fc.constantFrom('a', 'b', 'c'),
            former: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
          }),
          { maxLength: 12 },
        ),
        async (steps) => {
          const store = memoryIdentifiers()
          let holder: string | undefined
          for (const { pid, former } of steps) {
            const row = {
              payer: 'p',
              id: ID,
              fingerprint: 'f',
              pid: pid as Pid,
              payment: '{}',
              keepUntil: Number.MAX_SAFE_INTEGER,
            }
            if (former === undefined) {
              holder ??= pid
              expect((await store.bind(row)).pid).toBe(holder)
            } else {
              expect(await store.replace(row, former as Pid)).toBe(holder === former)
              if (holder === former) holder = pid
            }
          }
        },
      ),
    )
  })
})

describe('a payer', () => {
  const about = { random: (size: number) => globalThis.crypto.getRandomValues(new Uint8Array(size)) } as never
  test('EXT-ID-020 names a request with a key the same at every try, and any other at random', async () => {
    const { attach } = identifiedPayments()
    const announced = { info: { required: true, more: 1 }, schema: {} }
    const idOf = async (request?: string): Promise<string> => {
      const attached = await attach?.(announced, { ...(about as object), request } as never)
      return String(extensionInfo({ 'payment-identifier': attached }, 'payment-identifier')?.id)
    }
    expect(await idOf('k')).toBe(await idOf('k'))
    expect(await idOf('k')).not.toBe(await idOf('l'))
    expect(await idOf()).not.toBe(await idOf())
    expect(await idOf()).toMatch(/^pay_[0-9a-f]{32}$/)
  })
  test('CORE-082 keeps what was announced', async () => {
    expect(
      await identifiedPayments().attach?.({ info: { required: true, more: 1 }, schema: { a: 1 } }, about),
    ).toMatchObject({ info: { required: true, more: 1 }, schema: { a: 1 } })
  })
})
