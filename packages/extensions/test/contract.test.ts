import { createServer } from 'node:http'
import { createPayer } from '@groat/client'
import {
  type DeclaredExtension,
  decodeReceipt,
  defineExtension,
  type ExtensionServer,
  type JsonObject,
  refuse,
} from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { memoryIdentifiers, paymentIdentifiers } from '@groat/extensions/payment-identifier/server'
import { createMemoryClaims, paywall } from '@groat/server'
import { paywall as nodePaywall } from '@groat/server/node'
import { afterEach, describe, expect, test } from 'vitest'
import { refusedSettle } from '../../server/test/facilitator-stub.js'
import { listen } from '../../server/test/listen.js'
import { headersOf, payTo, testScheme } from '../../server/test/test-scheme.js'
import { challengeOf, codeOf, openShop, type TestShop } from './shop.js'

const extension = defineExtension({ key: 'test', info: {}, fresh: ['at'] })
const half = (declared: DeclaredExtension): ExtensionServer => ({ extension, declare: () => declared })
const announce: JsonObject = { info: { a: 1 }, schema: {} }

const open: TestShop[] = []
afterEach(() => Promise.all(open.splice(0).map((shop) => shop.close())))

async function shopOf(
  declared: DeclaredExtension,
  more: Parameters<typeof openShop>[0] = { price: '$0.001', extensions: { test: true } },
  handler?: Parameters<typeof openShop>[2],
) {
  const shop = await openShop(more, { extensions: [half(declared)] }, handler)
  open.push(shop)
  return shop
}

const said = (response: Response): JsonObject | undefined => {
  const receipt = decodeReceipt((name) => response.headers.get(name))
  return receipt?.ok && receipt.value.status === 'settled' ? receipt.value.receipt.extensions : undefined
}

