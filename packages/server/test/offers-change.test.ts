import { type Facilitator, network, type SchemeServer, type Settlement } from '@groat/core'
import { createMemoryClaims, type PaywallOptions, paywall } from '@groat/server'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Answered, errorOf, offersOf, problemOf, receiptOf } from './shop.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

// What was sold is delivered, whatever is sold by now; and what was sold here is not sold there.

let runs: number
let settles: number
let outcomes: Settlement[]
beforeEach(() => {
  runs = 0
  settles = 0
  outcomes = []
})

const settled: Settlement = {
  status: 'settled',
  receipt: { payer, network: network('base-sepolia'), transaction: '0x1' },
}
const facilitator: Facilitator = {
  verify: async () => ({ ok: true, payer }),
  settle: async () => {
    settles += 1
    return outcomes.shift() ?? settled
  },
  supported: async () => ({ kinds: [], extensions: [], signers: {} }),
}
const store = () => createMemoryClaims({ singleProcess: true })

function openShop(claims: PaywallOptions['store'], more: Partial<PaywallOptions> = {}, price = '$0.001') {
  const options = { facilitator, payTo: { 'base-sepolia': payTo }, schemes: [testScheme], store: claims, ...more }
  const shop = paywall(options)(price, () => {
    runs += 1
    return new Response('sunny')
  })
  const ask = async (headers = {}, host = 'shop.example'): Promise<Answered> => {
    const response = await shop(new Request(`http://${host}/weather`, { headers }))
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const sign = async (version: 1 | 2 = 2, host = 'shop.example') => {
    const payment = paymentFor(offersOf(await ask({}, host))[0], { version })
    return headersOf(version === 2 ? { ...payment, resource: { url: `http://${host}/weather` } } : payment)
  }
  return { ask, sign }
}

describe('SRV-027 a payment whose end was unknown when the offer changed', () => {
  const changes: readonly (readonly [string, Partial<PaywallOptions>, string | undefined])[] = [
    ['its price', {}, '$0.002'],
    ['its account', { payTo: { 'base-sepolia': payer } }, undefined],
    ['its network', { payTo: { base: payTo } }, undefined],
    ['how long it is good for', { maxTimeoutSeconds: 60 }, undefined],
    ['the origin', { origin: 'https://other.example' }, undefined],
  ]
  test.each(changes)('%s: is settled again and delivered', async (_, more, price) => {
    const claims = store()
    const payment = await openShop(claims).sign()
    outcomes = [{ status: 'unknown', retryAfter: 1 }]
    expect(await openShop(claims).ask(payment)).toMatchObject({ status: 503 })
    const today = openShop(claims, more, price)
    const answer = await today.ask(payment)
    expect(answer).toMatchObject({ status: 200, text: 'sunny' })
    expect(receiptOf(answer)).toMatchObject({ status: 'settled' })
    expect(await today.ask(payment)).toMatchObject({ status: 200, text: 'sunny' })
    expect([runs, settles]).toEqual([1, 2])
  })

  test.each(changes)('%s: what was never claimed is refused', async (_, more, price) => {
    const claims = store()
    const payment = await openShop(claims).sign()
    const answer = await openShop(claims, more, price).ask(payment)
    // A shorter life is no other offer: the scheme reads it.
    expect(answer.status).toBe('maxTimeoutSeconds' in more ? 200 : 402)
    expect(settles).toBe('maxTimeoutSeconds' in more ? 1 : 0)
  })

  test('what it says of the offer is believed only if it was claimed for just that', async () => {
    const claims = store()
    const shop = openShop(claims)
    const [offer] = offersOf(await shop.ask())
    const payment = paymentFor(offer)
    expect(await shop.ask(headersOf(payment))).toMatchObject({ status: 200 })
    const cheap = { ...offer, amount: 1n, received: { ...offer.received, amount: '1' } }
    const answer = await shop.ask(headersOf({ ...payment, accepted: cheap }))
    expect([answer.status, errorOf(answer)]).toEqual([402, 'no_matching_requirements'])
    expect([runs, settles]).toEqual([1, 1])
  })
})

describe('SRV-027 SRV-043 a payment whose delivery was owed when the mode of the route changed', () => {
  const modes = [['strict', 'upfront'] as const, ['upfront', 'strict'] as const]
  test.each(modes)('%s to %s: the body that was paid for is delivered', async (before, after) => {
    const claims = store()
    let isBroken = true
    const openAs = (mode: 'strict' | 'upfront') => {
      const options = { facilitator, payTo: { 'base-sepolia': payTo }, schemes: [testScheme], store: claims }
      const shop = paywall(options)({ price: '$0.001', mode }, () => {
        runs += 1
        return isBroken && mode === 'upfront' ? new Response('sorry', { status: 503 }) : new Response('sunny')
      })
      return async (headers: Record<string, string>, body = 'summarise this') => {
        const response = await shop(new Request('http://shop.example/summary', { method: 'POST', headers, body }))
        return { status: response.status, headers: response.headers, text: await response.text() }
      }
    }
    const [then, now] = [openAs(before), openAs(after)]
    const payment = headersOf(paymentFor(offersOf(await then({}))[0]))
    if (before === 'strict') outcomes = [{ status: 'unknown', retryAfter: 1 }]
    expect(await then(payment)).toMatchObject({ status: 503 })
    isBroken = false
    // What was worked for first is an answer that is kept, whatever is asked now; what is worked for later is worked for as it was paid.
    if (before === 'upfront') expect(await now(payment, 'and that')).toMatchObject({ status: 409 })
    expect(await now(payment)).toMatchObject({ status: 200, text: 'sunny' })
    expect(settles).toBe(before === 'strict' ? 2 : 1)
  })
})

describe('SRV-028 one payment, several shops of one seller', () => {
  test('is good for the shops that share their claims, once', async () => {
    const claims = store()
    const [one, other] = [openShop(claims), openShop(claims)]
    const payment = await one.sign()
    expect(await other.ask(payment)).toMatchObject({ status: 200 })
    expect(await one.ask(payment)).toMatchObject({ status: 200 })
    expect([runs, settles]).toEqual([1, 1])
  })

  test('is not good for one that keeps its own', async () => {
    const [one, other] = [openShop(store()), openShop(store())]
    const payment = await one.sign()
    expect(errorOf(await other.ask(payment))).toBe('no_matching_requirements')
    expect(await one.ask(payment)).toMatchObject({ status: 200 })
    expect([runs, settles]).toEqual([1, 1])
  })

  test('the facilitator is shown other terms by each, where the payment does not repeat them', async () => {
    const asked: string[] = []
    const spy: Facilitator = {
      ...facilitator,
      settle: async (request) => {
        asked.push(JSON.stringify(request.requirements.extra))
        return facilitator.settle(request)
      },
    }
    const shops = [openShop(store(), { facilitator: spy }), openShop(store(), { facilitator: spy })]
    const payment = await shops[0]?.sign(1)
    for (const shop of shops) await shop.ask(payment)
    expect(new Set(asked).size).toBe(2)
  })

  test('an answer that was made for one host is not another host’s', async () => {
    const { ask, sign } = openShop(store())
    const payment = await sign(1)
    expect(await ask(payment)).toMatchObject({ status: 200 })
    const answer = await ask(payment, 'other.example')
    expect([answer.status, problemOf(answer).code]).toEqual([409, 'idempotency_mismatch'])
    expect(runs).toBe(1)
  })
})

describe('offers with times in them', () => {
  const PERIOD = 600_000
  /** Its offers say when they were made. */
  function openTimed() {
    let now = Date.UTC(2026, 0, 1)
    const scheme: SchemeServer = {
      ...testScheme,
      offersLast: PERIOD,
      offer(terms) {
        const offer = testScheme.offer(terms)
        return { ...offer, extra: { ...offer.extra, made: Math.floor(now / PERIOD) } }
      },
    }
    const shop = openShop(store(), { schemes: [scheme], clock: () => now })
    const pass = (ms: number) => {
      now += ms
    }
    const made = async () => offersOf(await shop.ask())[0]?.extra.made
    return { ...shop, pass, made }
  }

  test('are made anew when their time is over, and not before', async () => {
    const { made, pass } = openTimed()
    const first = await made()
    pass(PERIOD - 1)
    expect(await made()).toBe(first)
    pass(1)
    expect(await made()).toBe(Number(first) + 1)
    pass(5 * PERIOD)
    expect(await made()).toBe(Number(first) + 6)
  })

  test('are answered once more after that, and then no more', async () => {
    const { ask, sign, pass } = openTimed()
    const [late, tooLate] = [await sign(), await sign()]
    pass(PERIOD)
    expect(await ask(late)).toMatchObject({ status: 200, text: 'sunny' })
    pass(PERIOD)
    const answer = await ask(tooLate)
    expect([answer.status, errorOf(answer)]).toEqual([402, 'no_matching_requirements'])
    // What was paid for stays paid for.
    expect(await ask(late)).toMatchObject({ status: 200, text: 'sunny' })
    expect([runs, settles]).toEqual([1, 1])
  })
})
