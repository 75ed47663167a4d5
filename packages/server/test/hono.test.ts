import { createMemoryClaims, type PaywallOptions, type VerifiedPayment } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { afterEach, beforeEach, expect, expectTypeOf, test } from 'vitest'
import { type FacilitatorStub, refusedSettle, startFacilitator } from './facilitator-stub.js'
import { offersOf, receiptOf } from './shop.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

let stub: FacilitatorStub
let options: PaywallOptions

beforeEach(async () => {
  stub = await startFacilitator()
  options = {
    facilitator: stub.url,
    payTo: { 'base-sepolia': payTo },
    schemes: [testScheme],
    store: createMemoryClaims({ singleProcess: true }),
  }
})
afterEach(() => stub.close())

async function ask(app: Hono, headers: Record<string, string> = {}, path = '/weather') {
  const response = await app.request(`http://shop.example${path}`, { headers })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

async function pay(app: Hono, headers: Record<string, string> = {}) {
  return ask(app, { ...headersOf(paymentFor(offersOf(await ask(app))[0])), ...headers })
}

test('the handler reads the payment, and its type is known', async () => {
  const app = new Hono()
  app.get('/weather', paywall(options)('$0.001'), (c) => {
    const payment = c.get('payment')
    expectTypeOf(payment).toEqualTypeOf<VerifiedPayment>()
    return c.json({ payer: payment.payer, amount: payment.amount.toString(), network: payment.offer.network })
  })
  expect(JSON.parse((await pay(app)).text)).toEqual({ payer, amount: '1000', network: 'eip155:84532' })
})

test('CORS around the paywall stands on every answer of it', async () => {
  const app = new Hono()
  app.use(cors({ origin: 'https://page.example', exposeHeaders: ['PAYMENT-REQUIRED', 'PAYMENT-RESPONSE'] }))
  app.get('/weather', paywall(options)('$0.001'), (c) => c.text('sunny'))
  const origin = { origin: 'https://page.example' }
  const answers = [await ask(app, origin), await pay(app, origin)]
  stub.does.settle = [refusedSettle()]
  answers.push(await pay(app, origin))
  expect(answers.map(({ status }) => status)).toEqual([402, 200, 402])
  for (const { headers } of answers) {
    expect(headers.get('access-control-allow-origin')).toBe('https://page.example')
    expect(headers.get('access-control-expose-headers')).toBe('PAYMENT-REQUIRED,PAYMENT-RESPONSE')
  }
  const preflight = await app.request('http://shop.example/weather', {
    method: 'OPTIONS',
    headers: { origin: 'https://page.example', 'access-control-request-method': 'GET' },
  })
  expect(preflight.status).toBe(204)
})

test('headers that middleware prepares, and cookies, are kept apart from the handler’s', async () => {
  const app = new Hono()
  app.use(async (c, next) => {
    c.header('x-prepared', 'yes')
    c.header('set-cookie', 'visit=1', { append: true })
    await next()
    c.header('x-after', 'yes')
  })
  app.get('/weather', paywall(options)('$0.001'), (c) => {
    c.header('set-cookie', 'paid=1', { append: true })
    c.header('x-result', 'sunny')
    return c.text('sunny', 201)
  })
  const headers = headersOf(paymentFor(offersOf(await ask(app))[0]))
  for (const paid of [await ask(app, headers), await ask(app, headers)]) {
    expect(paid).toMatchObject({ status: 201, text: 'sunny' })
    expect(paid.headers.getSetCookie()).toEqual(['visit=1', 'paid=1'])
    expect([paid.headers.get('x-prepared'), paid.headers.get('x-after'), paid.headers.get('x-result')]).toEqual([
      'yes',
      'yes',
      'sunny',
    ])
  }
  stub.does.settle = [refusedSettle()]
  const refused = await pay(app)
  expect(refused.headers.getSetCookie()).toEqual(['visit=1'])
  expect([refused.headers.get('x-prepared'), refused.headers.get('x-after'), refused.headers.get('x-result')]).toEqual([
    'yes',
    'yes',
    null,
  ])
})

test('what Hono makes of a throw goes out uncharged', async () => {
  const app = new Hono()
  app.get('/weather', paywall(options)('$0.001'), () => {
    throw new HTTPException(418, { message: 'teapot' })
  })
  expect(await pay(app)).toMatchObject({ status: 418, text: 'teapot' })
  expect(stub.calls.settle).toEqual([])
})

test('a response of fetch, whose headers cannot be changed, can be sold and can fail', async () => {
  let status = 200
  const app = new Hono()
  const upstream = async (): Promise<Response> => {
    const response = await fetch(stub.url, { redirect: 'manual' })
    return Object.defineProperty(response, 'status', { value: status })
  }
  app.get('/weather', paywall(options)('$0.001'), upstream)
  expect(receiptOf(await pay(app))).toMatchObject({ status: 'settled' })
  status = 404
  expect(await pay(app)).toMatchObject({ status: 404 })
})

test('a gate over a whole application covers what is not there, and every verb', async () => {
  const app = new Hono()
  app.use(paywall(options)('$0.001'))
  app.use(bodyLimit({ maxSize: 10 }))
  app.get('/weather', (c) => c.text('sunny'))
  expect((await ask(app, {}, '/nothing')).status).toBe(402)
  expect((await app.request('/weather', { method: 'DELETE' })).status).toBe(402)
  const nothing = headersOf(paymentFor(offersOf(await ask(app, {}, '/nothing'))[0]))
  expect(await ask(app, nothing, '/nothing')).toMatchObject({ status: 404 })
  expect(stub.calls.settle).toEqual([])
  expect(await pay(app)).toMatchObject({ status: 200, text: 'sunny' })
})
