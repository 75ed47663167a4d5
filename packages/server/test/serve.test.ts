import { type Facilitator, network, type Settlement, X402Error } from '@groat/core'
import { type ClaimStore, createMemoryClaims, paywall } from '@groat/server'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Answered, offersOf, problemOf, receiptOf } from './shop.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

// A facilitator in this process, and a store that can fail: what no network can bring about.

let runs = 0
let settles = 0
let transactions = 0
beforeEach(() => {
  runs = 0
  settles = 0
})

const receipt = (extra = {}): Settlement => ({
  status: 'settled',
  receipt: { payer, network: network('base-sepolia'), transaction: `0x${++transactions}`, ...extra },
})
const honest: Facilitator = {
  verify: async () => ({ ok: true, payer }),
  settle: async () => {
    settles += 1
    return receipt()
  },
  supported: async () => ({ kinds: [], extensions: [], signers: {} }),
}

function openShop(change: { facilitator?: Partial<Facilitator>; store?: Partial<ClaimStore> } = {}) {
  const shop = paywall({
    facilitator: { ...honest, ...change.facilitator },
    payTo: { 'base-sepolia': payTo },
    schemes: [testScheme],
    store: { ...createMemoryClaims({ singleProcess: true }), ...change.store },
  })('$0.001', () => {
    runs += 1
    return new Response('sunny', { headers: { 'x-result': 'sunny' } })
  })
  const ask = async (headers = {}): Promise<Answered> => {
    const response = await shop(new Request('http://shop.example/weather', { headers }))
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const sign = async () => headersOf(paymentFor(offersOf(await ask())[0]))
  return { ask, sign, pay: async () => ask(await sign()) }
}

const failing = async (): Promise<never> => {
  throw new X402Error('store_busy', { reason: 'locked' })
}

describe('a store that fails', () => {
  test('SRV-019 when the payment is claimed: nothing runs, nothing is charged', async () => {
    const answer = await openShop({ store: { claim: failing } }).pay()
    expect(answer.status).toBe(503)
    expect(problemOf(answer)).toMatchObject({ code: 'store_unavailable' })
    expect([runs, settles]).toEqual([0, 0])
  })

  test('when the answer is kept: nothing is settled, nothing leaves', async () => {
    const answer = await openShop({ store: { settling: failing } }).pay()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('x-result')).toBeNull()
    expect([runs, settles]).toEqual([1, 0])
  })

  test('when the lease was lost: somebody else serves the payment', async () => {
    const answer = await openShop({ store: { settling: async () => false } }).pay()
    expect(answer.status).toBe(409)
    expect(problemOf(answer)).toMatchObject({ code: 'payment_in_flight' })
    expect([runs, settles]).toEqual([1, 0])
  })

  test('when the receipt is recorded: the answer waits, and the same payment gets it', async () => {
    const store = createMemoryClaims({ singleProcess: true })
    let broken = true
    const { sign, ask } = openShop({
      store: { ...store, settled: (...args) => (broken ? failing() : store.settled(...args)) },
    })
    const headers = await sign()
    const answer = await ask(headers)
    expect(answer.status).toBe(503)
    expect(problemOf(answer)).toMatchObject({ code: 'settlement_pending', reference: expect.any(String) })
    broken = false
    expect(await ask(headers)).toMatchObject({ status: 200, text: 'sunny' })
    expect(runs).toBe(1)
  })

  test('when a claim is given up: the answer goes out all the same', async () => {
    const refused: Settlement = { status: 'refused', code: 'payment_expired' }
    const { pay } = openShop({
      store: { release: failing, pause: failing },
      facilitator: { settle: async () => refused },
    })
    expect((await pay()).status).toBe(402)
  })
})

describe('a facilitator in this process', () => {
  test('that breaks while it verifies has verified nothing', async () => {
    const verify = async (): Promise<never> => {
      throw new TypeError('secret')
    }
    const answer = await openShop({ facilitator: { verify } }).pay()
    expect(answer.status).toBe(503)
    expect(problemOf(answer)).toMatchObject({ code: 'facilitator_unreachable' })
    expect(answer.text).not.toContain('secret')
    expect(runs).toBe(0)
  })

  test('SRV-010 that breaks while it settles may have settled', async () => {
    let broken = true
    const settle = async (): Promise<Settlement> => {
      if (broken) throw new TypeError('secret')
      return receipt()
    }
    const { sign, ask } = openShop({ facilitator: { settle } })
    const headers = await sign()
    const answer = await ask(headers)
    expect([answer.status, receiptOf(answer)]).toEqual([503, { status: 'unknown', retryAfter: 2, payer }])
    broken = false
    expect(await ask(headers)).toMatchObject({ status: 200 })
    expect(runs).toBe(1)
  })

  test('that says that it accepted nothing has settled nothing, unless it was asked before', async () => {
    const outcomes: (() => Settlement)[] = []
    const settle = async (): Promise<Settlement> => {
      const next = outcomes.shift()
      return next === undefined ? receipt() : next()
    }
    const down = (): never => {
      throw new X402Error('store_unavailable')
    }
    const { sign, ask } = openShop({ facilitator: { settle } })
    outcomes.push(down)
    const first = await sign()
    expect(problemOf(await ask(first))).toMatchObject({ code: 'store_unavailable', status: 503 })
    expect(await ask(first)).toMatchObject({ status: 200 })
    expect(runs).toBe(2)

    outcomes.push(() => ({ status: 'unknown', retryAfter: 9 }), down)
    const second = await sign()
    const unknown = await ask(second)
    expect([problemOf(unknown).code, unknown.headers.get('retry-after')]).toEqual(['settlement_pending', '9'])
    expect(problemOf(await ask(second)).code).toBe('settlement_pending')
    expect(await ask(second)).toMatchObject({ status: 200 })
    expect(runs).toBe(3)
  })

  test.each([
    ['does not say what became of it', undefined, 503],
    ['does not know of it', async () => undefined, 402],
    [
      'knows that it was refused',
      async (): Promise<Settlement> => ({ status: 'refused', code: 'payment_expired' }),
      402,
    ],
    ['knows no more', async (): Promise<Settlement> => ({ status: 'unknown', retryAfter: 1 }), 503],
    ['knows that it was settled', async () => receipt(), 200],
    ['cannot say', failing, 503],
  ])('that refuses what may have been settled, and %s', async (_, settlement, status) => {
    const outcomes: Settlement[] = [
      { status: 'unknown', retryAfter: 1 },
      { status: 'refused', code: 'invalid_exact_evm_nonce_already_used' },
    ]
    const facilitator = {
      settle: async () => outcomes.shift() ?? receipt(),
      ...(settlement === undefined ? {} : { settlement }),
    }
    const { sign, ask } = openShop({ facilitator })
    const headers = await sign()
    expect((await ask(headers)).status).toBe(503)
    expect((await ask(headers)).status).toBe(status)
    expect(runs).toBe(1)
  })

  test('whose receipt is long keeps its header short', async () => {
    const settle = async (): Promise<Settlement> => receipt({ extra: { story: 'x'.repeat(5_000) }, amount: 1000n })
    const answer = await openShop({ facilitator: { settle } }).pay()
    expect(answer.headers.get('PAYMENT-RESPONSE')?.length).toBeLessThan(2_048)
    expect(receiptOf(answer)).toMatchObject({ status: 'settled', receipt: { payer, amount: 1000n } })
  })
})
