import { type Asset, assetByTicker, type Facilitator, network, type SchemeServer, X402Error } from '@groat/core'
import { createMemoryClaims, type RouteInput } from '@groat/server'
import { createConditions } from '@groat/server/conditions'
import { createPricing } from '@groat/server/pricing'
import { Environment } from '@marcbachmann/cel-js'
import { afterEach, describe, expect, test } from 'vitest'
import type { Framework, TestHandler } from './frameworks.js'
import { type Market, offersOf, openMarket, problemOf, receiptOf } from './shop.js'
import { headersOf, payer, paymentFor, testScheme } from './test-scheme.js'

const metered = { ...testScheme, metered: true }

/** What every adapter does where the price is more than a price for each request. */
export function describePrices(framework: Framework): void {
  describe(`prices behind ${framework.name}`, () => {
    let market: Market
    let settled: bigint[] = []
    let shift = 0

    const open = async (input: RouteInput, handler: TestHandler, scheme: SchemeServer = metered): Promise<Market> => {
      settled = []
      shift = 0
      const clock = (): number => Date.now() + shift
      const facilitator: Facilitator = {
        verify: async () => ({ ok: true, payer }),
        settle: async ({ requirements: { network, amount } }) => {
          settled.push(amount)
          const transaction = amount === 0n ? '' : `0x${settled.length}`
          return { status: 'settled', receipt: { payer, network, transaction, amount } }
        },
        supported: async () => ({ kinds: [], extensions: [], signers: {} }),
      }
      market = await openMarket(
        framework,
        { '/chat': { input, handler } },
        {
          facilitator,
          schemes: [scheme],
          clock,
          pricing: createPricing({
            conditions: createConditions(Environment, { dear: ({ url }) => url.includes('dear') }),
          }),
          store: createMemoryClaims({ singleProcess: true, clock }),
        },
      )
      return market
    }
    afterEach(() => market.close())

    const perToken = { perToken: { input: '$0.000002', output: '$0.00001' }, upTo: '$0.05' }
    const streamed = { mode: 'optimistic', lossBudget: '$1', streams: true } as const
    const chat =
      (usage: object | undefined): TestHandler =>
      () => ({ headers: [['content-type', 'application/json']], body: JSON.stringify({ text: 'hello', usage }) })
    const events = (...data: readonly string[]): TestHandler => {
      const text = data.map((line) => `data: ${line}\n\n`).join('')
      return () => ({ headers: [['content-type', 'text/event-stream']], body: inPieces(text, 7) })
    }
    const until = async (count: number): Promise<void> => {
      for (let i = 0; i < 500 && settled.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(settled).toHaveLength(count)
    }

    test('SRV-032 a price per token is charged by the usage of the answer', async () => {
      const { pay, offer } = await open(perToken, chat({ prompt_tokens: 100, completion_tokens: 50 }))
      expect(await offer('/chat')).toMatchObject({ amount: 50_000n, extra: { rates: { perToken: perToken.perToken } } })
      expect(receiptOf(await pay('/chat'))).toMatchObject({ receipt: { amount: 700n } })
      expect(settled).toEqual([700n])
    })

    test('SRV-032 use above the ceiling is charged up to it', async () => {
      const { pay } = await open(perToken, chat({ input_tokens: 100, output_tokens: 5_000_000 }))
      expect((await pay('/chat')).status).toBe(200)
      expect(settled).toEqual([50_000n])
    })

    test('SRV-034 an answer that does not say its usage is neither sold nor charged', async () => {
      const { pay } = await open(perToken, chat(undefined))
      const answer = await pay('/chat')
      expect([answer.status, problemOf(answer).code, answer.text.includes('hello')]).toEqual([
        502,
        'usage_missing',
        false,
      ])
      expect(settled).toEqual([])
    })

    test('SRV-032 the work says itself what it used', async () => {
      const thrown: unknown[] = []
      const { pay } = await open({ price: '$0.001', perCycle: '$0.0000001', upTo: '$0.01' }, ({ payment }) => {
        expect(payment?.use({ cycles: 11 })).toBe(true)
        expect(payment?.use({ cycles: 11n })).toBe(true)
        try {
          payment?.use({ outputTokens: 1 })
        } catch (error) {
          thrown.push(X402Error.is(error) && error.code)
        }
        return { body: 'done' }
      })
      expect((await pay('/chat')).status).toBe(200)
      expect([settled, thrown]).toEqual([[1_003n], ['invalid_charge']])
    })

    test('SRV-032 minutes that were begun, at least the fewest', async () => {
      const perMinute = { price: '$0.01', minimum: 2 }
      let pause = 0
      const { pay } = await open({ perMinute, upTo: '$1' }, () => {
        shift += pause
        return { body: 'done' }
      })
      for (pause of [0, 61_000, 121_000]) expect((await pay('/chat')).status).toBe(200)
      expect(settled).toEqual([20_000n, 20_000n, 30_000n])
    })

    test('SRV-032 milliseconds, and multipliers of what is charged', async () => {
      const times = [{ 1.5: 'query.q == "render"' }, { 2: 'dear' }]
      const { sign, present } = await open({ perMillisecond: '$0.000001', upTo: '$100', times }, () => {
        shift += 100_000
        return { body: 'done' }
      })
      expect((await present('/chat?q=render&dear', await sign('/chat'))).status).toBe(200)
      expect(settled).toHaveLength(1)
      expect(Number(settled[0])).toBeGreaterThanOrEqual(300_000)
      expect(Number(settled[0])).toBeLessThan(320_000)
    })

    test('SRV-035 a stream by the token ends with its receipt, and is charged what it says', async () => {
      const { pay } = await open(
        { ...perToken, ...streamed },
        events(
          '{"choices":[{"delta":{"content":"Hel"}}]}',
          '{"choices":[{"delta":{"content":"lo"}}]}',
          '{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3}}',
          '[DONE]',
        ),
      )
      const answer = await pay('/chat')
      expect(answer.text).toMatch(/data: \[DONE\]\n\nevent: payment-response\ndata: [A-Za-z0-9+/=]+\n\n$/)
      expect(settled).toEqual([50n])
    })

    test('SRV-035 a stream ends cleanly at its ceiling, between two events', async () => {
      const { pay } = await open(
        { ...perToken, upTo: '$0.00003', ...streamed },
        events(...Array.from({ length: 50 }, (_, i) => `{"choices":[{"delta":{"content":"word ${i}"}}]}`)),
      )
      const answer = await pay('/chat')
      expect(answer.text.match(/word \d+/g)).toEqual(['word 0', 'word 1', 'word 2'])
      expect(answer.text).toMatch(
        /\n\nevent: payment-limit\ndata: {"code":"ceiling_reached"}\n\nevent: payment-response\ndata: \S+\n\n$/,
      )
      expect(settled).toEqual([30n])
    })

    test('SRV-033 bytes leave until the ceiling and not one more', async () => {
      const { pay } = await open({ perByte: '$0.0000001', upTo: '$0.000003', ...streamed }, () => ({
        headers: [['content-type', 'text/plain']],
        body: inPieces('0123456789'.repeat(10), 7),
      }))
      const answer = await pay('/chat')
      expect(answer.text).toBe('0123456789'.repeat(3))
      await until(1)
      expect(settled).toEqual([3n])
    })

    test('SRV-035 time ends what says nothing', async () => {
      const { pay } = await open({ perMillisecond: '$0.000001', upTo: '$0.00005', ...streamed }, () => ({
        headers: [['content-type', 'text/event-stream']],
        body: (async function* () {
          yield new TextEncoder().encode('data: 1\n\n')
          await new Promise(() => {})
        })(),
      }))
      const answer = await pay('/chat')
      expect(answer.text).toMatch(/^data: 1\n\nevent: payment-limit\n/)
      expect(settled).toEqual([50n])
    })

    test('SRV-035 a buyer who leaves pays for what left', async () => {
      const { served, sign, present } = await open({ perByte: '$0.000001', upTo: '$1', ...streamed }, () => ({
        headers: [['content-type', 'text/plain']],
        body: (async function* () {
          for (;;) {
            yield new TextEncoder().encode('0123456789')
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        })(),
      }))
      const payment = await sign('/chat')
      const abort = new AbortController()
      const response = await fetch(`${served.url}/chat`, { headers: headersOf(payment), signal: abort.signal })
      await response.body?.getReader().read()
      abort.abort()
      await until(1)
      expect(settled[0]).toBeGreaterThanOrEqual(10n)
      expect(settled[0]).toBeLessThan(1_000_000n)
      // What was counted is paid, and there is no more to be had for it.
      expect((await present('/chat', payment)).status).toBe(402)
    })

    /** Events of a stream that goes on until its reader leaves. */
    const unending =
      (...data: readonly string[]): TestHandler =>
      () => ({
        headers: [['content-type', 'text/event-stream']],
        body: (async function* () {
          for (const line of data) yield new TextEncoder().encode(`data: ${line}\n\n`)
          await new Promise(() => {})
        })(),
      })
    const piece = (text: string): string => JSON.stringify({ type: 'content_block_delta', delta: { text } })
    const begun = '{"type":"message_start","message":{"usage":{"input_tokens":40,"output_tokens":1}}}'
    /** Reads a stream until it has said something, and leaves. */
    const leaveAfter = async (word: string, body?: string): Promise<void> => {
      const abort = new AbortController()
      const payment = headersOf(await market.sign('/chat'))
      const request = body === undefined ? { headers: payment } : { method: 'POST', headers: payment, body }
      const response = await fetch(`${market.served.url}/chat`, { ...request, signal: abort.signal })
      const reader = response.body?.getReader()
      for (let text = ''; !text.includes(word); ) text += new TextDecoder().decode((await reader?.read())?.value)
      abort.abort()
    }

    test('SRV-042 a buyer who leaves a stream by the token pays for the input that it told of and the pieces that left', async () => {
      await open({ ...perToken, ...streamed }, unending(begun, piece('one'), piece('two'), piece('three')))
      await leaveAfter('three')
      await until(1)
      // 40 of input, the token that it began with, and three pieces.
      expect(settled).toEqual([120n])
    })

    test('SRV-035 a stream that tells of its input first ends at its ceiling all the same', async () => {
      const words = Array.from({ length: 20 }, (_, i) => piece(`word ${i}`))
      const { pay } = await open({ ...perToken, upTo: '$0.00012', ...streamed }, events(begun, ...words))
      expect((await pay('/chat')).text.match(/word \d+/g)).toEqual(['word 0', 'word 1', 'word 2'])
      expect(settled).toEqual([120n])
    })

    test('SRV-042 where the stream has not told of its input, what the seller assumes at least is charged', async () => {
      const least = { perToken: { ...perToken.perToken, leastInput: 300 } }
      await open({ ...perToken, ...least, ...streamed }, unending(piece('one'), piece('two')))
      await leaveAfter('two')
      await until(1)
      expect(settled).toEqual([620n])
    })

    test('SRV-042 what is assumed by the body is a token for every four bytes of it', async () => {
      const least = { perToken: { ...perToken.perToken, leastInput: 'body' as const } }
      await open({ ...perToken, ...least, ...streamed }, unending(piece('one'), piece('two')))
      await leaveAfter('two', 'x'.repeat(401))
      await until(1)
      expect(settled).toEqual([222n])
    })

    test('SRV-042 an assumption gives way to what the stream says', async () => {
      const least = { perToken: { ...perToken.perToken, leastInput: 20_000 } }
      const usage = '{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3}}'
      const { pay } = await open(
        { ...perToken, ...least, upTo: '$0.0001', ...streamed },
        events(piece('one'), piece('two'), usage, '[DONE]'),
      )
      expect((await pay('/chat')).text).toContain('two')
      expect(settled).toEqual([50n])
    })

    test('SRV-042 SRV-026 without one, input that nobody told of comes out of the budget for loss, which closes the stream', async () => {
      const whole = events(piece('one'), '{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3}}')
      let runs = 0
      const { pay } = await open({ ...perToken, ...streamed, lossBudget: '$0.08' }, (request) =>
        runs++ === 0 ? unending(piece('one'), piece('two'))(request) : whole(request),
      )
      await leaveAfter('two')
      await until(1)
      expect(settled).toEqual([20n])
      // The 49,980 atomic units that may have been lost leave no room for another 50,000: the answer is held back until it is paid for.
      const answer = await pay('/chat')
      expect([receiptOf(answer)?.status, answer.text.includes('payment-response'), settled]).toEqual([
        'settled',
        false,
        [20n, 50n],
      ])
    })

    test('SRV-036 what was prepaid is used up by what each request takes', async () => {
      const { pay, ask } = await open(
        { ...perToken, prepaid: '$0.001' },
        chat({ prompt_tokens: 100, completion_tokens: 20 }),
        testScheme,
      )
      const first = await pay('/chat')
      const token = first.headers.get('PAYMENT-ENTITLEMENT') ?? ''
      expect([first.status, settled, receiptOf(first)?.status]).toEqual([200, [1_000n], 'settled'])
      const use = () => ask('/chat', { headers: { 'PAYMENT-ENTITLEMENT': token } })
      // 400 of 1,000 for each answer: the third takes what is left.
      const rest = [await use(), await use(), await use()]
      expect(rest.map(({ status }) => status)).toEqual([200, 200, 402])
      expect(settled).toEqual([1_000n])
    })

    test('SRV-036 what was prepaid in an asset of more decimals is used up in its own units', async () => {
      const usdc = assetByTicker(network('base-sepolia'), 'USD') as Asset
      const coin = { ...usdc, address: `0x${'33'.repeat(20)}`, decimals: 18 }
      const offers = [{}, { asset: coin }]
      const { ask, present } = await open(
        { ...perToken, prepaid: '$0.1', offers },
        chat({ prompt_tokens: 100, completion_tokens: 20 }),
        testScheme,
      )
      const credits: (string | undefined)[] = []
      for (const offer of offersOf(await ask('/chat'))) {
        const first = await present('/chat', paymentFor(offer))
        const [token = '', credit] = (first.headers.get('PAYMENT-ENTITLEMENT') ?? '').split('; ')
        const second = await ask('/chat', { headers: { 'PAYMENT-ENTITLEMENT': token } })
        credits.push(credit, second.headers.get('PAYMENT-ENTITLEMENT')?.split('; ')[1])
      }
      // A use holds the most that it may cost: one twentieth of a dollar, in either asset.
      expect(credits).toEqual([
        ...['credit=50000', 'credit=49600'],
        ...['credit=50000000000000000', 'credit=49600000000000000'],
      ])
    })

    test('SRV-037 the first calls are free for each caller, and then they cost', async () => {
      const free = { calls: 2, every: '1d', by: 'header["x-key"]' }
      const { ask, pay } = await open({ price: '$0.001', free }, () => ({ body: 'hello' }), testScheme)
      const call = async (key?: string) =>
        (await ask('/chat', { headers: key === undefined ? {} : { 'x-key': key } })).status
      expect([await call('a'), await call('a'), await call('a'), await call('b'), await call()]).toEqual([
        200, 200, 402, 200, 402,
      ])
      shift += 86_400_000
      market.later(86_400_000)
      expect(await call('a')).toBe(200)
      expect((await pay('/chat')).status).toBe(200)
      expect(settled).toEqual([1_000n])
    })

    test('SRV-038 multipliers on conditions of the request, exactly', async () => {
      const times = [{ 2: 'query_length > 3', 1.5: 'dear' }]
      const { ask, sign, present } = await open({ price: '$0.001', times }, () => ({ body: 'hello' }), testScheme)
      const amounts = []
      for (const path of ['/chat', '/chat?long=1', '/chat?dear']) amounts.push(offersOf(await ask(path))[0].amount)
      expect(amounts).toEqual([1_000n, 2_000n, 3_000n])
      expect((await present('/chat?dear', await sign('/chat'))).status).toBe(402)
      expect((await present('/chat?dear', await sign('/chat?dear'))).status).toBe(200)
      expect(settled).toEqual([3_000n])
    })
  })
}

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