describe('a gate with extensions', () => {
  test('EXT-003 does not start where a route declares what nobody registered', () => {
    const paid = paywall({
      facilitator: 'https://pay.example',
      payTo: { base: payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
    })
    const declare = (extensions: JsonObject) => () =>
      paid({ price: '$1', extensions: extensions as never }, () => new Response())
    expect(declare({ 'sign-in-with-x': true })).toThrow(
      expect.objectContaining({
        code: 'extension_not_registered',
        context: expect.objectContaining({ extension: 'sign-in-with-x' }),
      }),
    )
    // What is not meant on a route need not be known either.
    expect(declare({ toString: true })).toThrow()
  })

  test.each(['before', 'after'])(
    'EXT-004 asks every guard about a payment that takes the place of one of its name, registered %s that of names',
    async (place) => {
      let asked = 0
      const screening = half({
        guard: async () => {
          asked += 1
          return refuse('extension_invalid')
        },
      })
      const names = paymentIdentifiers({ store: memoryIdentifiers() })
      const extensions = place === 'before' ? [screening, names] : [names, screening]
      const shop = await openShop(
        { price: '$0.001', extensions: { test: true, 'payment-identifier': true } },
        { extensions },
      )
      open.push(shop)
      const id = { 'payment-identifier': { info: { required: false, id: 'pay_0123456789abcdef' } } }
      for (const count of [1, 2, 3]) {
        const answer = await shop.present(await shop.sign({ extensions: id }))
        expect([answer.status, await codeOf(answer), asked]).toEqual([402, 'extension_invalid', count])
      }
      expect([shop.works(), shop.stub.ledger.size]).toEqual([0, 0])
    },
  )

  test.each(['strict', 'upfront'] as const)(
    'EXT-014 asks before it answers a payment that comes again, in mode %s, and a refusal leaves what is owed',
    async (mode) => {
      let fails = 1
      let word: 'yes' | 'no' | 'silence' = 'no'
      const shop = await shopOf(
        {
          resume: async () => {
            if (word === 'silence') throw new Error('down')
            return word === 'no' ? refuse('extension_invalid') : undefined
          },
        },
        { price: '$0.001', mode, extensions: { test: true } },
        () => new Response('goods', { status: mode === 'upfront' && fails-- > 0 ? 500 : 200 }),
      )
      const payment = await shop.sign()
      await shop.present(payment)
      const refused = await shop.present(payment)
      expect([refused.status, await codeOf(refused)]).toEqual([402, 'extension_invalid'])
      word = 'silence'
      expect(await codeOf(await shop.present(payment))).toBe('extension_unavailable')
      word = 'yes'
      const served = await shop.present(payment)
      expect([served.status, await served.text(), shop.stub.ledger.size]).toEqual([200, 'goods', 1])
    },
  )

  test('EXT-001 CORE-080 announces it where it is declared, and nowhere else', async () => {
    const shop = await shopOf({ announce })
    expect((await shop.challenge()).extensions).toEqual({ test: announce })
    expect((await (await shopOf({ announce }, '$0.001')).challenge()).extensions).toBeUndefined()
    expect(
      (await (await shopOf({ announce }, { price: '$0.001', extensions: { test: false } })).challenge()).extensions,
    ).toBeUndefined()
  })

  test('EXT-001 makes what is made for one request, and keeps the static part on refusals', async () => {
    let count = 0
    const shop = await shopOf({
      announce,
      enrich: ({ request, offers }) => ({
        info: { a: 1, at: ++count, url: request.url, offers: offers.length },
        schema: {},
      }),
    })
    expect((await shop.challenge()).extensions).toMatchObject({ test: { info: { at: 1, offers: 1 } } })
    expect((await shop.challenge()).extensions).toMatchObject({ test: { info: { at: 2 } } })
    const refused = await shop.present(await shop.sign({ payload: { value: '1' } }))
    expect((await challengeOf(refused)).extensions).toEqual({ test: announce })
  })

  test('EXT-006 leaves out what could not be made', async () => {
    const shop = await shopOf({ announce, enrich: () => Promise.reject(new Error('no key')) })
    const challenge = await shop.ask()
    expect([challenge.status, (await challengeOf(challenge)).extensions]).toEqual([402, undefined])
  })

  test.each(['strict', 'upfront', 'accepted'] as const)(
    'EXT-004 EXT-005 D7 D8 asks guards before work and money in mode %s, and takes silence for no',
    async (mode) => {
      const seen: string[] = []
      const shop = await shopOf(
        {
          guard: async ({ payer }) => {
            seen.push(payer)
            throw new Error('down')
          },
        },
        { price: '$0.001', mode, extensions: { test: true } },
      )
      const answer = await shop.present(await shop.sign())
      expect([answer.status, await codeOf(answer), seen.length, shop.works(), shop.stub.calls.settle.length]).toEqual([
        503,
        'extension_unavailable',
        1,
        0,
        0,
      ])
    },
  )

  test('EXT-004 passes a refusal on, and frees the payment', async () => {
    let no = true
    const shop = await shopOf({ guard: async () => (no ? refuse('extension_invalid') : undefined) })
    const payment = await shop.sign()
    const answer = await shop.present(payment)
    expect([answer.status, await codeOf(answer)]).toEqual([402, 'extension_invalid'])
    no = false
    expect((await shop.present(payment)).status).toBe(200)
  })

  test('CORE-081 CORE-082 CORE-084 refuses an echo that changes what was announced, before the facilitator is asked', async () => {
    const shop = await shopOf({ announce })
    const changed = await shop.present(await shop.sign({ extensions: { test: { info: { a: 2 } } } }))
    expect([changed.status, await codeOf(changed), shop.stub.calls.verify.length]).toEqual([
      402,
      'extension_echo_mismatch',
      0,
    ])
    const added = await shop.present(
      await shop.sign({ extensions: { test: { info: { a: 1, b: 2 } }, other: { info: {} } } }),
    )
    expect(added.status).toBe(200)
  })

  test('CORE-083 takes a payment that echoes nothing', async () => {
    const shop = await shopOf({ announce })
    expect((await shop.present(await shop.sign())).status).toBe(200)
  })

  test.each(['strict', 'upfront'] as const)(
    'EXT-009 completes the receipt of what was settled and delivered in mode %s',
    async (mode) => {
      const shop = await shopOf(
        { settled: ({ receipt }) => ({ info: { of: receipt.transaction } }) },
        { price: '$0.001', mode, extensions: { test: true } },
      )
      expect(said(await shop.present(await shop.sign()))).toEqual({
        test: { info: { of: `0x${'1'.padStart(64, '0')}` } },
      })
      shop.stub.does.settle = [refusedSettle()]
      expect(said(await shop.present(await shop.sign()))).toBeUndefined()
    },
  )

  test('EXT-008 says nothing of a delivery that failed', async () => {
    const shop = await shopOf(
      { settled: () => ({ info: {} }) },
      { price: '$0.001', mode: 'upfront', extensions: { test: true } },
      () => new Response('no', { status: 500 }),
    )
    const answer = await shop.present(await shop.sign())
    expect([answer.status, answer.headers.has('payment-response'), said(answer)]).toEqual([500, true, undefined])
  })

  test('EXT-009 a receipt that an extension cannot complete goes out without it: the money has moved', async () => {
    const shop = await shopOf({ settled: () => Promise.reject(new Error('kms')) })
    const answer = await shop.present(await shop.sign())
    expect([answer.status, said(answer)]).toEqual([200, undefined])
  })

  test('EXT-015 an extension that never answers holds neither a challenge nor a delivery back', async () => {
    const silent = () => new Promise<never>(() => {})
    const shop = await openShop(
      { price: '$0.001', extensions: { test: true } },
      { extensions: [half({ enrich: silent, settled: silent })], leaseSeconds: 2 },
    )
    open.push(shop)
    expect((await shop.challenge()).extensions).toBeUndefined()
    const answer = await shop.present(await shop.sign())
    expect([answer.status, await answer.text(), said(answer)]).toEqual([200, 'goods', undefined])
  })

  test('EXT-010 SEC-003 oversized and deep extensions are refused and break nothing', async () => {
    const shop = await shopOf({ announce })
    let deep: JsonObject = {}
    for (let i = 0; i < 200; i++) deep = { d: deep }
    for (const extensions of [{ test: { info: deep } }, { big: { info: { x: 'x'.repeat(40_000) } } }]) {
      const answer = await shop.present(await shop.sign({ extensions }))
      expect(answer.status).toBe(402)
    }
    const hostile = JSON.parse('{"__proto__":{"info":{"a":1}},"constructor":{"info":1},"toString":null}')
    expect((await shop.present(await shop.sign({ extensions: hostile }))).status).toBe(200)
  })
})

describe('a Node handler', () => {
  test('EXT-ID-007 still reads the body that an extension has read', async () => {
    const shop = await openShop('$0.001', {})
    open.push(shop)
    const paid = nodePaywall({
      facilitator: shop.stub.url,
      payTo: { 'base-sepolia': payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
      extensions: [paymentIdentifiers({ store: memoryIdentifiers() })],
    })
    const server = createServer(
      paid({ price: '$0.001', extensions: { 'payment-identifier': true } }, async (req, res) => {
        let size = 0
        for await (const chunk of req) size += chunk.length
        res.end(String(size))
      }),
    )
    const { url, close } = await listen(server)
    try {
      const [offer] = (await challengeOf(await fetch(url))).accepts
      for (const size of [0, 1, 200_000]) {
        const payment = {
          ...(await shop.sign()),
          accepted: offer!,
          extensions: { 'payment-identifier': { info: { required: false, id: `pay_0123456789abcd${size}` } } },
        }
        const answer = await fetch(url, { method: 'POST', body: 'x'.repeat(size), headers: headersOf(payment) })
        expect([answer.status, await answer.text()]).toEqual([200, String(size)])
      }
    } finally {
      await close()
    }
  })
})

describe('a payer with extensions', () => {
  const account = privateKeyAccount(`0x${'11'.repeat(32)}`)
  const challenge = async () => {
    const shop = await shopOf({ announce })
    return shop
  }
  const payWith = async (attach: () => JsonObject | undefined, present?: () => Promise<Record<string, string>>) => {
    const shop = await challenge()
    const sent: Request[] = []
    const payer = createPayer({
      schemes: [exactEvm({ account })],
      policy: { perPayment: '$1' },
      extensions: [{ extension, attach, ...(present && { present }) }],
      fetch: async (input, init) => {
        const request = new Request(input, init)
        sent.push(request)
        return shop.ask({ method: request.method, headers: request.headers }, new URL(request.url).pathname)
      },
    })
    await payer.fetch('https://shop.example/a')
    const header = sent.map(({ headers }) => headers.get('payment-signature')).find((value) => value !== null)
    return { sent, extensions: header ? JSON.parse(Buffer.from(header, 'base64').toString()).extensions : undefined }
  }

  test('CORE-081 attaches its own in the place of the echo', async () => {
    expect((await payWith(() => ({ info: { a: 1, b: 2 } }))).extensions).toEqual({ test: { info: { a: 1, b: 2 } } })
    expect((await payWith(() => undefined)).extensions).toBeUndefined()
  })
  test('EXT-020 pays although an extension fails', async () => {
    const { sent, extensions } = await payWith(() => {
      throw new Error('x')
    })
    expect([sent.length, extensions]).toEqual([2, undefined])
  })
  test('EXT-021 asks once more as somebody known, at the same origin, before it pays', async () => {
    const { sent } = await payWith(
      () => undefined,
      async () => ({ 'x-known': 'me' }),
    )
    expect(sent.map(({ headers }) => [headers.get('x-known'), headers.has('payment-signature')])).toEqual([
      [null, false],
      ['me', false],
      [null, true],
    ])
  })
})
