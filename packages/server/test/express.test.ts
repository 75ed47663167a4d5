import { createServer, get, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/express'
import express5, { type Express, type RequestHandler } from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import { type FacilitatorStub, refusedSettle, settled, startFacilitator } from './facilitator-stub.js'
import { type Listening, listen } from './listen.js'
import { type Answered, offersOf, receiptOf } from './shop.js'
import { headersOf, paymentFor, payTo, testScheme } from './test-scheme.js'

const express4: typeof express5 = createRequire(import.meta.url)('express4')

describe.each([
  ['express 5', express5],
  ['express 4', express4],
])('the response of %s, held back', (_, express) => {
  let stub: FacilitatorStub
  let served: Listening

  const open = async (handler: RequestHandler, before: readonly RequestHandler[] = []): Promise<void> => {
    stub = await startFacilitator()
    const paid = paywall({
      facilitator: stub.url,
      payTo: { 'base-sepolia': payTo },
      schemes: [testScheme],
      store: createMemoryClaims({ singleProcess: true }),
      maxResponseBytes: 1_000,
    })
    const app: Express = express()
    app.set('env', 'test')
    app.use(...before, (_req, res, next) => {
      res.setHeader('x-standing', 'yes')
      next()
    })
    app.get('/', paid('$0.001'), handler)
    served = await listen(createServer(app))
  }

  afterEach(async () => {
    await served.close()
    await stub.close()
  })

  const ask = async (headers: Record<string, string> = {}): Promise<Answered> => {
    const response = await fetch(served.url, { headers, redirect: 'manual' })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const sign = async () => headersOf(paymentFor(offersOf(await ask())[0]))
  const pay = async (): Promise<Answered> => ask(await sign())

  test.each<readonly [string, RequestHandler]>([
    ['alone', (_, res) => void res.writeHead(404).end('sorry')],
    ['with headers', (_, res) => void res.writeHead(404, { 'content-type': 'text/plain' }).end('sorry')],
    ['with a reason', (_, res) => void res.writeHead(404, 'Nope', { 'content-type': 'text/plain' }).end('sorry')],
  ])('SRV-006 writeHead(404) %s is a failure like any other', async (_name, handler) => {
    await open(handler)
    const answer = await pay()
    expect(answer).toMatchObject({ status: 404, text: 'sorry' })
    expect(receiptOf(answer)).toBeUndefined()
    expect(stub.calls.settle).toEqual([])
  })

  test('what stands on request and response before the gate stands there behind it', async () => {
    const owned = (of: object) => Object.keys(of).filter((name) => Object.hasOwn(of, name))
    const seen: unknown[] = []
    const look: RequestHandler = (req, res, next) => {
      seen.push({ req: owned(req), res: owned(res), sendDate: res.sendDate })
      next()
    }
    await open((req, res) => look(req, res, () => res.json('sold')), [look])
    expect(await pay()).toMatchObject({ status: 200 })
    const [, before, behind] = seen
    const unordered = (names: readonly string[]) => expect.arrayContaining([...names])
    const { req, res, ...values } = before as { req: string[]; res: string[]; sendDate: boolean }
    expect(behind).toMatchObject({ ...values, req: unordered(req), res: unordered(res) })
  })

  test.each<readonly [string, RequestHandler]>([
    [
      'an object',
      (_, res) => void res.writeHead(201, { 'X-Result': 'sunny', 'Set-Cookie': ['a=1', 'b=2'] }).end('body'),
    ],
    [
      'a flat list',
      (_, res) =>
        void res.writeHead(201, 'Made', ['X-Result', 'sunny', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end('body'),
    ],
    [
      'every other way',
      (_, res) => {
        res.setHeader('X-Result', 'rainy')
        res.appendHeader('Set-Cookie', 'a=1').append('Set-Cookie', 'b=2')
        res.set({ 'X-Result': 'sunny' }).status(201)
        res.flushHeaders()
        res.write('bo', 'latin1')
        res.write(Buffer.from('d'), () => res.end('79', 'hex'))
      },
    ],
  ])('SRV-007 SRV-008 headers that are set with %s arrive when it is paid, and only then', async (_name, handler) => {
    await open(handler)
    const paid = await pay()
    expect(paid).toMatchObject({ status: 201, text: 'body' })
    expect([paid.headers.get('x-result'), paid.headers.getSetCookie()]).toEqual(['sunny', ['a=1', 'b=2']])
    stub.does.settle = [refusedSettle()]
    const unpaid = await pay()
    expect(unpaid.status).toBe(402)
    expect(JSON.stringify([...unpaid.headers])).not.toMatch(/sunny|a=1|x-result/i)
    expect(unpaid.headers.get('x-standing')).toBe('yes')
    // The reason phrase of the answer that was withheld is withheld too.
    const raw = await fetch(served.url, { headers: await sign() })
    expect([raw.status, raw.statusText]).toEqual([402, 'Payment Required'])
  })

  test('SRV-007 nothing informational leaves before it is paid', async () => {
    await open((_, res) => {
      res.writeEarlyHints({ link: '</paid.css>; rel=preload' })
      res.writeProcessing()
      res.writeContinue()
      res.end('body')
    })
    const headers = await sign()
    const informed: number[] = []
    await new Promise<void>((resolve, reject) => {
      get(served.url, { headers }, (response) => response.resume().on('end', resolve))
        .on('information', ({ statusCode }) => informed.push(statusCode))
        .on('error', reject)
    })
    expect(informed).toEqual([])
  })

  test('SRV-007 trailers arrive with the answer', async () => {
    await open((_, res) => {
      res.setHeader('Trailer', 'X-Sum')
      res.write('body')
      res.addTrailers({ 'X-Sum': '42' })
      res.end()
    })
    const headers = await sign()
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(served.url, { headers }, (incoming) => incoming.resume().on('end', () => resolve(incoming))).on(
        'error',
        reject,
      )
    })
    expect([response.statusCode, response.trailers]).toEqual([200, { 'x-sum': '42' }])
  })

  test('a stream that is piped arrives whole, and the handler learns of its end', async () => {
    const finished: string[] = []
    await open((_, res, next) => {
      res.on('finish', () => finished.push('finish'))
      pipeline(Readable.from(['a', 'b', 'c']), res).then(() => finished.push('pipeline'), next)
    })
    expect(await pay()).toMatchObject({ status: 200, text: 'abc' })
    await expect.poll(() => finished).toEqual(['finish', 'pipeline'])
  })

  test('SRV-006 an error in the middle of an answer becomes a clean failure', async () => {
    await open((_, res, next) => {
      res.status(200).type('json').write('{"half":')
      next(new Error('boom'))
    })
    const answer = await pay()
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('half')
    expect(stub.calls.settle).toEqual([])
  })

  test('SRV-006 an error page that a handler of the shop makes replaces what was begun', async () => {
    await open((_, res) => {
      res.write('half')
      res.status(503).json({ error: 'later' })
    })
    expect(await pay()).toMatchObject({ status: 503, text: '{"error":"later"}' })
  })

  test('a redirect is an answer, and is charged', async () => {
    await open((_, res) => res.redirect('/elsewhere'))
    const answer = await pay()
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/elsewhere'])
    expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
  })

  test('a handler that writes without end is stopped, and whatever it does afterwards is not heard', async () => {
    let writes = 0
    let after: unknown
    await open((_, res) => {
      res.on('close', () => {
        try {
          res.write('more')
          res.end('more')
        } catch (error) {
          after = error
        }
      })
      while (res.write(Buffer.alloc(100)) && writes < 100_000) writes += 1
      res.end('the end')
      res.end('the very end')
    })
    const answer = await pay()
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'response_too_large' })
    expect(writes).toBe(10)
    expect(after).toBeUndefined()
    expect(stub.calls.settle).toEqual([])
  })

  test('middleware outside that takes over the response itself still has its way', async () => {
    const log: string[] = []
    // As compression and sessions do: it waits for the head, and ends later.
    const outside: RequestHandler = (_, res, next) => {
      const { writeHead, end } = res
      res.writeHead = function (this: typeof res, ...args: Parameters<typeof writeHead>) {
        log.push(`head ${res.statusCode}`)
        if (!res.headersSent) res.setHeader('x-outside', 'yes')
        return Reflect.apply(writeHead, this, args)
      } as typeof writeHead
      res.end = function (this: typeof res, ...args: unknown[]) {
        setTimeout(() => Reflect.apply(end, this, args), 10)
        return this
      } as typeof end
      next()
    }
    await open((_, res) => void res.json({ sunny: true }), [outside])
    const paid = await pay()
    expect([paid.status, paid.text, paid.headers.get('x-outside')]).toEqual([200, '{"sunny":true}', 'yes'])
    stub.does.settle = [refusedSettle()]
    expect((await pay()).headers.get('x-outside')).toBe('yes')
    expect(log).toEqual(['head 402', 'head 200', 'head 402', 'head 402'])
  })

  test('the length and the freshness that Express works out are those of the answer', async () => {
    await open((_, res) => void res.send('sunny'))
    const paid = await pay()
    expect([paid.headers.get('content-length'), paid.headers.get('etag')]).toEqual(['5', expect.stringMatching(/^W\//)])
    // The platform's fetch would ask for a full answer by itself.
    const fresh = await ask({
      ...(await sign()),
      'if-none-match': paid.headers.get('etag') ?? '',
      'cache-control': 'max-age=0',
    })
    expect([fresh.status, fresh.text]).toEqual([304, ''])
    stub.does.settle = [refusedSettle(), settled]
    const refused = await pay()
    expect(refused.headers.get('etag')).toBeNull()
    expect(refused.headers.get('content-length')).toBe(String(Buffer.byteLength(refused.text)))
  })

  test('behind a proxy that is trusted, the offer names the scheme that the buyer used', async () => {
    await open(
      (_, res) => void res.send('sunny'),
      [
        (req, _res, next) => {
          req.app.set('trust proxy', true)
          next()
        },
      ],
    )
    const [offer] = offersOf(await ask({ 'x-forwarded-proto': 'https' }))
    expect(offer).toBeDefined()
    const body = JSON.parse((await ask({ 'x-forwarded-proto': 'https' })).text)
    expect(body.accepts[0].resource).toBe(`${served.url.replace('http:', 'https:')}/`)
  })
})
