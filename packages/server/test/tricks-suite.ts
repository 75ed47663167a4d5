import { gzipSync } from 'node:zlib'
import { PaymentRequiredError } from '@groat/server'
import { afterEach, describe, expect, test } from 'vitest'
import { type Framework, type Shop, spelled, type TestHandler } from './frameworks.js'
import { type Answered, expectRefused, type Market, offersOf, openMarket, problemOf } from './shop.js'
import { headersOf, paymentFor } from './test-scheme.js'

const WEATHER = 'sunny'

/** What every adapter does with whatever else HTTP lets a client send: nothing runs unpaid, and nothing is paid for that did not run. */
export function describeTricks(framework: Framework): void {
  describe(`tricks behind ${framework.name}`, () => {
    let market: Market
    let runs: number

    const weather: TestHandler = () => {
      runs += 1
      return { headers: [['x-result', WEATHER]], body: WEATHER }
    }

    const open = async (
      input: Shop['routes'][string]['input'] = '$0.001',
      { path = '/weather', ...options }: Parameters<typeof openMarket>[2] & { readonly path?: string } = {},
    ): Promise<Market> => {
      runs = 0
      market = await openMarket(framework, { [path]: { input, handler: weather } }, options)
      return market
    }

    afterEach(() => market.close())

    const lines = (...more: readonly string[]): string => ['', ...more, 'Connection: close', '', ''].join('\r\n')

    const paymentLine = async (path = '/weather'): Promise<string> => {
      const [[name, value] = ['', '']] = Object.entries(headersOf(await market.sign(path)))
      return `${name}: ${value}`
    }

    test('SEC-020 F02 F03 whichever way a path is spelled, a payment runs the handler once or is not taken', async () => {
      await open()
      const spellings = [
        '/weather/',
        '/WEATHER',
        '//weather',
        '/./weather',
        '/x/../weather',
        '/%77eather',
        '/weather%2F',
      ]
      for (const target of [
        ...spellings,
        '/weather;a=1',
        '/weather.',
        '/%2e/weather',
        '/%',
        'http://evil.example/weather',
      ]) {
        const { ledger } = market.stub
        const before = [runs, ledger.size]
        const answer = await market.raw(`GET ${target} HTTP/1.1${lines('Host: 127.0.0.1', await paymentLine())}`)
        const ran = runs - (before[0] ?? 0)
        expect([target, ran, answer.includes(WEATHER)]).toEqual([target, ledger.size - (before[1] ?? 0), ran === 1])
      }
    })

    test('SEC-020 F36 whatever the method, and whatever it says that it is, a payment runs the handler once or is not taken', async () => {
      await open()
      for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
        const { ledger } = market.stub
        const before = [runs, ledger.size]
        const answer = await market.raw(
          `${method} /weather HTTP/1.1${lines(
            ...['Host: 127.0.0.1', 'Content-Length: 0', 'X-HTTP-Method-Override: GET', 'X-Method-Override: GET'],
            await paymentLine(),
          )}`,
        )
        const ran = runs - (before[0] ?? 0)
        expect([method, ran, answer.includes(WEATHER)]).toEqual([method, ledger.size - (before[1] ?? 0), ran === 1])
      }
      expect(runs).toBeGreaterThanOrEqual(3)
    })

    test('HTTP-048 F36 what was paid for by GET is not handed out by HEAD or POST, and the other way round', async () => {
      const { sign, present } = await open()
      for (const [first, others] of [
        ['GET', ['HEAD', 'POST']],
        ['HEAD', ['GET', 'POST']],
      ] as const) {
        const payment = await sign('/weather')
        expect((await present('/weather', payment, { method: first })).status).toBe(200)
        const before = runs
        for (const method of others) {
          const answer = await present('/weather', payment, { method })
          expect([method, answer.status, answer.headers.get('x-result')]).toEqual([method, 409, null])
        }
        expect(runs).toBe(before)
      }
    })

    test('SRV-005 another body under a payment that was delivered for gets no work', async () => {
      const { sign, present, stub } = await open()
      const payment = await sign('/weather')
      const post = (body: string): Promise<Answered> =>
        present('/weather', payment, { method: 'POST', body, headers: { 'content-type': 'text/plain' } })
      expect((await post('one')).status).toBe(200)
      expect(await post('two')).toMatchObject({ status: 200, text: WEATHER })
      expect([runs, stub.calls.settle.length]).toEqual([1, 1])
    })

    test('SRV-018 F21 an origin that is configured is what offers name, whatever Host and its like say', async () => {
      await open('$0.001', { origin: 'https://shop.example' })
      for (const [target, host] of [
        ['/weather', 'evil.example'],
        ['http://evil.example/weather', 'evil.example'],
        ['/weather', ''],
        ['/weather', 'evil.example:80@shop.example'],
      ]) {
        const answer = await market.raw(
          `GET ${target} HTTP/1.1${lines(
            `Host: ${host}`,
            ...['X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: http', 'Forwarded: host=evil.example'],
            ...['X-Original-URL: /free', 'X-Rewrite-URL: /free'],
          )}`,
        )
        expect([target, host, answer.includes('evil.example'), answer.includes(WEATHER)]).toEqual([
          target,
          host,
          false,
          false,
        ])
        if (answer.startsWith('HTTP/1.1 402')) expect(answer).toContain('"resource":"https://shop.example/weather"')
      }
      expect(runs).toBe(0)
    })

    test('SRV-018 F21 without one, nobody but Host names it', async () => {
      const { ask, served } = await open()
      const headers = {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
      }
      expect(problemOf(await ask('/weather', { headers })).accepts).toMatchObject([
        { resource: `${spelled(framework, served.url)}/weather` },
      ])
    })

    test('SRV-038 a price that depends on the body is taken for a body of that price only', async () => {
      const { ask, present } = await open({
        price: async ({ body }) => `$0.00${(await body?.())?.byteLength ?? 9}`,
      })
      const post = (body: string): RequestInit => ({ method: 'POST', body, headers: { 'content-type': 'text/plain' } })
      const [offer] = offersOf(await ask('/weather', post('a')))
      expect(offer.amount).toBe(1000n)
      const payment = paymentFor(offer)
      expectRefused(await present('/weather', payment, post('abc')), 'no_matching_requirements')
      expect(runs).toBe(0)
      expect((await present('/weather', payment, post('z'))).status).toBe(200)
    })

    test('SRV-038 a body that is a bomb is what came over the wire: nothing is unpacked, and of one that is too long nothing is held', async () => {
      const seen: (number | undefined)[] = []
      const { ask } = await open({
        price: async ({ body }) => {
          seen.push((await body?.())?.byteLength)
          return '$0.001'
        },
      })
      const bomb = gzipSync(Buffer.alloc(20 * 1024 * 1024))
      const packed = { 'content-type': 'text/plain', 'content-encoding': 'gzip' }
      expect((await ask('/weather', { method: 'POST', body: bomb, headers: packed })).status).toBe(402)
      const long = { method: 'POST', body: Buffer.alloc(2 * 1024 * 1024), headers: { 'content-type': 'text/plain' } }
      const { status } = await ask('/weather', long)
      expect([402, 413]).toContain(status)
      // 20 MiB when it is unpacked. A framework that has a limit of its own answers the long one before the gate does.
      expect(Number(seen[0])).toBeLessThan(64 * 1024)
      expect([seen.slice(1), runs]).toEqual([status === 402 ? [undefined] : [], 0])
    })

    test('SRV-039 a quote is good for the body that it was made for, and for no other', async () => {
      let dear = false
      const { ask, present } = await open({ price: () => (dear ? '$1' : '$0.001'), quote: '5m' })
      const post = (body: string): RequestInit => ({ method: 'POST', body, headers: { 'content-type': 'text/plain' } })
      const [offer] = offersOf(await ask('/weather', post('cheap')))
      dear = true
      const payment = paymentFor(offer)
      expectRefused(await present('/weather', payment, post('other')), 'no_matching_requirements')
      expect(runs).toBe(0)
      expect((await present('/weather', payment, post('cheap'))).status).toBe(200)
      expect(runs).toBe(1)
    })

    test('SRV-039 what a handler asks for is quoted for the body that it was asked with', async () => {
      runs = 0
      const asking: TestHandler = ({ payment }) => {
        if (payment?.amount === 0n) throw new PaymentRequiredError({ price: '$0.25' })
        return weather({ method: 'POST', path: '/weather', payment })
      }
      market = await openMarket(framework, { '/weather': { input: { asks: true }, handler: asking } })
      const { ask, present } = market
      const post = (body: string): RequestInit => ({ method: 'POST', body, headers: { 'content-type': 'text/plain' } })
      const payment = paymentFor(offersOf(await ask('/weather', post('cheap')))[0])
      expect((await present('/weather', payment, post('other'))).status).toBe(402)
      expect(runs).toBe(0)
      expect((await present('/weather', payment, post('cheap'))).status).toBe(200)
      expect(runs).toBe(1)
    })

    test.runIf(framework.hasRouters)(
      'SEC-020 F02 a mounted router is gated under every spelling of its path',
      async () => {
        await open('$0.001', { path: '/api/weather' })
        const targets = [
          '/api/weather',
          '/api/weather/',
          '/API/weather',
          '/api//weather',
          '/api/%77eather',
          '/%61pi/weather',
        ]
        for (const target of [
          ...targets,
          '/api/./weather',
          '/api/x/../weather',
          '/x/../api/weather',
          '/api%2Fweather',
        ]) {
          const unpaid = await market.raw(`GET ${target} HTTP/1.1${lines('Host: 127.0.0.1')}`)
          expect([target, unpaid.includes(WEATHER), runs]).toEqual([target, false, market.stub.ledger.size])
          const before = runs
          await market.raw(`GET ${target} HTTP/1.1${lines('Host: 127.0.0.1', await paymentLine('/api/weather'))}`)
          expect([target, runs - before <= 1, runs]).toEqual([target, true, market.stub.ledger.size])
        }
      },
    )
  })
}
