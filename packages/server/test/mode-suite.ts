import { get, type IncomingMessage } from 'node:http'
import { decodeReceipt, type PaymentPayload } from '@groat/core'
import type { GateRequest } from '@groat/server'
import { afterEach, describe, expect, test } from 'vitest'
import { json, receipt, refusedSettle, settled } from './facilitator-stub.js'
import type { Framework, TestHandler } from './frameworks.js'
import { expectRefused, type Market, openMarket, problemOf, receiptOf } from './shop.js'
import { headersOf } from './test-scheme.js'

const WAIT = { timeout: 5_000 }

async function* endless() {
  for (;;) {
    yield new TextEncoder().encode('a piece')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What every adapter does in the modes in which an answer leaves while it is made. */
export function describeModes(framework: Framework): void {
  describe(`modes behind ${framework.name}`, () => {
    let market: Market
    let runs: number

    type Mode = Readonly<{ mode: 'upfront' | 'accepted' } | { mode: 'optimistic'; lossBudget: string }>
    const upfront: Mode = { mode: 'upfront' }
    const accepted: Mode = { mode: 'accepted' }
    const optimistic = (lossBudget = '$1'): Mode => ({ mode: 'optimistic', lossBudget })

    const open = async (mode: Mode, handler: TestHandler): Promise<Market> => {
      runs = 0
      const counted: TestHandler = (request) => {
        runs += 1
        return handler(request)
      }
      market = await openMarket(framework, { '/feed': { input: { price: '$0.001', ...mode }, handler: counted } })
      return market
    }

    afterEach(() => market.close())

    const events: TestHandler = () => ({
      headers: [
        ['content-type', 'text/event-stream'],
        ['cache-control', 'public, max-age=60'],
        ['PAYMENT-RESPONSE', 'forged'],
      ],
      body: chunks('data: 1\n\n', 'data: 2\n\n'),
    })

    /** Waits until the claim of what was sent is written down. */
    const until = async (type: string): Promise<void> => {
      for (let i = 0; i < 500 && !market.events.some((event) => event.type === type); i++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      expect(market.events.map((event) => event.type)).toContain(type)
    }

    test('SRV-025 upfront: settled before the work, and the receipt is in the head', async () => {
      const { pay, stub } = await open(upfront, (request) => {
        expect(stub.calls.settle).toHaveLength(1)
        return events(request)
      })
      const answer = await pay('/feed')
      expect(answer).toMatchObject({ status: 200, text: 'data: 1\n\ndata: 2\n\n' })
      expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
      expect(answer.headers.get('cache-control')).toBe('private, max-age=60')
      expect(answer.headers.get('vary')).toMatch(/PAYMENT-SIGNATURE, X-PAYMENT$/)
      await until('delivery_released')
    })

    test.each([
      [upfront, 'text/event-stream'],
      [upfront, 'application/octet-stream'],
      [accepted, 'text/event-stream'],
      [optimistic(), 'text/event-stream'],
      [optimistic(), 'application/octet-stream'],
    ] as const)('$0.mode: the first byte of $1 leaves while the work goes on', async (mode, type) => {
      const more = signal()
      const { served, sign } = await open(mode, () => ({
        headers: [['content-type', type]],
        body: (async function* () {
          yield bytes('data: 1\n\n')
          await more.promise
          yield bytes('data: 2\n\n')
        })(),
      }))
      const response = await fetch(`${served.url}/feed`, { headers: headersOf(await sign('/feed')) })
      const reader = response.body?.getReader()
      expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: 1\n\n')
      more.resolve()
      let rest = ''
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
        rest += new TextDecoder().decode(read.value)
      }
      const last = mode.mode === 'optimistic' && type === 'text/event-stream' ? 'event: payment-response\n' : ''
      expect(rest.slice(0, 9 + last.length)).toBe(`data: 2\n\n${last}`)
      await until('delivery_released')
    })

    // What speaks through `Response` has no trailers.
    test.skipIf(!/node|express|fastify/.test(framework.name))(
      'optimistic: the receipt of an answer that is no event stream is its trailer',
      async () => {
        const { served, sign } = await open(optimistic(), () => ({
          headers: [['content-type', 'text/plain']],
          body: chunks('one', 'two'),
        }))
        const headers = headersOf(await sign('/feed'))
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          get(`${served.url}/feed`, { headers }, (incoming) =>
            incoming.resume().once('end', () => resolve(incoming)),
          ).once('error', reject)
        })
        expect([response.headers.trailer, response.headers['payment-response']]).toEqual([
          expect.stringContaining('PAYMENT-RESPONSE'),
          undefined,
        ])
        const value = response.trailers['payment-response'] ?? null
        expect(decodeReceipt((name) => (name === 'PAYMENT-RESPONSE' ? value : null))).toMatchObject({
          ok: true,
          value: { status: 'settled' },
        })
      },
    )

    test('SRV-025 upfront: work that breaks after it has begun to answer stays owed, and what was sent of it ends there', async () => {
      let broken = true
      const { served, sign, present, stub } = await open(upfront, () => ({
        headers: [['content-type', 'text/plain']],
        body: (async function* () {
          yield bytes('half of ')
          if (broken) throw new Error('boom')
          yield bytes('it')
        })(),
      }))
      const payment = await sign('/feed')
      const half = await fetch(`${served.url}/feed`, { headers: headersOf(payment) })
        .then((response) => response.text())
        .catch(() => 'broken off')
      expect(half).not.toContain('it')
      broken = false
      await expect.poll(async () => (await present('/feed', payment)).text, WAIT).toBe('half of it')
      expect(stub.calls.settle).toHaveLength(1)
    })

    test('SRV-005 upfront: what was delivered is sent again to whoever presents the same payment', async () => {
      const { sign, present, stub } = await open(upfront, events)
      const payment = await sign('/feed')
      const first = await present('/feed', payment)
      await until('delivery_released')
      const second = await present('/feed', payment)
      expect(second).toMatchObject({ status: 200, text: first.text })
      expect(receiptOf(second)).toEqual(receiptOf(first))
      expect([runs, stub.calls.settle.length]).toEqual([1, 1])
    })

    test.each([upfront, accepted])(
      'SRV-005 $mode: settling that takes longer than the claim is held begins no work twice',
      async (mode) => {
        runs = 0
        const handler: TestHandler = () => {
          runs += 1
          return { body: 'fine' }
        }
        const routes = { '/feed': { input: { price: '$0.001', ...mode }, handler } }
        market = await openMarket(framework, routes, { leaseSeconds: 0.2 })
        const { stub, sign, present } = market
        stub.does.settle = [(...call) => void setTimeout(() => settled(...call), 350)]
        const payment = await sign('/feed')
        const first = present('/feed', payment)
        await new Promise((resolve) => setTimeout(resolve, 250))
        const answers = await Promise.all([first, present('/feed', payment)])
        expect([runs, answers.map(({ status }) => status).sort()]).toEqual([1, [200, 409]])
      },
    )

    test('SRV-025 upfront: work that fails after payment stays owed, and costs nothing more', async () => {
      let broken = 3
      const { sign, present, stub } = await open(upfront, () => {
        if (broken-- > 0) {
          if (broken === 1) throw new Error('boom')
          return { status: 503, body: 'sorry' }
        }
        return { body: 'fine' }
      })
      const payment = await sign('/feed')
      expect(await present('/feed', payment)).toMatchObject({ status: 503, text: 'sorry' })
      expect((await present('/feed', payment)).status).toBe(500)
      expect(await present('/feed', payment)).toMatchObject({ status: 503 })
      expect(await present('/feed', payment)).toMatchObject({ status: 200, text: 'fine' })
      await until('delivery_released')
      expect(await present('/feed', payment)).toMatchObject({ status: 200, text: 'fine' })
      expect([runs, stub.calls.settle.length]).toEqual([4, 1])
    })

    test('SRV-025 upfront: a buyer whose line breaks is served again, a few times', async () => {
      const {
        served,
        sign,
        present,
        stub,
        events: told,
      } = await open(upfront, () => ({
        headers: [['content-type', 'text/event-stream']],
        body: (async function* () {
          for (;;) {
            yield bytes('data: x\n\n')
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        })(),
      }))
      const payment = await sign('/feed')
      for (let time = 1; time <= 3; time++) {
        const abort = new AbortController()
        const response = await fetch(`${served.url}/feed`, { headers: headersOf(payment), signal: abort.signal })
        expect(response.status).toBe(200)
        await response.body?.getReader().read()
        abort.abort()
        for (let i = 0; i < 500 && told.filter(({ type }) => type === 'delivery_failed').length < time; i++) {
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }
      expectRefused(await present('/feed', payment), 'payment_already_used')
      expect([runs, stub.calls.settle.length]).toEqual([3, 1])
    })

    test('SRV-025 SRV-038 upfront: what is owed for a cheap request is not delivered to a dear one', async () => {
      runs = 0
      const price = async ({ header, body }: GateRequest) =>
        header('x-size') === 'big' || ((await body?.())?.length ?? 0) > 3 ? '$0.25' : '$0.001'
      const handler: TestHandler = () => {
        runs += 1
        return { body: endless() }
      }
      market = await openMarket(framework, { '/feed': { input: { price, mode: 'upfront' }, handler } })
      const { served, sign, events: told } = market
      const payment = await sign('/feed')
      const leave = async (time: number): Promise<void> => {
        const abort = new AbortController()
        const headers = headersOf(payment)
        const response = await fetch(`${served.url}/feed`, { headers, signal: abort.signal })
        expect(response.status).toBe(200)
        await response.body?.getReader().read()
        abort.abort()
        await expect.poll(() => told.filter(({ type }) => type === 'delivery_failed').length, WAIT).toBe(time)
      }
      await leave(1)
      const dear = new AbortController()
      const headers = { ...headersOf(payment), 'x-size': 'big' }
      const answer = await fetch(`${served.url}/feed`, { headers, signal: dear.signal })
      dear.abort()
      expect([answer.status, runs]).toEqual([402, 1])
      await leave(2)
      expect(runs).toBe(2)
    })

    const leaving = async (payment: PaymentPayload, init: RequestInit): Promise<number> => {
      const abort = new AbortController()
      const headers = { ...headersOf(payment), 'content-type': 'text/plain' }
      const response = await fetch(`${market.served.url}/feed`, {
        method: 'POST',
        signal: abort.signal,
        ...init,
        headers,
      })
      if (response.status === 200) await response.body?.getReader().read()
      abort.abort()
      return response.status
    }
    const broken = (time: number): Promise<void> =>
      expect
        .poll(() => market.events.filter(({ type }) => type === 'delivery_failed').length, WAIT)
        .toBe(time) as Promise<void>

    test.each([upfront, accepted])(
      'SRV-043 $mode: what is owed is owed to the body that was paid for',
      async (mode) => {
        const { sign } = await open(mode, () => ({ body: endless() }))
        const payment = await sign('/feed')
        expect(await leaving(payment, { body: 'summarise this' })).toBe(200)
        await broken(1)
        expect(await leaving(payment, { body: 'and now that' })).toBe(409)
        expect(await leaving(payment, {})).toBe(409)
        expect(runs).toBe(1)
        expect(await leaving(payment, { body: 'summarise this' })).toBe(200)
        await broken(2)
        expect(runs).toBe(2)
      },
    )

    test('SRV-043 upfront: a form that is sent again has another boundary, and is the same request', async () => {
      let isBroken = true
      const { sign } = await open(upfront, () => (isBroken ? { status: 503, body: 'sorry' } : { body: 'fine' }))
      const payment = await sign('/feed')
      const send = async (words: string, boundary: string): Promise<number> => {
        const part = `--${boundary}\r\ncontent-disposition: form-data; name="words"\r\n\r\n${words}\r\n--${boundary}--\r\n`
        const headers = { ...headersOf(payment), 'content-type': `multipart/form-data; boundary=${boundary}` }
        const response = await fetch(`${market.served.url}/feed`, { method: 'POST', body: part, headers })
        await response.text()
        return response.status
      }
      expect(await send('summarise this', 'one')).toBe(503)
      await broken(1)
      expect(await send('summarise that', 'two')).toBe(409)
      expect(await send('two summarise this', 'two ')).toBe(409)
      isBroken = false
      expect(await send('summarise this', 'three')).toBe(200)
      expect(runs).toBe(2)
    })

    test('SRV-043 upfront: a body that nobody can compare is worked for until some of the answer was sent', async () => {
      const { sign } = await open(upfront, () => ({ body: endless() }))
      const payment = await sign('/feed')
      const piecewise = (): RequestInit => {
        const body = new ReadableStream({
          start(controller) {
            controller.enqueue(bytes('a piece'))
            controller.close()
          },
        })
        return { body, duplex: 'half' } as RequestInit
      }
      expect(await leaving(payment, piecewise())).toBe(200)
      await broken(1)
      expect(await leaving(payment, piecewise())).toBe(402)
      expect(runs).toBe(1)
    })

    test('upfront: refused or unknown, nothing runs', async () => {
      const { sign, present, stub } = await open(upfront, events)
      stub.does.settle = [refusedSettle(), json(502, {}), settled]
      const payment = await sign('/feed')
      expectRefused(await present('/feed', payment), 'invalid_exact_evm_insufficient_balance')
      expect(await present('/feed', payment)).toMatchObject({ status: 503 })
      expect(runs).toBe(0)
      expect(await present('/feed', payment)).toMatchObject({ status: 200 })
      expect(runs).toBe(1)
    })

    test('SRV-004 upfront: of 10 copies at once one is served', async () => {
      const release = signal()
      const { sign, present, stub } = await open(upfront, async (request) => {
        await release.promise
        return events(request)
      })
      const payment = await sign('/feed')
      let told = 0
      const copies = Array.from({ length: 10 }, async () => {
        const answer = await present('/feed', payment)
        if (++told === 9) release.resolve()
        return answer.status
      })
      expect((await Promise.all(copies)).sort()).toEqual([200, ...Array(9).fill(409)])
      expect([runs, stub.calls.settle.length]).toEqual([1, 1])
    })

    test('accepted: a transaction that was sent is enough, and what follows is written down at the end', async () => {
      const { sign, present, stub } = await open(accepted, events)
      const transaction = `0x${'1'.padStart(64, '0')}`
      const sent = json(200, {
        success: false,
        errorReason: 'settlement_pending',
        transaction,
        network: 'eip155:84532',
      })
      stub.does.settle = [sent, receipt(transaction)]
      const payment = await sign('/feed')
      const answer = await present('/feed', payment)
      expect(answer.status).toBe(200)
      expect(answer.text).toMatch(/^data: 1\n\ndata: 2\n\nevent: payment-response\ndata: [A-Za-z0-9+/=]+\n\n$/)
      await until('delivery_released')
      expect(await present('/feed', payment)).toMatchObject({ status: 200 })
      expect([runs, stub.calls.settle.length]).toEqual([1, 2])
    })

    test('accepted: without a transaction nothing runs', async () => {
      const { pay, stub } = await open(accepted, events)
      stub.does.settle = [json(502, {})]
      expect(await pay('/feed')).toMatchObject({ status: 503 })
      expect(runs).toBe(0)
    })

    test('optimistic: settled when the work has ended, with the receipt as the last event', async () => {
      const { sign, present, stub } = await open(optimistic(), (request) => {
        expect(stub.calls.settle).toHaveLength(0)
        return events(request)
      })
      const payment = await sign('/feed')
      const answer = await present('/feed', payment)
      expect(answer.status).toBe(200)
      expect(receiptOf(answer)).toBeUndefined()
      const [, value = ''] = /event: payment-response\ndata: (\S+)\n\n$/.exec(answer.text) ?? []
      expect(JSON.parse(atob(value))).toMatchObject({ success: true })
      await until('delivery_released')
      expect(await present('/feed', payment)).toMatchObject({ status: 200 })
      expect([runs, stub.calls.settle.length]).toEqual([1, 1])
    })

    test('SRV-006 optimistic: work that fails is not charged', async () => {
      const { pay, stub } = await open(optimistic(), () => ({ status: 500, body: 'sorry' }))
      expect(await pay('/feed')).toMatchObject({ status: 500, text: 'sorry' })
      await until('delivery_failed')
      expect(stub.calls.settle).toEqual([])
    })

    test('SRV-026 optimistic: what is lost comes out of the budget, and then payment comes first', async () => {
      const { pay, stub } = await open(optimistic('$0.002'), events)
      stub.does.settle = [refusedSettle()]
      expect((await pay('/feed')).status).toBe(200)
      expect((await pay('/feed')).status).toBe(200)
      expect(runs).toBe(2)
      expectRefused(await pay('/feed'), 'invalid_exact_evm_insufficient_balance')
      expect(runs).toBe(2)
      stub.does.settle = [settled]
      const answer = await pay('/feed')
      expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
    })

    test('HEAD is delivered without a body', async () => {
      for (const mode of [upfront, optimistic()]) {
        const { sign, present, stub } = await open(mode, events)
        const payment = await sign('/feed')
        expect(await present('/feed', payment, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
        await until('delivery_released')
        expect(stub.calls.settle).toHaveLength(1)
        if (mode === upfront) await market.close()
      }
    })

    test('a payment for another route of another mode is not taken', async () => {
      market = await openMarket(framework, {
        '/feed': { input: { price: '$0.001', ...upfront }, handler: events },
        '/report': { input: '$0.001', handler: events },
      })
      const payment = await market.sign('/feed')
      expect(await market.present('/feed', payment)).toMatchObject({ status: 200 })
      await until('delivery_released')
      const answer = await market.present('/report', payment)
      expect([answer.status, problemOf(answer).code]).toEqual([409, 'idempotency_mismatch'])
    })
  })
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield bytes(part)
}

/** A promise that somebody else resolves. */
function signal(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
