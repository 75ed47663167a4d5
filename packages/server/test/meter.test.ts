import { decodeReceipt, type Facilitator, type FacilitatorRequest, X402Error } from '@groat/core'
import { createMemoryClaims, paywall, type VerifiedPayment } from '@groat/server'
import { beforeEach, expect, test } from 'vitest'
import { offersOf, problemOf } from './shop.js'
import { headersOf, payer, paymentFor, payTo, testScheme } from './test-scheme.js'

// A ceiling is signed for; the work says what of it is charged.

const metered = { ...testScheme, metered: true }
let asked: FacilitatorRequest[] = []
beforeEach(() => {
  asked = []
})

function openShop(
  work: (payment: VerifiedPayment) => Response,
  { scheme = metered, settle }: { scheme?: typeof testScheme; settle?: Facilitator['settle'] } = {},
) {
  const facilitator: Facilitator = {
    verify: async ({ requirements }) => {
      expect(requirements.amount).toBe(1000n)
      return { ok: true, payer }
    },
    settle: async (request) => {
      asked.push(request)
      if (settle) return settle(request)
      const { network, amount } = request.requirements
      const transaction = amount === 0n ? '' : `0x${asked.length}`
      return { status: 'settled', receipt: { payer, network, transaction, amount } }
    },
    supported: async () => ({ kinds: [], extensions: [], signers: {} }),
  }
  const shop = paywall({
    facilitator,
    payTo: { 'base-sepolia': payTo },
    schemes: [scheme],
    store: createMemoryClaims({ singleProcess: true }),
  })('$0.001', (_, payment) => work(payment))
  const ask = async (headers = {}) => {
    const response = await shop(new Request('http://shop.example/chat', { headers }))
    const receipt = decodeReceipt((name) => response.headers.get(name))
    return {
      status: response.status,
      headers: response.headers,
      text: await response.text(),
      receipt: receipt?.ok ? receipt.value : undefined,
    }
  }
  return { ask, sign: async () => headersOf(paymentFor(offersOf(await ask())[0])) }
}

test.each([
  ['a part', [700n, 123n], 123n, '0x1'],
  ['the whole', [1000n], 1000n, '0x1'],
  ['the whole, when nothing was said', [], 1000n, '0x1'],
  ['nothing', [0n], 0n, ''],
] as const)('SRV-024 the work charges %s', async (_, charges, amount, transaction) => {
  const { ask, sign } = openShop((payment) => {
    for (const charge of charges) payment.charge(charge)
    return new Response('words', { headers: { 'settlement-overrides': '{"amount":"1"}' } })
  })
  const headers = await sign()
  for (const answer of [await ask(headers), await ask(headers)]) {
    expect(answer).toMatchObject({ status: 200, text: 'words', receipt: { receipt: { amount, transaction } } })
  }
  expect(asked.map(({ requirements }) => requirements.amount)).toEqual([amount])
})

test('SRV-024 a settlement that is tried again is for the same amount, and the work does not run again', async () => {
  let runs = 0
  const { ask, sign } = openShop(
    (payment) => {
      runs += 1
      payment.charge(BigInt(runs))
      return new Response('words')
    },
    {
      settle: async ({ requirements: { network, amount } }) =>
        asked.length < 2
          ? { status: 'unknown', retryAfter: 1 }
          : { status: 'settled', receipt: { payer, network, transaction: '0x1', amount } },
    },
  )
  const headers = await sign()
  expect(await ask(headers)).toMatchObject({ status: 503 })
  expect(await ask(headers)).toMatchObject({ status: 200, text: 'words' })
  expect(asked.map(({ requirements }) => requirements.amount)).toEqual([1n, 1n])
  expect(runs).toBe(1)
})

test.each([
  ['more than the ceiling', metered, 1001n],
  ['less than nothing', metered, -1n],
  ['anything by a scheme without a ceiling', testScheme, 1n],
])('SRV-024 the work cannot charge %s', async (_, scheme, amount) => {
  let thrown: unknown
  const { ask, sign } = openShop(
    (payment) => {
      try {
        payment.charge(amount)
      } catch (error) {
        thrown = error
      }
      return new Response('words')
    },
    { scheme },
  )
  expect((await ask(await sign())).receipt).toMatchObject({ receipt: { amount: 1000n } })
  expect(X402Error.is(thrown) && thrown.code).toBe('invalid_charge')
})

test('SRV-024 what is said after the answer is made does not count', async () => {
  let payment: VerifiedPayment | undefined
  const { ask, sign } = openShop((given) => {
    payment = given
    return new Response('words')
  })
  await ask(await sign())
  expect(() => payment?.charge(1n)).toThrow('the answer is made')
})

test.each([
  ['a receipt for another amount', { amount: 1000n, transaction: '0x1' }],
  ['a receipt without a transaction', { amount: 123n, transaction: '' }],
])('SRV-011 %s is not believed', async (_, lie) => {
  const { ask, sign } = openShop(
    (payment) => {
      payment.charge(123n)
      return new Response('words')
    },
    {
      settle: async ({ requirements: { network } }) => ({ status: 'settled', receipt: { payer, network, ...lie } }),
    },
  )
  const answer = await ask(await sign())
  expect(answer.status).toBe(503)
  expect(problemOf(answer)).toMatchObject({ code: 'settlement_pending' })
})
