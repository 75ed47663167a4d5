import { once } from 'node:events'
import { connect } from 'node:net'
import { decodeHeaderObject, type JsonObject, X402Error } from '@groat/core'
import { afterEach, describe, expect, test } from 'vitest'
import {
  endless,
  garbage,
  json,
  never,
  receipt,
  refusedSettle,
  refusedVerify,
  settled,
  settledOnce,
  thenAnswer,
  thenDrop,
  verified,
} from './facilitator-stub.js'
import { type Framework, type Shop, spelled, type TestHandler } from './frameworks.js'
import { errorOf, expectRefused, type Market, offersOf, openMarket, problemOf, receiptOf } from './shop.js'
import { headersOf, nonceOf, payer, paymentFor, payTo } from './test-scheme.js'

const usdc = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'

/** What every adapter does, in its own framework, over real HTTP. */
export function describeAdapter(framework: Framework): void {
  describe(`gate behind ${framework.name}`, () => {
    let market: Market
    let runs: number

    const counted =
      (handler: TestHandler): TestHandler =>
      (request) => {
        runs += 1
        return handler(request)
      }

    const weather: TestHandler = ({ payment }) => ({
      headers: [
        ['content-type', 'application/json'],
        ['x-result', 'sunny'],
        ['etag', '"w1"'],
        ['set-cookie', 'a=1; Path=/'],
        ['set-cookie', 'b=2; Path=/'],
      ],
      body: JSON.stringify({ temperature: 11, payer: payment?.payer, amount: payment?.amount.toString() }),
    })

    const open = async (
      routes: Readonly<Record<string, TestHandler>> = { '/weather': weather },
      options: Parameters<typeof openMarket>[2] = {},
    ): Promise<Market> => {
      runs = 0
      const sold: Shop['routes'] = Object.fromEntries(
        Object.entries(routes).map(([path, handler]) => [path, { input: '$0.001', handler: counted(handler) }]),
      )
      market = await openMarket(framework, sold, options)
      return market
    }

    afterEach(async () => {
      await market.close()
    })

    describe('without a payment', () => {
      test('HTTP-050 HTTP-001 HTTP-002 HTTP-003 HTTP-004 HTTP-060 SRV-018 one 402 makes the offer in both versions, and nobody is asked', async () => {
        const { ask, stub } = await open(undefined, { origin: 'https://shop.example/base/' })
        const answer = await ask('/weather?city=Rome')
        const { status, headers, text } = answer
        expect(status).toBe(402)
        expect(headers.get('cache-control')).toBe('no-store')
        expect(headers.get('content-type')).toMatch(/^application\/json/)
        expect(JSON.parse(atob(headers.get('PAYMENT-REQUIRED') ?? ''))).toEqual({
          x402Version: 2,
          error: 'payment_required',
          resource: { url: 'https://shop.example/base/weather', description: '', mimeType: '' },
          accepts: [
            {
              scheme: 'exact',
              network: 'eip155:84532',
              amount: '1000',
              asset: usdc,
              payTo,
              maxTimeoutSeconds: 300,
              extra: { name: 'USDC', version: '2', audience: expect.any(String) },
            },
          ],
        })
        expect(JSON.parse(text)).toEqual({
          x402Version: 1,
          error: 'payment_required',
          accepts: [
            {
              scheme: 'exact',
              network: 'base-sepolia',
              maxAmountRequired: '1000',
              resource: 'https://shop.example/base/weather',
              description: '',
              mimeType: '',
              payTo,
              maxTimeoutSeconds: 300,
              asset: usdc,
              extra: { name: 'USDC', version: '2', audience: expect.any(String) },
            },
          ],
          type: 'urn:x402:error:payment_required',
          title: 'Payment required',
          status: 402,
          code: 'payment_required',
          hint: 'Choose an offer, sign a payment and send the request again.',
          retry: 'new-payment',
        })
        expect(runs).toBe(0)
        expect(stub.calls).toMatchObject({ verify: [], settle: [], supported: [] })
      })

      test('without an origin, the offer names the host that was asked, and no query', async () => {
        const { ask, served } = await open()
        expect(problemOf(await ask('/weather?secret=1')).accepts).toMatchObject([
          { resource: `${spelled(framework, served.url)}/weather` },
        ])
      })

      test('HTTP-014 an empty payment header is no payment', async () => {
        const { ask } = await open()
        for (const name of ['PAYMENT-SIGNATURE', 'X-PAYMENT']) {
          expect(errorOf(await ask('/weather', { headers: { [name]: '' } }))).toBe('payment_required')
        }
      })

      test('HTTP-048 HEAD is asked to pay like GET', async () => {
        const { ask } = await open()
        const answer = await ask('/weather', { method: 'HEAD' })
        expect(answer).toMatchObject({ status: 402, text: '' })
        expect(errorOf(answer)).toBe('payment_required')
        expect(answer.headers.get('x-result')).toBeNull()
        expect(runs).toBe(0)
      })

      test.runIf(framework.hasMiddleware)('headers of earlier middleware stay', async () => {
        const { ask } = await open()
        const { headers } = await ask('/weather')
        expect([headers.get('x-standing'), headers.get('vary')]).toEqual(['yes', 'Origin'])
      })
    })

    describe('with a payment', () => {
      test.each([2, 1] as const)('HTTP-008 HTTP-047 version %i is verified, settled and answered', async (version) => {
        const { pay, stub } = await open()
        const { status, headers, text } = await pay('/weather', { version })
        expect(status).toBe(200)
        expect(JSON.parse(text)).toEqual({ temperature: 11, payer, amount: '1000' })
        expect(headers.get('x-result')).toBe('sunny')
        expect(headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/'])
        const [mine, other] =
          version === 2 ? ['PAYMENT-RESPONSE', 'X-PAYMENT-RESPONSE'] : ['X-PAYMENT-RESPONSE', 'PAYMENT-RESPONSE']
        expect(JSON.parse(atob(headers.get(mine) ?? ''))).toEqual({
          success: true,
          payer,
          transaction: `0x${'1'.padStart(64, '0')}`,
          network: version === 2 ? 'eip155:84532' : 'base-sepolia',
        })
        expect(headers.get(other)).toBeNull()
        expect(runs).toBe(1)
        expect(stub.calls.verify).toHaveLength(1)
        expect(stub.calls.settle).toHaveLength(1)
        expect(stub.calls.settle[0]?.body).toEqual(stub.calls.verify[0]?.body)
        expect(stub.calls.verify[0]?.body).toMatchObject({
          x402Version: version,
          paymentPayload: { x402Version: version },
        })
      })

      test('CORE-037 SEC-022 the requirements that go to the facilitator are the seller’s own', async () => {
        const { ask, offer, pay, stub } = await open()
        const mine = await offer('/weather')
        const asset = mine.asset.toLowerCase()
        const payment = paymentFor({
          ...mine,
          asset,
          extra: { ...mine.extra, mood: 'good' },
          received: { ...mine.received, asset, tip: 1, extra: { ...mine.extra, mood: 'good' } },
        })
        expect(await ask('/weather', { headers: headersOf(payment) })).toMatchObject({ status: 200 })
        expect(stub.calls.verify[0]?.body.paymentRequirements).toEqual(mine.received)
        await pay('/weather?patient=Jones')
        expect(JSON.stringify(stub.calls)).not.toContain('Jones')
      })

      test('HTTP-061 HTTP-062 what was paid for is private, and the payment is part of its cache key', async () => {
        const cacheable: TestHandler = () => ({
          headers: [
            ['cache-control', 'public, max-age=60, s-maxage=600'],
            ['vary', 'Accept-Encoding'],
            ['surrogate-control', 'max-age=600'],
          ],
          body: 'x',
        })
        const { pay } = await open({ '/weather': cacheable })
        const { headers } = await pay('/weather')
        expect(headers.get('cache-control')).toBe('private, max-age=60')
        // Which of two values stands under one name is the framework's rule; the payment is added to it.
        expect(headers.get('vary')).toMatch(/^[A-Za-z-]+(, [A-Za-z-]+)?, PAYMENT-SIGNATURE, X-PAYMENT$/)
        expect(headers.get('surrogate-control')).toBeNull()
      })

      test.runIf(framework.hasMiddleware)('headers of earlier middleware stay beside the handler’s', async () => {
        const { sign, present } = await open()
        const payment = await sign('/weather')
        for (const answer of [await present('/weather', payment), await present('/weather', payment)]) {
          expect(answer.headers.get('x-standing')).toBe('yes')
          expect(answer.headers.get('vary')).toBe('Origin, PAYMENT-SIGNATURE, X-PAYMENT')
          expect(answer.headers.get('x-result')).toBe('sunny')
        }
      })

      test('HTTP-048 HEAD pays like GET and gets no body', async () => {
        const { sign, present, stub } = await open()
        const answer = await present('/weather', await sign('/weather'), { method: 'HEAD' })
        expect(answer).toMatchObject({ status: 200, text: '' })
        expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
        expect(stub.calls.settle).toHaveLength(1)
      })

      test('POST is sold too, with its body', async () => {
        const { sign, present } = await open()
        const answer = await present('/weather', await sign('/weather'), { method: 'POST', body: '{"a":1}' })
        expect(answer).toMatchObject({ status: 200 })
      })

      test('answers without a body are answers', async () => {
        for (const status of [204, 205, 304]) {
          const { pay, stub } = await open({ '/weather': () => ({ status, headers: [['etag', '"w1"']] }) })
          const answer = await pay('/weather')
          expect(answer).toMatchObject({ status, text: '' })
          expect(answer.headers.get('etag')).toBe('"w1"')
          expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
          expect(stub.calls.settle).toHaveLength(1)
          if (status !== 304) await market.close()
        }
      })

      test('SRV-017 what handlers say in the protocol’s headers is not sent', async () => {
        const forger =
          (status: number): TestHandler =>
          () => ({
            status,
            headers: [
              ['PAYMENT-RESPONSE', 'forged'],
              ['X-PAYMENT-RESPONSE', 'forged'],
              ['PAYMENT-REQUIRED', 'forged'],
              ['x-other', 'kept'],
            ],
            body: 'x',
          })
        const { pay } = await open({ '/sold': forger(200), '/failed': forger(402) })
        const sold = await pay('/sold')
        expect(receiptOf(sold)).toMatchObject({ status: 'settled' })
        const failed = await pay('/failed')
        expect(failed).toMatchObject({ status: 402, text: 'x' })
        for (const { headers } of [sold, failed]) {
          expect([...headers.values()]).not.toContain('forged')
          expect(headers.get('x-other')).toBe('kept')
        }
        expect(failed.headers.get('PAYMENT-REQUIRED')).toBeNull()
      })

      test('binary and streamed answers arrive whole', async () => {
        const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251)
        const { pay, served, sign } = await open({
          '/bytes': () => ({ body: bytes }),
          '/stream': () => ({
            body: (async function* () {
              for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000)
            })(),
          }),
        })
        expect((await pay('/bytes')).status).toBe(200)
        for (const path of ['/bytes', '/stream']) {
          const response = await fetch(served.url + path, { headers: headersOf(await sign(path)) })
          expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes)
        }
      })
    })

    describe('with something that is no payment for this', () => {
      const encode = (value: unknown): string => btoa(typeof value === 'string' ? value : JSON.stringify(value))
      const corpus: readonly (readonly [string, string, string])[] = [
        ['not base64', '!!!!', 'invalid_payload'],
        ['base64url', 'eyJ4NDAyVmVyc2lvbiI6Mn0_', 'invalid_payload'],
        ['raw JSON', '{"x402Version":2}', 'invalid_payload'],
        ['two values', `${encode({})}, ${encode({})}`, 'invalid_payload'],
        ['not JSON', encode('hello'), 'invalid_payload'],
        ['null', encode('null'), 'invalid_payload'],
        ['a list', encode([]), 'invalid_payload'],
        ['a number', encode('1'), 'invalid_payload'],
        ['an empty object', encode({}), 'invalid_x402_version'],
        ['an unknown version', encode({ x402Version: 3 }), 'invalid_x402_version'],
        ['a version as text', encode({ x402Version: '2' }), 'invalid_x402_version'],
        [
          'version 1 in the header of version 2',
          encode({ x402Version: 1, scheme: 'exact', network: 'base', payload: {} }),
          'invalid_x402_version',
        ],
        ['no offer', encode({ x402Version: 2, payload: {} }), 'invalid_payload'],
        ['a member twice', encode('{"x402Version":2,"x402Version":2}'), 'invalid_payload'],
        ['deep nesting', encode(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`), 'invalid_payload'],
        ['a prototype', encode('{"__proto__":{"x402Version":2},"constructor":{}}'), 'invalid_x402_version'],
        ['bad UTF-8', btoa('{"a":"\xff"}'), 'invalid_payload'],
        ['a byte order mark', btoa('\xef\xbb\xbf{}'), 'invalid_payload'],
      ]

      test('HTTP-011 HTTP-022 HTTP-024 HTTP-026 HTTP-029 SRV-002 is refused with a code and the offers, asking nobody', async () => {
        const { ask, stub } = await open()
        for (const [what, value, code] of corpus) {
          const answer = await ask('/weather', { headers: { 'PAYMENT-SIGNATURE': value } })
          expect([what, errorOf(answer)]).toEqual([what, code])
          expectRefused(answer, code)
        }
        expect(runs).toBe(0)
        expect(stub.calls).toMatchObject({ verify: [], settle: [] })
        expect(Object.hasOwn(Object.prototype, 'x402Version')).toBe(false)
      })

      test('HTTP-012 HTTP-015 two payments in one request are refused', async () => {
        const { sign, present, raw } = await open()
        const one = headersOf(await sign('/weather'))['PAYMENT-SIGNATURE'] ?? ''
        const other = headersOf(await sign('/weather', { version: 1 }))['X-PAYMENT'] ?? ''
        const both = await present('/weather', await sign('/weather'), { headers: { 'X-PAYMENT': other } })
        expectRefused(both, 'invalid_payload')
        const twice = await raw(
          `GET /weather HTTP/1.1\r\nHost: shop\r\nPAYMENT-SIGNATURE: ${one}\r\nPAYMENT-SIGNATURE: ${one}\r\nConnection: close\r\n\r\n`,
        )
        expect(twice).toMatch(/^HTTP\/1.1 402 /)
        expect(twice).toContain('"code":"invalid_payload"')
        expect(runs).toBe(0)
      })

      test('a header of 20 kB ends in 431 and the shop stays open', async () => {
        const { raw, pay } = await open()
        expect(
          await raw(
            `GET /weather HTTP/1.1\r\nHost: shop\r\nX-PAYMENT: ${'A'.repeat(20_000)}\r\nConnection: close\r\n\r\n`,
          ),
        ).toMatch(/^HTTP\/1.1 431 /)
        expect(await pay('/weather')).toMatchObject({ status: 200 })
      })

      test.each<readonly [string, JsonObject]>([
        ['another amount', { amount: '999' }],
        ['another asset', { asset: payTo }],
        ['another recipient', { payTo: payer }],
        ['another network', { network: 'eip155:8453' }],
        ['another scheme', { scheme: 'upto' }],
        ['less in extra', { extra: { name: 'USDC' } }],
        ['something else in extra', { extra: { name: 'USDC', version: '3' } }],
      ])('an echo with %s matches no offer', async (_, change) => {
        const { offer, ask, stub } = await open()
        const mine = await offer('/weather')
        const payment = paymentFor(mine)
        const accepted = { ...mine, received: { ...mine.received, ...change } }
        const answer = await ask('/weather', { headers: headersOf({ ...payment, accepted }) })
        expectRefused(answer, 'no_matching_requirements')
        expect(stub.calls.verify).toEqual([])
      })

      test('CORE-045 CORE-046 version 1 is matched by what it says, and refused by what the scheme reads', async () => {
        const { sign, present } = await open()
        const wrong = await sign('/weather', { version: 1, payload: { value: '1' } })
        expectRefused(await present('/weather', wrong), 'invalid_exact_evm_payload_authorization_value_mismatch')
      })

      test('SRV-020 a payment for another resource is refused', async () => {
        const { sign, present } = await open({ '/weather': weather, '/news': weather })
        const payment = {
          ...(await sign('/weather')),
          resource: { url: `${spelled(framework, market.served.url)}/weather?x=1` },
        }
        expectRefused(await present('/news', payment), 'resource_mismatch')
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
      })

      test('HTTP-040 HTTP-041 SRV-009 a payment that is verified as bad is refused with its code, without the facilitator’s words', async () => {
        const { pay, stub } = await open()
        stub.does.verify = [refusedVerify()]
        const answer = await pay('/weather')
        expectRefused(answer, 'invalid_exact_evm_insufficient_balance')
        expect(problemOf(answer).detailCode).toBe('402.1')
        expect(JSON.stringify([...answer.headers]) + answer.text).not.toContain('rpc.example')
        stub.does.verify = [json(400, { isValid: false, invalidReason: 'insufficient_funds' })]
        const other = await pay('/weather')
        expectRefused(other, 'unexpected_verify_error')
        expect(problemOf(other).detail).toBe('insufficient_funds')
        expect(runs).toBe(0)
        expect(stub.calls.settle).toEqual([])
      })

      test('HTTP-066 who has to let Permit2 take its tokens first is told so with 412 and the offers', async () => {
        const { pay, stub } = await open()
        stub.does.verify = [refusedVerify('permit2_allowance_required'), verified]
        const answer = await pay('/weather')
        expect([answer.status, problemOf(answer)]).toMatchObject([
          412,
          { code: 'permit2_allowance_required', status: 412 },
        ])
        expect(decodeHeaderObject(answer.headers.get('PAYMENT-REQUIRED'))).toMatchObject({
          error: 'permit2_allowance_required',
          accepts: [{ scheme: 'exact' }],
        })
        expect(runs).toBe(0)
        // By the time of the settlement it is a settlement that was refused (HTTP-042).
        stub.does.settle = [refusedSettle('permit2_allowance_required')]
        expectRefused(await pay('/weather'), 'permit2_allowance_required')
      })

      test('a payment with too little life left for the work is refused', async () => {
        const { sign, present, later, stub } = await open()
        const payment = await sign('/weather')
        later(297_000)
        expectRefused(await present('/weather', payment), 'payment_expired')
        expect(stub.calls.verify).toEqual([])
      })
    })

    describe('when the work fails', () => {
      test.each([400, 404, 500, 503])(
        'SRV-006 a handler’s %i goes out as it is, and nothing is charged',
        async (status) => {
          const { sign, present, stub } = await open({
            '/weather': () => ({ status, headers: [['x-why', 'because']], body: 'sorry' }),
          })
          const payment = await sign('/weather')
          const answer = await present('/weather', payment)
          expect(answer).toMatchObject({ status, text: 'sorry' })
          expect(answer.headers.get('x-why')).toBe('because')
          expect(receiptOf(answer)).toBeUndefined()
          expect(stub.calls.settle).toEqual([])
          await present('/weather', payment)
          expect(runs).toBe(2)
        },
      )

      test('SRV-006 a handler that throws is not charged, and the payment is still good', async () => {
        let broken = true
        const { sign, present, stub } = await open({
          '/weather': () => {
            if (broken) throw new Error('boom with a secret')
            return { body: 'fine' }
          },
        })
        const payment = await sign('/weather')
        const answer = await present('/weather', payment)
        expect(answer.status).toBe(500)
        expect(stub.calls.settle).toEqual([])
        broken = false
        expect(await present('/weather', payment)).toMatchObject({ status: 200, text: 'fine' })
      })

      test('an answer that is too large is not held back, not sent and not charged', async () => {
        let produced = 0
        const flood: TestHandler = () => ({
          body: (async function* () {
            for (; produced < 2_000; produced++) yield new Uint8Array(64 * 1024)
          })(),
        })
        const { pay, stub } = await open({ '/weather': flood })
        const answer = await pay('/weather')
        expect(answer.status).toBe(500)
        expect(problemOf(answer)).toMatchObject({ code: 'response_too_large', retry: 'same-payment' })
        expect(produced).toBeLessThan(50)
        expect(stub.calls.settle).toEqual([])
      })

      test('a handler that hangs is not charged, copies of its payment are told to come back, and nothing of it leaves', async () => {
        const started = signal()
        const release = signal()
        const { sign, present, served, stub } = await open({
          '/weather': async () => {
            started.resolve()
            await release.promise
            return { body: 'late' }
          },
        })
        const payment = await sign('/weather')
        const abort = new AbortController()
        let answered = false
        const hanging = fetch(`${served.url}/weather`, { headers: headersOf(payment), signal: abort.signal })
          .then(() => {
            answered = true
          })
          .catch(() => {})
        await started.promise
        expect(await present('/weather', payment)).toMatchObject({ status: 409 })
        expect([answered, stub.calls.settle]).toEqual([false, []])
        abort.abort()
        await hanging
        release.resolve()
      })

      test('the customer who leaves while the work runs is not charged', async () => {
        const started = signal()
        const finish = signal()
        const { sign, present, served, stub } = await open({
          '/weather': async () => {
            started.resolve()
            await finish.promise
            return { body: 'late' }
          },
        })
        const payment = await sign('/weather')
        const [[name, value] = ['', '']] = Object.entries(headersOf(payment))
        const socket = connect(served.port, '127.0.0.1')
        socket.write(`GET /weather HTTP/1.1\r\nHost: 127.0.0.1:${served.port}\r\n${name}: ${value}\r\n\r\n`)
        await started.promise
        socket.destroy()
        await once(socket, 'close')
        // The server learns of it in its own time.
        await expect.poll(() => served.connections(), { timeout: 5_000 }).toBe(0)
        finish.resolve()
        await expect.poll(async () => (await present('/weather', payment)).text, { timeout: 5_000 }).toBe('late')
        expect(stub.calls.settle).toHaveLength(1)
        expect(runs).toBe(2)
      })
    })

    describe('when settlement is refused', () => {
      test('HTTP-042 SRV-007 SRV-008 nothing of what the handler made leaves', async () => {
        const { sign, present, stub } = await open()
        stub.does.settle = [refusedSettle(), settled]
        const payment = await sign('/weather')
        const answer = await present('/weather', payment)
        expectRefused(answer, 'invalid_exact_evm_insufficient_balance')
        expect(receiptOf(answer)).toEqual({ status: 'refused', code: 'invalid_exact_evm_insufficient_balance', payer })
        const everything = JSON.stringify([...answer.headers]) + answer.text
        for (const trace of ['x-result', 'sunny', 'set-cookie', 'w1', 'temperature', 'rpc.example']) {
          expect(everything).not.toContain(trace)
        }
        if (framework.hasMiddleware) expect(answer.headers.get('x-standing')).toBe('yes')
        expect(runs).toBe(1)
        // Nothing was charged: the same payment may be tried again, from the start.
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(2)
      })

      test('version 1 gets its receipt too', async () => {
        const { pay, stub } = await open()
        stub.does.settle = [refusedSettle()]
        const answer = await pay('/weather', { version: 1 })
        expect(answer.status).toBe(402)
        expect(JSON.parse(atob(answer.headers.get('X-PAYMENT-RESPONSE') ?? ''))).toMatchObject({ success: false })
        expect(answer.headers.get('PAYMENT-RESPONSE')).toBeNull()
      })
    })

    describe('when the end of a settlement is not known', () => {
      const expectPending = (answer: Awaited<ReturnType<Market['ask']>>): void => {
        expect(answer.status).toBe(503)
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
        expect(problemOf(answer)).toMatchObject({ code: 'settlement_pending', retry: 'same-payment' })
        expect(receiptOf(answer)).toMatchObject({ status: 'unknown', payer })
        expect(answer.headers.get('PAYMENT-REQUIRED')).toBeNull()
        expect(answer.headers.get('set-cookie')).toBeNull()
        expect(answer.text).not.toContain('temperature')
      }

      test.each([
        ['settles, then breaks the connection', thenDrop(settled)],
        ['settles, then answers 500', thenAnswer(settled, json(500, { error: 'Internal Server Error' }))],
        ['settles, then answers garbage', thenAnswer(settled, garbage)],
        ['settles, then answers without end', thenAnswer(settled, endless)],
        ['settles, then redirects', thenAnswer(settled, json(307, {}, { location: 'http://127.0.0.1:1/' }))],
        ['says that it is pending', refusedSettle('settlement_pending')],
        ['says something that nobody knows', refusedSettle('lunch')],
      ])(
        'HTTP-043 HTTP-044 SRV-010 SRV-021 a facilitator that %s: 503, and the same payment gets the answer',
        async (_, first) => {
          const { sign, present, stub } = await open()
          stub.does.settle = [first, settled]
          const payment = await sign('/weather')
          expectPending(await present('/weather', payment))
          const answer = await present('/weather', payment)
          expect(answer.status).toBe(200)
          expect(JSON.parse(answer.text)).toMatchObject({ temperature: 11 })
          expect(answer.headers.get('x-result')).toBe('sunny')
          expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/'])
          expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
          expect(runs).toBe(1)
          expect(stub.ledger.size).toBe(1)
          expect(stub.calls.verify).toHaveLength(1)
        },
      )

      test('SRV-013 a facilitator that is too slow', async () => {
        const { sign, present, stub } = await open(undefined, { timeoutMs: 200 })
        stub.does.settle = [thenAnswer(settled, never), settled]
        const payment = await sign('/weather')
        expectPending(await present('/weather', payment))
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(1)
      })

      test('SRV-014 a facilitator that has sent a transaction is asked once more at once', async () => {
        const { pay, stub } = await open()
        const pending = {
          success: false,
          errorReason: 'settlement_pending',
          transaction: '0xabc',
          network: 'eip155:84532',
        }
        stub.does.settle = [json(200, pending), settled]
        expect(await pay('/weather')).toMatchObject({ status: 200 })
        expect(stub.calls.settle).toHaveLength(2)
        expect(runs).toBe(1)
      })

      test.each<readonly [string, JsonObject]>([
        ['another network', { network: 'eip155:8453' }],
        ['another payer', { payer: payTo }],
        ['another amount', { amount: '1' }],
        ['no transaction', { transaction: '' }],
        ['a transaction that is none', { transaction: 'a b' }],
      ])('SRV-011 a receipt with %s does not count', async (_, lies) => {
        const { sign, present, stub, events } = await open()
        stub.does.settle = [receipt('0x1', lies), settled]
        const payment = await sign('/weather')
        expectPending(await present('/weather', payment))
        expect(events).toContainEqual(expect.objectContaining({ type: 'fault', code: 'facilitator_invalid_answer' }))
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(1)
      })

      test('one transaction pays for one delivery', async () => {
        const { pay, stub } = await open()
        stub.does.settle = [receipt('0xSAME'.toLowerCase()), receipt('0XSAME'.toLowerCase())]
        expect(await pay('/weather')).toMatchObject({ status: 200 })
        expectPending(await pay('/weather'))
      })

      test('two logs of one transaction pay for two deliveries', async () => {
        const { pay, stub } = await open()
        stub.does.settle = [0, 1, 1].map((logIndex) => receipt('0xsame', { extra: { logIndex } }))
        expect(await pay('/weather')).toMatchObject({ status: 200 })
        expect(await pay('/weather')).toMatchObject({ status: 200 })
        expectPending(await pay('/weather'))
      })

      test('“already used”, after an attempt that nobody knows the end of, is no refusal', async () => {
        const { sign, present, stub } = await open()
        stub.does.settle = [thenDrop(settledOnce), settledOnce]
        const payment = await sign('/weather')
        expectPending(await present('/weather', payment))
        expectPending(await present('/weather', payment))
        // A facilitator with a journal can be asked what became of it.
        stub.does.settlements = [receipt('0x1', { network: 'eip155:84532', payer })]
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(1)
      })

      test('a refusal counts again once the facilitator says that nothing was ever presented', async () => {
        const { sign, present, stub } = await open()
        stub.does.settle = [json(502, {}), refusedSettle()]
        const payment = await sign('/weather')
        expectPending(await present('/weather', payment))
        stub.does.settlements = [json(404, { code: 'settlement_not_found' })]
        expectRefused(await present('/weather', payment), 'invalid_exact_evm_insufficient_balance')
      })
    })

    describe('when the facilitator cannot judge', () => {
      test.each([
        ['is down with a 500', json(500, { error: 'db' }), 503],
        ['fails in the form of a verdict', json(500, { isValid: false, invalidReason: 'db' }), 503],
        ['is overloaded', json(429, {}, { 'retry-after': '7' }), 503],
        ['breaks the connection', thenDrop(() => {}), 503],
        ['answers garbage', garbage, 502],
        ['answers without end', endless, 502],
        ['redirects', json(307, {}, { location: 'http://127.0.0.1:1/' }), 502],
        ['says yes with a bad status', json(400, { isValid: true, payer }), 502],
        ['says yes to another payer', json(200, { isValid: true, payer: payTo }), 502],
        ['cannot reach the chain', json(200, { isValid: false, invalidReason: 'rpc_unreachable' }), 503],
      ])(
        'HTTP-046 SRV-001 SRV-012 SRV-013 a facilitator that %s: the payer is not blamed, nothing runs, nothing is charged',
        async (_, behaviour, status) => {
          const { sign, present, stub } = await open()
          stub.does.verify = [behaviour, verified]
          const payment = await sign('/weather')
          const answer = await present('/weather', payment)
          expect(answer.status).toBe(status)
          expect(answer.headers.get('retry-after')).toMatch(/^[1-9][0-9]*$/)
          expect(answer.headers.get('PAYMENT-REQUIRED')).toBeNull()
          expect(problemOf(answer).reference).toMatch(/^[0-9a-f]{16}$/)
          expect(runs).toBe(0)
          expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        },
      )

      test('Retry-After of the facilitator is passed on', async () => {
        const { pay, stub } = await open()
        stub.does.verify = [json(429, {}, { 'retry-after': '7' })]
        expect((await pay('/weather')).headers.get('retry-after')).toBe('7')
      })

      test('a facilitator that goes down before it is asked to settle has accepted nothing', async () => {
        const { sign, present, stub } = await open()
        stub.does.settle = [json(401, { error: 'key expired' }), settled]
        const payment = await sign('/weather')
        const answer = await present('/weather', payment)
        expect(answer).toMatchObject({ status: 502 })
        expect(problemOf(answer)).toMatchObject({ code: 'facilitator_unauthorized' })
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(2)
      })
    })

    describe('presented again', () => {
      test('SRV-005 a settled payment gets its answer again, without work and without the facilitator', async () => {
        const { sign, present, stub } = await open()
        const payment = await sign('/weather')
        const first = await present('/weather', payment)
        const second = await present('/weather', payment)
        expect({ ...second, headers: undated(second.headers) }).toEqual({ ...first, headers: undated(first.headers) })
        expect(runs).toBe(1)
        expect(stub.calls.verify).toHaveLength(1)
        expect(stub.calls.settle).toHaveLength(1)
      })

      test('SRV-005 for anything else it is known, and gets nothing', async () => {
        const { sign, present } = await open({ '/weather': weather, '/news': weather })
        const payment = await sign('/weather')
        expect(await present('/weather?city=Rome', payment)).toMatchObject({ status: 200 })
        for (const path of ['/weather?city=Oslo', '/weather', '/news']) {
          const answer = await present(path, payment)
          expect(answer.status).toBe(409)
          expect(problemOf(answer)).toMatchObject({ code: 'idempotency_mismatch' })
        }
        expect(await present('/weather?city=Rome', payment, { method: 'HEAD' })).toMatchObject({ status: 409 })
        expect(runs).toBe(1)
      })

      test('SRV-023 a copy of a settled payment that is not the same to the last member gets nothing', async () => {
        const { ask, sign, present } = await open()
        const payment = await sign('/weather')
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        const forged = { ...payment, payload: { ...payment.payload, signature: 'mine' } }
        const answer = await ask('/weather', { headers: headersOf(forged) })
        expect([answer.status, problemOf(answer).code]).toEqual([409, 'idempotency_mismatch'])
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(1)
      })

      test('SRV-022 a settled payment gets its answer again also after it has expired', async () => {
        const { sign, present, later, stub } = await open()
        const payment = await sign('/weather')
        const first = await present('/weather', payment)
        later(298_000)
        expect(await present('/weather', payment)).toMatchObject({ status: 200, text: first.text })
        later(5_000)
        expect(await present('/weather', payment)).toMatchObject({ status: 200, text: first.text })
        expect(runs).toBe(1)
        expect(stub.calls.settle).toHaveLength(1)
      })

      test('SRV-022 an outcome that was not known when the payment expired is still to be had', async () => {
        const { sign, present, later, stub } = await open()
        stub.does.settle = [refusedSettle('settlement_pending'), refusedSettle('settlement_pending'), settled]
        const payment = await sign('/weather')
        expect(await present('/weather', payment)).toMatchObject({ status: 503 })
        later(303_000)
        expect(await present('/weather', payment)).toMatchObject({ status: 503 })
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
        expect(runs).toBe(1)
      })

      test('a payment that is presented for the first time after it has expired is refused, as often as it comes', async () => {
        const { sign, present, later, stub } = await open()
        const payment = await sign('/weather')
        later(303_000)
        for (let time = 0; time < 2; time++) {
          expectRefused(await present('/weather', payment), 'invalid_exact_evm_payload_authorization_valid_before')
        }
        expect([runs, stub.calls.verify, stub.calls.settle]).toEqual([0, [], []])
      })

      test('SRV-004 of 20 copies at once one is served, and the others are told to come back', async () => {
        const release = signal()
        const { sign, present, stub } = await open({
          '/weather': async (request) => {
            await release.promise
            return weather(request)
          },
        })
        const payment = await sign('/weather')
        let told = 0
        const copies = Array.from({ length: 20 }, async () => {
          const answer = await present('/weather', payment)
          if (++told === 19) release.resolve()
          return answer
        })
        const early = await Promise.race(copies)
        expect(early.status).toBe(409)
        expect(early.headers.get('retry-after')).toBe('1')
        expect(problemOf(early)).toMatchObject({ code: 'payment_in_flight', retry: 'same-payment' })
        const statuses = (await Promise.all(copies)).map(({ status }) => status)
        expect(statuses.filter((status) => status === 200)).toHaveLength(1)
        expect(statuses.filter((status) => status === 409)).toHaveLength(19)
        expect(runs).toBe(1)
        expect(stub.calls.verify).toHaveLength(1)
        expect(stub.calls.settle).toHaveLength(1)
        expect(await present('/weather', payment)).toMatchObject({ status: 200 })
      })
    })

    describe('routes', () => {
      const priced = async (input: Shop['routes'][string]['input'], options: Parameters<typeof openMarket>[2] = {}) => {
        runs = 0
        market = await openMarket(framework, { '/weather': { input, handler: counted(weather) } }, options)
        return market
      }

      test('several offers stand in their order, and each can be paid', async () => {
        const { ask, present, stub } = await priced({
          price: '$0.05',
          description: 'Live quote',
          mimeType: 'application/json',
          offers: [
            { network: 'base-sepolia' },
            { network: 'base', price: '$0.04', payTo: payer },
            { network: 'base-sepolia', price: '0.06', maxTimeoutSeconds: 60 },
          ],
        })
        const offers = offersOf(await ask('/weather'))
        expect(offers.map(({ network, amount, maxTimeoutSeconds }) => [network, amount, maxTimeoutSeconds])).toEqual([
          ['eip155:84532', 50_000n, 300],
          ['eip155:8453', 40_000n, 300],
          ['eip155:84532', 60_000n, 60],
        ])
        for (const [i, offer] of offers.entries()) {
          expect(await present('/weather', paymentFor(offer))).toMatchObject({ status: 200 })
          expect(stub.calls.verify[i]?.body.paymentRequirements).toEqual(offer.received)
        }
        // Without an echo, the scheme finds the offer that the payment is for.
        expect(await present('/weather', paymentFor(offers[2] ?? offers[0], { version: 1 }))).toMatchObject({
          status: 200,
        })
      })

      test('SRV-015 a price function decides by the request, for the unpaid and the paid alike', async () => {
        const { ask, sign, present } = await priced({
          price: async ({ url, method, header }) =>
            method === 'GET' && header('x-plan') == null ? `$0.00${new URL(url).searchParams.get('n')}` : '$1',
        })
        expect(offersOf(await ask('/weather?n=3'))[0]?.amount).toBe(3000n)
        expect(offersOf(await ask('/weather?n=4'))[0]?.amount).toBe(4000n)
        expect(offersOf(await ask('/weather?n=4', { headers: { 'x-plan': 'b' } }))[0]?.amount).toBe(1_000_000n)
        const payment = await sign('/weather?n=3')
        expectRefused(await present('/weather?n=4', payment), 'no_matching_requirements')
        expect(await present('/weather?n=3', payment)).toMatchObject({ status: 200 })
      })

      test('a price function that throws or gives no price is a fault of the shop; nothing runs', async () => {
        const { ask } = await priced({
          price: ({ url }) => {
            if (url.includes('throw')) throw new Error('no price')
            return 'free'
          },
        })
        expect((await ask('/weather?throw')).status).toBe(500)
        expect((await ask('/weather')).status).toBe(500)
        expect(runs).toBe(0)
      })

      test.runIf(framework.hasRouters)(
        'routers that are mounted are gated, and named by their whole path',
        async () => {
          runs = 0
          market = await openMarket(framework, { '/api/weather': { input: '$0.001', handler: counted(weather) } })
          const { ask, pay, served } = market
          expect(problemOf(await ask('/api/weather')).accepts).toMatchObject([
            { resource: `${served.url}/api/weather` },
          ])
          expect(await pay('/api/weather')).toMatchObject({ status: 200 })
        },
      )

      test('SEC-020 F02 F03 whichever way a path is spelled, the handler runs only when paid', async () => {
        await open()
        const spellings = [
          '/weather',
          '/weather/',
          '/WEATHER',
          '/Weather',
          '//weather',
          '/weather//',
          '/./weather',
          '/x/../weather',
          '/%77eather',
          '/weathe%72',
          '/weather%2F',
          '/weather%00',
          '/weather;a=1',
          '/weather?',
          '/weather?a=/weather',
          '/weather#x',
          '/weather.',
          '/weather%20',
          '/%2e/weather',
          '/weather/.',
          '/weather/..',
          '\\weather',
          '/weather\\',
          '/%',
          '/%zz',
          '*',
          `http://evil.example/weather`,
          `http://127.0.0.1/weather`,
        ]
        for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'get']) {
          for (const target of spellings) {
            const answer = await market.raw(
              `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
            )
            expect([method, target, answer.includes('sunny')]).toEqual([method, target, false])
          }
        }
        expect(runs).toBe(0)
      })

      test('SRV-016 what the facilitator does not support is said before the first customer', async () => {
        const { served } = await priced('$0.001', { payTo: { polygon: payTo } })
        const error: unknown = await served.ready().catch((reason: unknown) => reason)
        expect(X402Error.is(error) && { code: error.code, context: error.context }).toEqual({
          code: 'unsupported_offer',
          context: { route: expect.any(String), scheme: 'exact', network: 'eip155:137' },
        })
      })

      test('what it does support is confirmed with one question', async () => {
        const { served, stub, pay } = await priced('$0.001')
        await Promise.all([served.ready(), served.ready()])
        expect(stub.calls.supported).toHaveLength(1)
        expect(await pay('/weather')).toMatchObject({ status: 200 })
      })
    })

    test('SEC-002 SEC-007 an observer is told of everything, and one that throws changes nothing', async () => {
      const told: string[] = []
      const events: string[] = []
      const { sign, present, ask } = await open(undefined, {
        onEvent: (event) => {
          told.push(event.type)
          events.push(JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? value.toString() : value)))
          throw new Error('observer')
        },
      })
      await ask('/weather')
      const payment = await sign('/weather')
      expect(await present('/weather', payment)).toMatchObject({ status: 200 })
      expect(events.join()).not.toContain(nonceOf(payment.payload))
      expect(told).toEqual([
        'challenge_sent',
        'challenge_sent',
        'payment_presented',
        'payment_claimed',
        'payment_verified',
        'payment_settled',
        'delivery_released',
      ])
    })
  })
}

/** A promise that somebody else resolves. */
function signal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

function undated(headers: Headers): Record<string, string> {
  const { date: _, ...rest } = Object.fromEntries(headers)
  return rest
}
